"""Where sessions get their images: by bytes or by hash, decoded once, off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from seem_server.service.ingest import read_image
from seem_server.service.tenants import EVERYBODY
from seem_wire.errors import ImageTooLarge, ImageUnknown, Overloaded
from seem_wire.types import ImageBytes, ImageKey, Timings, content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from seem_server.engine.port import EnginePort
    from seem_server.service.journal import Journal
    from seem_server.service.tenants import Tenant
    from seem_wire.types import ImageSource, Limits

MAX_SIZES = 65_536
"""Images whose size is remembered: many more than the engine can hold."""

MAX_READING = 64
"""Images of one tenant that are read, or wait for it, sent by it or kept in the store: gigabytes of
files, and a second or two."""

_READING_RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that the engine holds; `key` is its content hash.

    `size`: upright (height, width). `encoded`: its features are there already. `timings.total_ms`:
    what it took to get here.
    """

    key: str
    size: tuple[int, int]
    encoded: bool
    timings: Timings


class Images:
    """Gives the engine images, and tells what they are.

    Hashing and decoding run in `executor`, whose threads bound how many images are decoded at once.
    `now` gives seconds on a clock that only rises. With a `journal`, the bytes of every image that
    is found are kept in its store, so that the engine can be given the image again; there, too,
    under the key that its tenant has for it.
    """

    def __init__(
        self,
        engine: EnginePort,
        limits: Limits,
        executor: Executor,
        *,
        now: Callable[[], float] = time.monotonic,
        journal: Journal | None = None,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._limits = limits
        self._executor = executor
        self._now = now
        self._sizes: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._n_reading: Counter[str] = Counter()

    async def find(self, source: ImageSource, tenant: Tenant = EVERYBODY) -> FoundImage:
        """The image, held by the engine under the tenant's own key for it, until it needs the room.

        Bytes that the engine knows from this tenant are not decoded again.

        Raises:
            ImageUnknown: It was named by a hash that is not held for this tenant (any more).
            BadImage: See `ingest.read_image`.
            Overloaded: MAX_READING of the tenant's images are read already.
            QuotaExceeded: The tenant has sent too many bytes.
            StoreFailed: Its bytes could not be kept.
        """
        started_s = self._now()
        match source:
            case ImageKey(key):
                size = await self._known(key, tenant)
            case ImageBytes(data):
                with self._reading(tenant):
                    tenant.image(len(data))
                    key, size = await self._take(data, tenant)
        timings = Timings(total_ms=(self._now() - started_s) * 1000)
        encoded = self._engine.has_features(tenant.key_of(key))
        return FoundImage(key, size, encoded, timings)

    @contextmanager
    def _reading(self, tenant: Tenant) -> Iterator[None]:
        """A permit: the threads that read bound the work, this bounds what waits for them."""
        name = tenant.name
        if self._n_reading[name] >= MAX_READING:
            raise Overloaded(
                f"{MAX_READING} images are read already.", retry_after_ms=_READING_RETRY_MS
            )
        self._n_reading[name] += 1
        try:
            yield
        finally:
            self._n_reading[name] -= 1

    async def _take(self, data: bytes, tenant: Tenant) -> tuple[str, tuple[int, int]]:
        if len(data) > self._limits.max_image_bytes:
            raise ImageTooLarge(
                f"The image has {len(data)} bytes; {self._limits.max_image_bytes} are allowed."
            )
        loop = asyncio.get_running_loop()
        name = await loop.run_in_executor(self._executor, content_hash, data)
        key = tenant.key_of(name)
        keeping = asyncio.ensure_future(self._keep(key, data))
        try:
            size = self._size_of_held(key) or await self._give(key, data)
        except BaseException:  # a cancellation, too, goes before what became of the keeping
            await asyncio.gather(keeping, return_exceptions=True)
            raise
        await keeping
        return name, size

    async def bring(self, name: str, tenant: Tenant = EVERYBODY) -> tuple[int, int]:
        """Gives the engine the tenant's image of this content hash again, from the kept bytes.

        Returns its size.

        Raises:
            ImageUnknown: No bytes were kept for the tenant, or not for so long.
            Overloaded: MAX_READING of the tenant's images are read already.
        """
        key, data = tenant.key_of(name), None
        with self._reading(tenant):
            if self._journal is not None:
                read = partial(self._journal.store.image, key, now_s=self._journal.now_s)
                data = await self._journal.call(read)
            if data is None:
                raise ImageUnknown(f"The server does not hold the image {name}.")
            return await self._give(key, data)

    async def _known(self, name: str, tenant: Tenant) -> tuple[int, int]:
        key = tenant.key_of(name)
        size = self._size_of_held(key)
        if size is None:
            return await self.bring(name, tenant)
        if self._journal is not None:
            kept = partial(self._journal.store.has_image, key, now_s=self._journal.now_s)
            if not await self._journal.call(kept):  # it must outlive this process
                raise ImageUnknown(f"The server does not hold the image {name} any more.")
        return size

    async def _keep(self, key: str, data: bytes) -> None:
        if self._journal is not None:
            put = partial(self._journal.store.put_image, key, data, now_s=self._journal.now_s)
            await self._journal.call(put)

    async def _give(self, key: str, data: bytes) -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        pixels = await loop.run_in_executor(self._executor, read_image, data, self._limits)
        size = (pixels.shape[0], pixels.shape[1])
        # Elsewhere, as a cluster's engine copies them.
        await loop.run_in_executor(self._executor, self._engine.put_image, key, pixels)
        self._remember(key, size)
        return size

    def _size_of_held(self, key: str) -> tuple[int, int] | None:
        return self._sizes.get(key) if self._engine.has_image(key) else None

    def _remember(self, key: str, size: tuple[int, int]) -> None:
        self._sizes[key] = size
        self._sizes.move_to_end(key)
        if len(self._sizes) > MAX_SIZES:
            self._sizes.popitem(last=False)


class TenantImages:
    """The images of one tenant."""

    def __init__(self, images: Images, tenant: Tenant) -> None:
        self._images = images
        self._tenant = tenant

    async def find(self, source: ImageSource) -> FoundImage:
        """See `Images.find`."""
        return await self._images.find(source, self._tenant)

    async def bring(self, name: str) -> tuple[int, int]:
        """See `Images.bring`."""
        return await self._images.bring(name, self._tenant)
