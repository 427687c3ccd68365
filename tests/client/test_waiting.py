"""When a call that was refused asks again, and when it has waited long enough."""

from __future__ import annotations

import pytest

from seem_client._waiting import LEAST_PAUSE_S, Patience
from seem_wire import errors


def call(*, timeout_s=60.0, retry_s=2.0, spent_s=0.0, chance=0.0):
    """A call that began `spent_s` ago."""
    clock = [0.0]
    begun = Patience(timeout_s, retry_s, now=lambda: clock[0], chance=lambda: chance).begin()
    clock[0] = spent_s
    return begun


def full(retry_after_ms=500):
    return errors.Overloaded("Full.", retry_after_ms=retry_after_ms)


def test_it_pauses_for_as_long_as_it_is_asked_to_and_a_little_longer_at_random():
    assert call().pause_s(full()) == 0.5
    assert call(chance=1.0).pause_s(full()) == 0.75


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_call_has_an_end(timeout_s):
    with pytest.raises(errors.InvalidValue, match="timeout_s"):
        Patience(timeout_s)


def test_whoever_is_asked_to_come_at_once_takes_a_breath():
    assert call().pause_s(full(0)) == LEAST_PAUSE_S


@pytest.mark.parametrize(
    "refusal",
    [
        errors.Overloaded("Full."),
        errors.ShuttingDown("Down.", retry_after_ms=1),
        errors.PromptEmpty("?"),
    ],
)
def test_what_will_not_pass_or_does_not_say_when_is_not_waited_out(refusal):
    assert call().pause_s(refusal) is None


def test_a_quota_is_waited_out_like_a_full_queue():
    assert call().pause_s(errors.QuotaExceeded("Enough.", retry_after_ms=500)) == 0.5


@pytest.mark.parametrize(
    "begun",
    [call(retry_s=0), call(retry_s=0.4), call(spent_s=1.6), call(timeout_s=0.4)],
)
def test_a_pause_that_would_end_too_late_is_not_begun(begun):
    assert begun.pause_s(full()) is None


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("-inf")])
def test_asking_again_for_less_than_no_time_is_refused(wrong):
    with pytest.raises(errors.InvalidValue, match="retry_s"):
        Patience(retry_s=wrong)


def test_chance_never_makes_a_pause_too_long():
    assert call(spent_s=1.4, chance=1.0).pause_s(full()) == pytest.approx(0.6)


def test_the_answer_is_waited_for_within_the_same_time():
    assert call(timeout_s=5, spent_s=2).left_s == 3
    assert call(timeout_s=5, spent_s=6).left_s == 0
