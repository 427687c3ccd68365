"""Sessions whose connection is lost, over a scripted server."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
import pytest
from scripted_server import HANG_UP, LEAVE, MODEL, SIZE, masks, obey, scripted_server

import seem_client
from seem_client._reconnecting import check_reconnect_s, delays_s, hint_s, is_away, is_transient
from seem_wire import errors, types
from seem_wire.tags import session_tag

PIXELS = np.zeros((*SIZE, 3), np.uint8)


def card(last_seq):
    return types.SessionCard("session-1", MODEL.model_id, "a" * 64, SIZE, last_seq=last_seq)


class Lossy:
    """A server that hangs up on the first prompt, and knows only what it answered.

    `attach(command, heard)` answers an Attach; `said` holds every command that came, in order.
    """

    def __init__(self, attach, *, hang_up=HANG_UP):
        self._attach, self._hang_up = attach, hang_up
        self._lost = False
        self.said = []
        self._lock = threading.Lock()

    def __call__(self, command):
        with self._lock:
            self.said.append(command)
            if isinstance(command, types.Attach):
                return self._attach(command)
            if isinstance(command, types.Prompt) and not self._lost:
                self._lost = True
                return self._hang_up
            return obey(command)

    def prompts(self):
        return [one.seq for one in self.said if isinstance(one, types.Prompt)]


@contextmanager
def opened(server):
    with (
        scripted_server(server) as address,
        seem_client.connect(address) as client,
        client.open(PIXELS) as session,
    ):
        yield session


def goes_on(command, last_seq=2):
    return types.Attached(command.seq, card(last_seq), MODEL)


@pytest.mark.parametrize("hang_up", [HANG_UP, LEAVE])
def test_what_the_server_does_not_know_is_said_again_once(hang_up):
    server = Lossy(goes_on, hang_up=hang_up)
    with opened(server) as session:
        assert session.click(1, 1).area == 2
        assert session.click(2, 2).area == 2
    (attach,) = (one for one in server.said if isinstance(one, types.Attach))
    assert (attach.resumed, attach.after_seq, attach.waiting) == ("session-1", 2, (3,))
    assert server.prompts() == [3, 3, 5]


def test_a_session_whose_server_is_lost_before_it_was_opened_is_opened_in_the_next_stream():
    lost = iter([HANG_UP, LEAVE])

    def answer(command):
        return next(lost, obey(command)) if isinstance(command, types.OpenImage) else obey(command)

    with opened(answer) as session:
        assert session.click(1, 1).area == 2


async def test_so_is_the_awaited_one():
    lost = iter([HANG_UP, LEAVE])

    def answer(command):
        return next(lost, obey(command)) if isinstance(command, types.OpenImage) else obey(command)

    with scripted_server(answer) as address:
        async with seem_client.connect_async(address) as client, client.open(PIXELS) as session:
            assert (await session.click(1, 1)).area == 2


def test_a_server_that_never_opens_a_session_is_given_up():
    given_up = pytest.raises(errors.Disconnected)
    with (
        scripted_server(lambda _: HANG_UP) as address,
        seem_client.connect(address, reconnect_s=0.3) as client,
        given_up,
    ):
        client.open(PIXELS)


def test_all_streams_of_a_session_go_one_way_and_those_of_who_attaches_by_its_tag():
    server, routes = Lossy(goes_on), []
    with scripted_server(server, routes=routes) as address, seem_client.connect(address) as client:
        with client.open(PIXELS) as session, client.open(PIXELS) as other:
            session.click(1, 1)
            other.click(1, 1)
        with client.attach("session-1"):
            pass
    first, second, again, asked, attached = routes
    assert again == first != second
    assert asked == attached == session_tag("session-1")


def test_what_the_server_knows_is_not_said_again():
    server = Lossy(lambda command: [goes_on(command, last_seq=3), masks(3, 1)])
    with opened(server) as session:
        assert session.click(1, 1).area == 2
    assert server.prompts() == [3]


def test_a_reply_that_is_not_known_any_more_is_told_so():
    lost = types.Failed.of(3, errors.ReplyLost("It is not known any more."))
    server = Lossy(lambda command: [goes_on(command, last_seq=3), lost])
    with opened(server) as session:
        with pytest.raises(errors.ReplyLost):
            session.click(1, 1)
        assert session.click(2, 2).area == 2


def test_a_server_that_is_full_is_asked_again():
    refusals = [errors.Overloaded("Full.", retry_after_ms=1)] * 2

    def attach(command):
        return types.Failed.of(command.seq, refusals.pop()) if refusals else goes_on(command)

    with opened(Lossy(attach)) as session:
        assert session.click(1, 1).area == 2
    assert refusals == []


@pytest.mark.parametrize("error", [errors.UnknownSession, errors.ModelChanged])
def test_a_session_that_is_gone_ends_with_the_servers_word(error):
    server = Lossy(lambda command: types.Failed.of(command.seq, error("It is gone.")))
    with opened(server) as session:
        with pytest.raises(error):
            session.click(1, 1)
        with pytest.raises(error):
            session.undo()


async def test_the_awaited_session_goes_on_too():
    server = Lossy(goes_on)
    with scripted_server(server) as address:
        async with seem_client.connect_async(address) as client, client.open(PIXELS) as session:
            assert (await session.click(1, 1)).area == 2
            assert (await session.click(2, 2)).area == 2
    assert server.prompts() == [3, 3, 5]


async def test_the_awaited_session_that_is_gone_ends_with_the_servers_word():
    server = Lossy(lambda c: types.Failed.of(c.seq, errors.UnknownSession("It is gone.")))
    with scripted_server(server) as address:
        async with seem_client.connect_async(address) as client, client.open(PIXELS) as session:
            with pytest.raises(errors.UnknownSession):
                await session.click(1, 1)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_how_long_to_try_is_a_number_of_seconds(seconds):
    with pytest.raises(errors.InvalidValue, match="reconnect_s"):
        check_reconnect_s(seconds)
    assert check_reconnect_s(0) == 0


def test_only_a_server_that_is_away_is_waited_for():
    assert is_away(errors.Disconnected("gone"))
    assert is_away(errors.ShuttingDown("going"))
    assert not is_away(errors.DeadlineExceeded("late"))


def test_delays_begin_at_once_grow_and_come_to_an_end():
    delays = list(delays_s(10))
    assert delays[0] == 0
    assert delays[-1] > delays[1]
    assert 10 <= sum(delays) + len(delays) * 0.05 < 14
    assert list(delays_s(0)) == []


def test_a_refusal_is_left_alone_for_as_long_as_it_asks():
    asked = iter([0.0, hint_s(errors.Overloaded("Full.", retry_after_ms=3000)), 60.0, 60.0])
    delays = list(delays_s(10, lambda: next(asked)))
    assert delays == [0, 3, pytest.approx(6.95)]
    assert hint_s(errors.ShuttingDown("Down.")) == 0


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (errors.Overloaded("Full."), True),
        (errors.QuotaExceeded("Enough."), True),
        (errors.ShuttingDown("Down."), True),
        (errors.StoreFailed("Broken."), True),
        (errors.SessionMoved("Elsewhere."), False),
        (errors.Unauthenticated("Who?"), False),
        (errors.UnknownSession("Gone."), False),
        (errors.DiskFull("Full."), False),
    ],
)
def test_only_what_may_pass_is_worth_another_try(error, transient):
    assert is_transient(error) is transient
