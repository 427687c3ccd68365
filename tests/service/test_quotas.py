from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seem_server.service.quotas import BURST_S, OVERLOADED, REASONS, Bucket, Quotas, Usage
from seem_wire.convert import error_from_bytes, error_to_bytes
from seem_wire.errors import ImageUnknown, Overloaded, QuotaExceeded


def usage(**quotas):
    return Usage(Quotas(**quotas), now_s=0.0)


def refused(call, *arguments, **options):
    with pytest.raises(QuotaExceeded) as caught:
        call(*arguments, **options)
    return caught.value


def test_without_quotas_nothing_is_refused():
    free = usage()
    for _ in range(1000):
        free.open_session()
        free.request(now_s=0)
        free.image(10**9, now_s=0)
        free.pay_device(1000, now_s=0)
        free.check_device(now_s=0)


def test_sessions_are_counted_in_and_out():
    two = usage(tenant_sessions=2)
    two.open_session()
    two.open_session()
    error = refused(two.open_session)
    assert "tenant_sessions of 2" in error.message
    assert error.retry_after_ms == 2000
    two.close_session()
    two.open_session()


def test_requests_come_in_bursts_and_then_at_their_rate():
    two = usage(tenant_requests_per_s=2)
    for _ in range(int(2 * BURST_S)):
        two.request(now_s=10)
    error = refused(two.request, now_s=10)
    assert "tenant_requests_per_s of 2" in error.message
    assert error.retry_after_ms == 500
    refused(two.request, now_s=10.4)
    two.request(now_s=10.5)
    refused(two.request, now_s=10.9)


def test_a_refused_request_costs_nothing():
    slow = usage(tenant_requests_per_s=0.1)
    slow.request(now_s=0)
    for _ in range(100):
        refused(slow.request, now_s=9.99)
    slow.request(now_s=10)


def test_an_image_may_overdraw_its_quota_and_the_next_one_waits_for_it():
    some = usage(tenant_image_bytes_per_minute=600)
    some.image(599, now_s=0)
    some.image(601, now_s=0)
    error = refused(some.image, 1, now_s=0)
    assert "tenant_image_bytes_per_minute of 600" in error.message
    assert error.retry_after_ms == pytest.approx(60_000, abs=2)
    some.image(1, now_s=60.1)


def test_the_device_is_paid_for_afterwards():
    six = usage(tenant_device_s_per_minute=6)
    six.check_device(now_s=0)
    six.pay_device(9, now_s=0)
    error = refused(six.check_device, now_s=0)
    assert "tenant_device_s_per_minute of 6" in error.message
    assert error.retry_after_ms == pytest.approx(30_000, abs=2)
    refused(six.check_device, now_s=29)
    six.check_device(now_s=31)


def test_a_wait_for_ever_is_a_hint_that_can_be_sent():
    hardly = usage(tenant_image_bytes_per_minute=1)
    hardly.image(10**9, now_s=0)
    error = refused(hardly.image, 1, now_s=0)
    assert error_from_bytes(error_to_bytes(error)).retry_after_ms == 2**32 - 1


def test_what_was_used_and_refused_can_be_read():
    some = usage(tenant_sessions=1, tenant_requests_per_s=0.1, tenant_image_bytes_per_minute=60)
    some.open_session()
    some.request(now_s=0)
    some.image(70, now_s=0)
    some.pay_device(1.5, now_s=0)
    for call in (some.open_session, lambda: some.request(now_s=0), lambda: some.image(1, now_s=0)):
        refused(call)
    used = (some.n_sessions, some.n_requests, some.image_bytes, some.device_s)
    assert used == (1, 1, 70, 1.5)
    assert [some.n_refused[reason] for reason in REASONS] == [1, 1, 1, 0, 0]


def test_a_full_server_is_a_refusal_too_and_other_errors_are_none():
    some = usage()
    for error in (Overloaded, ImageUnknown):
        with pytest.raises(error), some.noting_overload():
            raise error("")
    assert some.n_refused == dict.fromkeys(REASONS, 0) | {OVERLOADED: 1}


def test_a_clock_that_stands_still_or_steps_back_fills_nothing():
    bucket = Bucket.full(1, lasts_s=1, now_s=5).without(1, now_s=5)
    assert bucket.level_at(5) == bucket.level_at(4) == 0


@given(
    st.floats(0.01, 100),
    st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=60),
)
def test_never_more_comes_through_than_a_burst_and_the_rate(per_s, steps):
    bounded, now_s, n_through = usage(tenant_requests_per_s=per_s), 0.0, 0
    for wait_s, asks in steps:
        now_s += wait_s
        if asks:
            try:
                bounded.request(now_s=now_s)
            except QuotaExceeded:
                continue
            n_through += 1
    assert n_through <= per_s * (max(BURST_S, 1 / per_s) + now_s) + 1e-6


@given(st.floats(0.01, 100), st.integers(1, 50))
@example(0.05914100997678983, 1)  # times its inverse, it is a little less than 1
def test_after_the_wait_that_was_told_the_request_is_let_in(per_s, n_before):
    bounded = usage(tenant_requests_per_s=per_s)
    for _ in range(n_before):
        try:
            bounded.request(now_s=0)
        except QuotaExceeded as error:
            bounded.request(now_s=error.retry_after_ms / 1000 + 1e-6)
            return
