from __future__ import annotations

import asyncio
from functools import partial

import pytest
from service_words import Stream, click, opening, service

from seem_server.service.callers import ANONYMOUS, Caller
from seem_server.service.quotas import Quotas
from seem_server.service.tenants import Tenants
from seem_server.store.memory import MemoryStore
from seem_wire import errors, types

ANN, BEN, ROB = Caller("acme", "ann"), Caller("acme", "ben"), Caller("rival", "rob")


@pytest.fixture
def here():
    with service(max_sessions=2, idle_timeout_s=100, retry_after_ms=700) as made:
        yield made


async def test_a_session_is_found_by_its_id(here):
    session = await here.directory.open(now_s=0)
    assert here.directory.find(session.session_id, now_s=1) is session
    assert len(here.directory) == 1


async def test_ids_cannot_be_guessed(here):
    first, second = [(await here.directory.open(now_s=0)).session_id for _ in range(2)]
    assert first != second
    assert len(first) >= 32


async def test_an_unknown_id_is_told_so_and_not_repeated(here):
    with pytest.raises(errors.UnknownSession) as caught:
        here.directory.find("secret-of-somebody", now_s=0)
    assert "secret" not in str(caught.value)


async def test_a_full_server_refuses_with_a_hint_and_ends_nobodys_session(here):
    sessions = [await here.directory.open(now_s=0) for _ in range(2)]
    with pytest.raises(errors.Overloaded) as caught:
        await here.directory.open(now_s=1)
    assert caught.value.retry_after_ms == 700
    assert not any(session.closed for session in sessions)


async def test_a_released_session_makes_room(here):
    session, _ = await here.directory.open(now_s=0), await here.directory.open(now_s=0)
    for command in (*opening(), types.Release(3)):
        await session.ask(command)
    assert await here.directory.open(now_s=1) is not session


async def test_a_session_left_alone_for_too_long_ends_and_makes_room(here):
    old, used = await here.directory.open(now_s=0), await here.directory.open(now_s=0)
    here.directory.find(used.session_id, now_s=50)
    await here.directory.open(now_s=100)
    assert (old.closed, used.closed) == (True, False)


async def test_sweeping_tells_how_many_ended(here):
    session = await here.directory.open(now_s=0)
    assert here.directory.sweep(now_s=99) == 0
    assert here.directory.sweep(now_s=100) == 1
    assert (await session.ask(click(1))).code == "UNKNOWN_SESSION"


async def test_a_server_that_goes_down_opens_nothing_and_keeps_what_is_open(here):
    session = await here.directory.open(now_s=0)
    here.directory.drain()
    with pytest.raises(errors.ShuttingDown):
        await here.directory.open(now_s=1)
    assert not session.closed


async def test_closing_ends_all_sessions(here):
    session = await here.directory.open(now_s=0)
    here.directory.close()
    assert session.closed
    assert len(here.directory) == 0


async def refusal(look):
    with pytest.raises(errors.UnknownSession) as caught:
        await look
    return caught.value.code, str(caught.value), caught.value.retry_after_ms


async def found(here, session_id, **options):
    return here.directory.find(session_id, **options)


@pytest.mark.parametrize("stranger", [ROB, ANONYMOUS])
async def test_a_session_of_another_tenant_is_as_if_there_were_none(here, stranger):
    session = await here.directory.open(now_s=0, caller=ANN)
    assert here.directory.find(session.session_id, now_s=0, caller=BEN) is session
    for look in (partial(found, here), here.directory.reach):
        theirs = await refusal(look(session.session_id, now_s=1e6, caller=stranger))
        assert theirs == await refusal(look("none", now_s=0, caller=stranger))
    here.directory.sweep(now_s=101)
    assert session.closed  # a stranger's question did not keep it alive


async def test_a_tenant_has_its_number_of_sessions_and_no_more():
    tenants = Tenants(Quotas(tenant_sessions=1))
    with service(max_sessions=9, tenants=tenants) as here:
        session = await here.directory.open(now_s=0, caller=ANN)
        with pytest.raises(errors.QuotaExceeded, match="tenant_sessions") as caught:
            await here.directory.open(now_s=0, caller=BEN)
        assert caught.value.retry_after_ms > 0
        await here.directory.open(now_s=0, caller=ROB, passing=True)
        with pytest.raises(errors.QuotaExceeded):
            await here.directory.open(now_s=0, caller=ROB, passing=True)
        session.close()
        await here.directory.open(now_s=0, caller=BEN)


async def test_a_session_that_finds_the_server_full_counts_for_no_quota():
    tenants = Tenants(Quotas(tenant_sessions=3))
    with service(max_sessions=2, tenants=tenants) as here:
        opened = [await here.directory.open(now_s=0, caller=ANN) for _ in range(2)]
        for _ in range(5):
            with pytest.raises(errors.Overloaded):
                await here.directory.open(now_s=0, caller=ANN)
        assert tenants.of(ANN).usage.n_sessions == len(opened)
        here.directory.close()
        assert tenants.of(ANN).usage.n_sessions == 0


