from __future__ import annotations

import asyncio

import pytest

from seem_server.telemetry.lag import EVERY_S, watch_lag


class Loop:
    """An event loop whose time is told, and which has one timer."""

    def __init__(self):
        self.now_s = 100.0
        self.due_s, self.turn = None, None

    def time(self):
        return self.now_s

    def call_at(self, due_s, turn):
        self.due_s, self.turn = due_s, turn
        return self

    def cancel(self):
        self.due_s = self.turn = None

    def turns_at(self, now_s):
        self.now_s = now_s
        self.turn()


def test_a_turn_is_as_late_as_it_comes_after_it_was_due():
    loop, lags = Loop(), []
    with watch_lag(loop, lags.append):
        loop.turns_at(100 + EVERY_S)
        loop.turns_at(loop.due_s + 0.75)
        assert loop.due_s == pytest.approx(loop.now_s + EVERY_S)  # being late doesn't add up
        loop.turns_at(loop.due_s)
    assert lags == pytest.approx([0, 0.75, 0])


def test_a_timer_that_comes_early_is_not_late():
    loop, lags = Loop(), []
    with watch_lag(loop, lags.append):
        loop.turns_at(100)
    assert lags == [0]


def test_nobody_is_watched_after_the_block():
    loop = Loop()
    with pytest.raises(RuntimeError), watch_lag(loop, print):
        raise RuntimeError
    assert loop.turn is None


async def test_a_real_loop_is_watched():
    observed = asyncio.get_running_loop().create_future()
    with watch_lag(asyncio.get_running_loop(), observed.set_result):
        assert await asyncio.wait_for(observed, 30) >= 0
