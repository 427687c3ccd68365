from __future__ import annotations

import pytest
from service_words import click, opening, service

from seem_wire import errors, types


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


async def test_it_counts_whom_it_ever_let_in(here):
    (await here.directory.open(now_s=0)).close()
    await here.directory.open(now_s=0)
    assert (here.directory.n_opened, len(here.directory)) == (2, 1)
