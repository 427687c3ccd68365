from __future__ import annotations

import asyncio
import threading

import pytest
from engine_words import click

from seem_server.engine.tickets import ENDS, Ticket, TicketState
from seem_server.engine.work import Encoded
from seem_wire.errors import Cancelled, Internal, Overloaded, Superseded
from seem_wire.types import Timings

RESULT = Encoded(cache_hit=True, timings=Timings())
WAYS_TO_END = {
    TicketState.DONE: lambda ticket: ticket.finish(RESULT),
    TicketState.FAILED: lambda ticket: ticket.fail(Internal("it broke")),
    TicketState.CANCELLED: lambda ticket: ticket.cancel(),
    TicketState.SUPERSEDED: lambda ticket: ticket.supersede(7),
}


@pytest.fixture
def ticket():
    return Ticket(click(1))


def test_it_waits_then_runs_then_ends(ticket):
    assert ticket.state is TicketState.WAITING
    assert ticket.begin()
    assert ticket.state is TicketState.RUNNING
    assert ticket.finish(RESULT)
    assert ticket.state is TicketState.DONE
    assert ticket.result() is RESULT


def test_every_end_is_tested_here():
    assert set(WAYS_TO_END) == ENDS


@pytest.mark.parametrize("second", WAYS_TO_END)
@pytest.mark.parametrize("first", WAYS_TO_END)
def test_only_the_first_end_counts(ticket, first, second):
    ends = []
    ticket.add_done_callback(ends.append)
    assert WAYS_TO_END[first](ticket)
    assert not WAYS_TO_END[second](ticket)
    assert ticket.state is first
    assert ends == [ticket]


@pytest.mark.parametrize("end", WAYS_TO_END)
def test_what_has_ended_does_not_begin(ticket, end):
    WAYS_TO_END[end](ticket)
    assert not ticket.begin()
    assert ticket.ended


@pytest.mark.parametrize("end", WAYS_TO_END)
def test_it_may_also_end_while_it_runs(ticket, end):
    ticket.begin()
    assert WAYS_TO_END[end](ticket)
    assert ticket.state is end


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (TicketState.FAILED, Internal),
        (TicketState.CANCELLED, Cancelled),
        (TicketState.SUPERSEDED, Superseded),
    ],
)
def test_other_ends_than_done_raise_their_error(ticket, end, error):
    WAYS_TO_END[end](ticket)
    with pytest.raises(error):
        ticket.result()


def test_a_superseded_ticket_tells_by_whom(ticket):
    assert ticket.superseded_by is None
    ticket.supersede(7)
    assert ticket.superseded_by == 7


def test_a_ticket_has_no_result_before_it_ends(ticket):
    with pytest.raises(RuntimeError):
        ticket.result()


def test_a_callback_that_comes_late_is_called_at_once(ticket):
    ticket.cancel()
    called = []
    ticket.add_done_callback(called.append)
    assert called == [ticket]


async def test_awaiting_gives_the_result_from_another_thread(ticket):
    threading.Timer(0.0, ticket.finish, [RESULT]).start()
    assert await ticket is RESULT


async def test_awaiting_raises_the_error(ticket):
    ticket.fail(Overloaded("full"))
    with pytest.raises(Overloaded):
        await ticket


async def test_several_may_await_one_ticket(ticket):
    async def wait():
        return await ticket

    waiting = asyncio.gather(wait(), wait())
    await asyncio.sleep(0)
    ticket.finish(RESULT)
    assert await waiting == [RESULT, RESULT]


async def test_who_stops_awaiting_cancels_the_ticket(ticket):
    async def wait():
        return await ticket

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ticket.state is TicketState.CANCELLED


def test_a_ticket_whose_loop_is_gone_ends_all_the_same(ticket):
    async def begin_to_wait():
        asyncio.get_running_loop().call_soon(waiter.send, None)
        await asyncio.sleep(0)

    async def wait():
        return await ticket

    waiter = wait()
    asyncio.run(begin_to_wait())
    assert ticket.finish(RESULT)
    waiter.close()
    assert ticket.state is TicketState.DONE
