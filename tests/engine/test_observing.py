from __future__ import annotations

import pytest
from engine_words import Gate, click, engine

from seem_server.engine.engine import EngineConfig
from seem_server.engine.observing import ObservedByAll, Unobserved
from seem_server.engine.scheduler import Limits
from seem_server.engine.tickets import TicketState
from seem_server.engine.work import Encode
from seem_server.runtime.fake_backend import FakeBackend
from seem_wire.errors import Overloaded


class Noting:
    """An observer that notes what it sees."""

    def __init__(self):
        self.submitted_works, self.ends, self.batches = [], [], []

    def submitted(self, ticket):
        self.submitted_works.append(ticket.work)
        ticket.add_done_callback(lambda ended: self.ends.append(ended.state))

    def ran(self, works):
        self.batches.append(list(works))


@pytest.fixture
def noting():
    return Noting()


async def test_an_observer_sees_what_is_submitted_what_ran_and_how_it_ended(noting):
    made = engine(observer=noting)
    works = [Encode("s", "k"), click(1)]
    for work in works:
        await made.submit(work)
    made.close()
    assert noting.submitted_works == works
    assert noting.batches == [[work] for work in works]
    assert noting.ends == [TicketState.DONE, TicketState.DONE]


def test_an_observer_sees_who_is_superseded_and_never_who_is_refused(noting):
    gate = Gate()
    config = EngineConfig(Limits(max_waiting=1, max_batch=1))
    made = engine(FakeBackend(decode_s=1, wait=gate), config, observer=noting)
    made.submit(click(1, session="first"))
    gate.wait_for_somebody()
    made.submit(click(1))
    made.submit(click(1, 2))
    with pytest.raises(Overloaded):
        made.submit(click(1, session="late"))
    gate.let_pass(10)
    made.close()
    assert len(noting.submitted_works) == 3
    assert sorted(noting.ends) == ["done", "done", "superseded"]


def test_all_of_several_observers_see_the_same():
    seen = [Noting(), Noting(), Unobserved()]
    made = engine(observer=ObservedByAll(seen))
    made.submit(click(1))
    made.close()
    assert seen[0].batches == seen[1].batches == [[click(1)]]
    assert seen[0].ends == seen[1].ends == [TicketState.DONE]
