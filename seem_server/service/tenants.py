"""The tenants of a server: what each has used, and what its images are called in shared caches.

Everybody is of the one tenant "" where nobody is asked who he is. An image of any other tenant has
a key of its own in the engine, so that neither a hash nor a quick answer tells one tenant what
another has sent. A key is derived from the tenant's name, so it means the same in every process;
it need not be secret, because clients can name images by content hash only.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from seem_server.service.quotas import Quotas, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seem_server.service.callers import Caller


class Tenant:
    """One tenant, as long as the process lives.

    Attributes:
        name: What the callers' file calls it.
        apart: Whether its images have keys of its own.
        usage: What it has used, to be read.
    """

    def __init__(self, name: str, usage: Usage, *, apart: bool, now: Callable[[], float]) -> None:
        self.name = name
        self.apart = apart
        self.usage = usage
        self._now = now

    def key_of(self, content_hash: str) -> str:
        """What the engine calls this tenant's image of that content hash."""
        if not self.apart:
            return content_hash
        return hashlib.sha256(f"seem image\0{self.name}\0{content_hash}".encode()).hexdigest()

    def open_session(self) -> None:
        """See `Usage.open_session`."""
        self.usage.open_session()

    def close_session(self) -> None:
        """See `Usage.close_session`."""
        self.usage.close_session()

    def request(self) -> None:
        """See `Usage.request`."""
        self.usage.request(now_s=self._now())

    def image(self, n_bytes: int) -> None:
        """See `Usage.image`."""
        self.usage.image(n_bytes, now_s=self._now())

    def check_device(self) -> None:
        """See `Usage.check_device`."""
        self.usage.check_device(now_s=self._now())

    def pay_device(self, spent_s: float) -> None:
        """See `Usage.pay_device`."""
        self.usage.pay_device(spent_s, now_s=self._now())


EVERYBODY = Tenant("", Usage(Quotas(), now_s=0.0), apart=False, now=time.monotonic)
"""The one tenant of a server without quotas that asks nobody who he is."""


class Tenants:
    """Gives each caller its tenant. `shared`: all tenants' images go by the same keys.

    `now` gives seconds on a clock that only rises.
    """

    def __init__(
        self,
        quotas: Quotas | None = None,
        *,
        shared: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quotas = quotas or Quotas()
        self._shared = shared
        self._now = now
        self._by_name: dict[str, Tenant] = {}

    @property
    def known(self) -> Sequence[Tenant]:
        """All that have called; may be asked for from any thread."""
        return [*self._by_name.values()]

    def of(self, caller: Caller) -> Tenant:
        """The tenant on whose behalf `caller` asks; there are as many as the callers' file has."""
        tenant = self._by_name.get(caller.tenant)
        if tenant is None:
            usage = Usage(self._quotas, now_s=self._now())
            apart = bool(caller.tenant) and not self._shared
            tenant = Tenant(caller.tenant, usage, apart=apart, now=self._now)
            self._by_name[caller.tenant] = tenant
        return tenant
