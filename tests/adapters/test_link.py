from __future__ import annotations

import asyncio

import pytest

from seem_client.adapters.link import Link, is_session_gone
from seem_wire import errors


class FakeClient:
    closed = False

    async def close(self):
        self.closed = True


def connecting(*outcomes):
    made = list(outcomes)

    async def connect():
        await asyncio.sleep(0)
        one = made.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return connect


async def test_it_connects_once_however_many_ask_at_once():
    one = FakeClient()
    link = Link(connecting(one))
    assert await asyncio.gather(link.client(), link.client()) == [one, one]
    await link.close()
    assert one.closed


async def test_a_server_that_comes_later_is_found():
    one = FakeClient()
    link = Link(connecting(errors.Disconnected("not there"), one))
    with pytest.raises(errors.Disconnected):
        await link.client()
    assert await link.client() is one


async def test_to_close_what_never_connected_is_nothing():
    await Link(connecting()).close()


@pytest.mark.parametrize(
    ("error", "is_gone"),
    [
        (errors.SessionExpired("x"), True),
        (errors.UnknownSession("x"), True),
        (errors.Disconnected("x"), True),
        (errors.ModelChanged("x"), True),
        (errors.ReplyLost("x"), True),
        (errors.Overloaded("x"), False),
        (errors.PointOutsideImage("x"), False),
    ],
)
def test_a_lost_session_is_told_from_a_refusal(error, is_gone):
    assert is_session_gone(error) == is_gone