async def test_it_counts_whom_it_ever_let_in(here):
    (await here.directory.open(now_s=0)).close()
    await here.directory.open(now_s=0)
    assert (here.directory.n_opened, len(here.directory)) == (2, 1)


# --- what is kept


class Counted:
    """A server whose tenants may have some sessions each, on a store that outlives it."""

    def __init__(self, n_sessions=1):
        self.store, self._quotas = MemoryStore(), Quotas(tenant_sessions=n_sessions)

    def started(self, **options):
        return service(store=self.store, tenants=Tenants(self._quotas), **options)


def n_counted(here, caller):
    return here.tenants.of(caller).usage.n_sessions


async def kept_ids(counted, caller, n=1):
    """The ids of sessions that a server kept before it went down."""
    with counted.started() as here:
        sessions = [await here.directory.open(now_s=0, caller=caller) for _ in range(n)]
        for session in sessions:
            for command in opening():
                await session.ask(command)
    return [session.session_id for session in sessions]


async def left(here, caller):
    """The id of a session that a stream of the caller's began and left."""
    stream = Stream(here.directory, caller=caller)
    stream.say(*opening())
    opened, _ = await stream.hear(2)
    await stream.finish()
    return opened.session_id


@pytest.mark.parametrize("stranger", [ROB, ANONYMOUS])
async def test_a_kept_session_is_taken_up_by_its_tenant_alone(stranger):
    counted = Counted()
    (session_id,) = await kept_ids(counted, ANN)
    with counted.started() as here:
        theirs = await refusal(here.directory.reach(session_id, now_s=0, caller=stranger))
        assert theirs == await refusal(here.directory.reach("none", now_s=0, caller=stranger))
        assert n_counted(here, stranger) == 0
        session = await here.directory.reach(session_id, now_s=0, caller=BEN)
        assert here.directory.find(session_id, now_s=0, caller=ANN) is session
        assert await here.directory.reach(session_id, now_s=0, caller=ANN) is session
        again = await refusal(here.directory.reach(session_id, now_s=0, caller=stranger))
        assert (again, session.closed) == (theirs, False)


@pytest.mark.parametrize("callers", [(ANN, ROB, BEN), (ROB, ANN, BEN)])
async def test_a_session_on_its_way_from_the_store_is_handed_to_its_tenant_alone(callers):
    counted = Counted()
    (session_id,) = await kept_ids(counted, ANN)
    with counted.started() as here:
        asked = [here.directory.reach(session_id, now_s=0, caller=one) for one in callers]
        given = dict(
            zip(callers, await asyncio.gather(*asked, return_exceptions=True), strict=True)
        )
        assert isinstance(given[ROB], errors.UnknownSession)
        assert given[ANN] is given[BEN]
        assert here.directory._owners[session_id] is here.tenants.of(ANN)
        assert not here.directory._restoring


async def test_a_session_from_the_store_counts_in_its_tenants_quota():
    counted = Counted()
    first, second = (await kept_ids(counted, ANN)) + (await kept_ids(counted, ANN))
    with counted.started() as here:
        session = await here.directory.reach(first, now_s=0, caller=ANN)
        assert n_counted(here, ANN) == 1
        for refused in (
            here.directory.open(now_s=0, caller=ANN),
            here.directory.reach(second, now_s=0, caller=ANN),
        ):
            with pytest.raises(errors.QuotaExceeded, match="tenant_sessions"):
                await refused
        session.park()
        assert n_counted(here, ANN) == 0
        (await here.directory.reach(second, now_s=0, caller=ANN)).close()
        assert n_counted(here, ANN) == 0


async def test_a_session_that_cannot_be_taken_up_counts_for_no_quota():
    counted = Counted()
    (session_id,) = await kept_ids(counted, ANN)
    with counted.started() as here:
        counted.store._logs[session_id].records.append(b"no record")
        for _ in range(3):
            with pytest.raises(errors.Internal):
                await here.directory.reach(session_id, now_s=0, caller=ANN)
        assert (n_counted(here, ANN), len(here.directory)) == (0, 0)


async def test_a_session_that_cannot_be_kept_counts_for_no_quota(monkeypatch):
    counted = Counted()
    with counted.started() as here:
        monkeypatch.setattr(counted.store, "open", refuse_to_open)
        for _ in range(3):
            with pytest.raises(errors.StoreFailed):
                await here.directory.open(now_s=0, caller=ANN)
        assert n_counted(here, ANN) == 0


def refuse_to_open(header):
    raise errors.StoreFailed(f"No room for a session of {header.owner}.")


async def test_what_a_tenant_left_makes_room_in_its_quota_and_is_not_lost():
    counted = Counted()
    with counted.started() as here:
        session_id = await left(here, ANN)
        theirs = await left(here, ROB)
        new = await here.directory.open(now_s=0, caller=ANN)
        assert [one.session_id for one in here.directory._sessions.values()] == [
            theirs,
            new.session_id,
        ]
        new.close()
        again = await here.directory.reach(session_id, now_s=0, caller=ANN)
        assert again.card.session_id == session_id
