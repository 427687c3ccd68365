from __future__ import annotations

import pytest

from seem_server.service import logins
from seem_server.service.logins import (
    FAILURES,
    NO_TOKEN,
    PROBLEMS,
    TOO_MANY,
    UNKNOWN_TOKEN,
    FailedLogins,
    origin_of,
)
from seem_wire.errors import TooManyAttempts, Unauthenticated

PEER, OTHER = "ipv4:192.0.2.7:5555", "ipv4:192.0.2.8:5555"


def failing(failed, times=1, *, peer=PEER, now_s=0.0):
    """How the last of so many attempts was refused."""
    return [failed.refusal(UNKNOWN_TOKEN, peer, now_s=now_s) for _ in range(times)][-1]


@pytest.mark.parametrize("reason", PROBLEMS)
def test_an_attempt_is_told_what_was_wrong_with_it(reason):
    failed = FailedLogins()
    refusal = failed.refusal(reason, PEER, now_s=0)
    assert type(refusal) is Unauthenticated
    assert refusal.message == PROBLEMS[reason]
    assert failed.n_failed == dict.fromkeys((*PROBLEMS, TOO_MANY), 0) | {reason: 1}


def test_after_too_many_failures_a_peer_is_told_to_wait_and_nobody_else_is():
    failed = FailedLogins()
    assert type(failing(failed, FAILURES)) is Unauthenticated
    refusal = failing(failed)
    assert type(refusal) is TooManyAttempts
    assert refusal.retry_after_ms > 0
    assert type(failing(failed, peer=OTHER)) is Unauthenticated
    assert failed.n_failed[TOO_MANY] == 1


def test_after_the_wait_that_was_told_it_hears_again_what_is_wrong():
    failed = FailedLogins()
    refusal = failing(failed, 3 * FAILURES)
    after_s = refusal.retry_after_ms / 1000
    assert type(failing(failed, now_s=after_s - 0.1)) is TooManyAttempts
    assert type(failing(failed, now_s=after_s)) is Unauthenticated
    assert type(failing(failed, now_s=after_s)) is TooManyAttempts


def test_a_new_port_is_no_new_peer():
    failed = FailedLogins()
    for port in range(FAILURES):
        failing(failed, peer=f"ipv4:192.0.2.7:{port}")
    assert type(failing(failed)) is TooManyAttempts


def test_of_many_peers_the_one_unheard_of_longest_is_forgotten(monkeypatch):
    monkeypatch.setattr(logins, "MAX_ORIGINS", 2)
    failed = FailedLogins()
    failing(failed, FAILURES, peer=OTHER)
    failing(failed, FAILURES)
    failing(failed, peer="unix:")
    assert type(failing(failed)) is TooManyAttempts
    assert type(failing(failed, peer=OTHER)) is Unauthenticated
    assert len(failed._left) == 2


@pytest.mark.parametrize(
    ("peer", "origin"),
    [
        ("ipv4:192.0.2.7:5555", "192.0.2.7"),
        ("ipv6:%5B::1%5D:5555", "::"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:5555", "2001:db8:1:2::"),
        ("ipv6:%5B2001:db8:1:2::9%5D:1", "2001:db8:1:2::"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5555", "fe80::"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:5555", "192.0.2.7"),
        ("unix:", "unix"),
        ("unix:/run/seem.sock", "unix"),
        ("ipv4:nonsense:7", "ipv4"),
        ("", ""),
    ],
)
def test_failures_count_for_a_machine_as_far_as_its_address_tells(peer, origin):
    assert origin_of(peer) == origin


def test_a_call_without_a_token_counts_as_one_with_a_wrong_one():
    failed = FailedLogins()
    for _ in range(FAILURES):
        failed.refusal(NO_TOKEN, PEER, now_s=0)
    assert failing(failed).message == PROBLEMS[UNKNOWN_TOKEN]
    assert failed.n_failed == dict.fromkeys(PROBLEMS, 0) | {NO_TOKEN: FAILURES, TOO_MANY: 1}
