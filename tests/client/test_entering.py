from __future__ import annotations

import pytest

from seem_client._entering import Entering


class Door:
    """Says whether it was closed."""

    closed = False

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.closed = True


async def opening(door):
    return door


async def test_it_may_be_awaited():
    door = Door()
    assert await Entering(opening(door)) is door
    assert not door.closed


async def test_it_may_be_entered_and_closes_at_the_end():
    async with Entering(opening(door := Door())) as entered:
        assert entered is door
    assert door.closed


async def test_it_closes_after_an_error_too():
    door = Door()
    with pytest.raises(LookupError):
        async with Entering(opening(door)):
            raise LookupError
    assert door.closed


async def test_what_fails_to_open_is_not_closed():
    async def failing():
        raise LookupError

    with pytest.raises(LookupError):
        async with Entering(failing()):
            pass
