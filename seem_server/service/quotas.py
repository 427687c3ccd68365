"""What a tenant may use, and what it has used. Pure: time is passed in.

What is counted by time is held in a bucket: it fills steadily, and whatever is used is taken out.
A request is let in where the bucket has enough for it. How large an image is or how long the device
takes is not for the tenant to plan, so these are let in where the bucket holds anything at all, and
may overdraw it; then nothing is let in until it has filled again.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from seem_wire.errors import Overloaded, QuotaExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

BURST_S = 5.0
"""A person clicks in bursts: so many seconds' worth of requests may come at once."""

_MINUTE_S = 60.0
_ANYTHING = 1e-9
ONE = 1.0 - _ANYTHING
"""A request, less what rounding may take of it: a bucket for a single one must be able to fill."""
_SESSION_RETRY_MS = 2000
_LONGEST_MS = (1 << 32) - 1
"""More than seven weeks: a hint is 32 bits wide."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What each tenant may use; 0 is no limit. The names are those of the settings.

    Attributes:
        tenant_sessions: Sessions at once.
        tenant_requests_per_s: Commands and calls, on average.
        tenant_image_bytes_per_minute: Of image files that are sent.
        tenant_device_s_per_minute: Seconds in which the device worked for it.
    """

    tenant_sessions: int = 0
    tenant_requests_per_s: float = 0.0
    tenant_image_bytes_per_minute: int = 0
    tenant_device_s_per_minute: float = 0.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """Holds `level` at `at_s`, and fills by `per_s` up to `capacity`; with 0 it never runs dry."""

    per_s: float
    capacity: float
    level: float
    at_s: float

    @classmethod
    def full(cls, per_s: float, *, lasts_s: float, now_s: float) -> Self:
        """One that holds what comes in `lasts_s`."""
        capacity = per_s * lasts_s
        return cls(per_s, capacity, capacity, now_s)

    def level_at(self, now_s: float) -> float:
        """What it holds by then; less than nothing where it was overdrawn."""
        return min(self.capacity, self.level + self.per_s * max(now_s - self.at_s, 0.0))

    def wait_s(self, least: float, *, now_s: float) -> float:
        """How long until it holds `least`, 0 where it does."""
        if not self.per_s:
            return 0.0
        return max(least - self.level_at(now_s), 0.0) / self.per_s

    def without(self, amount: float, *, now_s: float) -> Bucket:
        """The same after `amount` was taken out."""
        return Bucket(self.per_s, self.capacity, self.level_at(now_s) - amount, now_s)


OVERLOADED = "overloaded"
"""Why a tenant is refused where the server is full, whatever its quotas."""

REASONS = (*(one.name for one in fields(Quotas)), OVERLOADED)
"""Why a tenant may be refused: the quota that is used up, or that there is no room for anybody."""


class Usage:
    """What one tenant uses. All of it belongs to one thread, but `pay_device` may to another.

    What was counted may be read from any thread.

    Attributes:
        n_sessions: Sessions that are open now.
        n_requests, image_bytes, device_s: Of all that was let in, ever.
        n_refused: Refusals, by each of `REASONS`.
    """

    def __init__(self, quotas: Quotas, *, now_s: float) -> None:
        self.n_sessions = self.n_requests = self.image_bytes = 0
        self.device_s = 0.0
        self.n_refused = dict.fromkeys(REASONS, 0)
        self._quotas = quotas
        requests_per_s = quotas.tenant_requests_per_s
        # At least one request fits, however seldom they may come.
        burst_s = max(BURST_S, 1 / requests_per_s) if requests_per_s else BURST_S
        self._requests = Bucket.full(requests_per_s, lasts_s=burst_s, now_s=now_s)
        self._image_bytes = _minute(quotas.tenant_image_bytes_per_minute, now_s)
        self._device = _minute(quotas.tenant_device_s_per_minute, now_s)

    @property
    def has_room(self) -> bool:
        """Whether one more session may be opened."""
        return not 0 < self._quotas.tenant_sessions <= self.n_sessions

    def open_session(self) -> None:
        """Counts a session in, which you must count out again by `close_session`.

        Raises:
            QuotaExceeded: There are as many as there may be.
        """
        if not self.has_room:
            raise self._used_up("tenant_sessions", _SESSION_RETRY_MS)
        self.n_sessions += 1

    def close_session(self) -> None:
        """Counts a session out."""
        self.n_sessions -= 1

    def request(self, *, now_s: float) -> None:
        """Counts a request. Raises QuotaExceeded where too many came, and does not count it."""
        wait_s = self._requests.wait_s(ONE, now_s=now_s)
        self._let_in("tenant_requests_per_s", wait_s)
        self._requests = self._requests.without(1.0, now_s=now_s)
        self.n_requests += 1

    def image(self, n_bytes: int, *, now_s: float) -> None:
        """Counts an image file. Raises QuotaExceeded, uncounted, where they were too large."""
        wait_s = self._image_bytes.wait_s(_ANYTHING, now_s=now_s)
        self._let_in("tenant_image_bytes_per_minute", wait_s)
        self._image_bytes = self._image_bytes.without(n_bytes, now_s=now_s)
        self.image_bytes += n_bytes

    def check_device(self, *, now_s: float) -> None:
        """Raises QuotaExceeded where the device has worked for it enough."""
        wait_s = self._device.wait_s(_ANYTHING, now_s=now_s)
        self._let_in("tenant_device_s_per_minute", wait_s)

    def pay_device(self, spent_s: float, *, now_s: float) -> None:
        """Counts time of the device. Only one thread may call this."""
        self._device = self._device.without(spent_s, now_s=now_s)
        self.device_s += spent_s

    @contextmanager
    def noting_overload(self) -> Iterator[None]:
        """Counts it as a refusal where the block finds the server full."""
        try:
            yield
        except Overloaded:
            self.n_refused[OVERLOADED] += 1
            raise

    def _let_in(self, quota: str, wait_s: float) -> None:
        if wait_s > 0:
            raise self._used_up(quota, min(math.ceil(wait_s * 1000), _LONGEST_MS))

    def _used_up(self, quota: str, retry_after_ms: int) -> QuotaExceeded:
        self.n_refused[quota] += 1
        allowed: float = getattr(self._quotas, quota)
        return QuotaExceeded(
            f"The quota {quota} of {allowed:g} is used up.", retry_after_ms=retry_after_ms
        )


def _minute(amount: float, now_s: float) -> Bucket:
    return Bucket.full(amount / _MINUTE_S, lasts_s=_MINUTE_S, now_s=now_s)
