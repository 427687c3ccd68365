from __future__ import annotations

import pytest

from seem_client.adapters.kept import Kept


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(clock):
    return Kept(n_kept=2, keep_s=10, clock=clock)


def test_the_longest_unused_goes_when_there_is_no_room(kept):
    assert kept.keep("a", 1) == kept.keep("b", 2) == []
    assert kept.get("a") == 1
    assert kept.keep("c", 3) == [2]
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)


def test_what_was_not_used_for_long_is_gone_and_given_back_once(kept, clock):
    kept.keep("a", 1)
    clock.now_s = 11
    assert kept.get("a") is None
    assert kept.sweep() == [1]
    assert kept.sweep() == []


def test_a_use_keeps_it(kept, clock):
    kept.keep("a", 1)
    clock.now_s = 9
    assert kept.get("a") == 1
    clock.now_s = 18
    assert kept.get("a") == 1


def test_to_keep_gives_back_what_is_old_and_what_stood_under_the_key(kept, clock):
    kept.keep("a", 1)
    assert kept.keep("a", 2) == [1]
    clock.now_s = 11
    assert kept.keep("b", 3) == [2]
    assert len(kept) == 1


def test_all_can_be_let_go_of(kept):
    kept.keep("a", 1)
    assert kept.drop("b") is None
    assert kept.empty() == [1]
    assert len(kept) == 0
