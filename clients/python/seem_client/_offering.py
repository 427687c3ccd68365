"""How an image gets to a server that may have it already: by its hash first, then whole."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from seem_wire.errors import ImageTooLarge, ImageUnknown
from seem_wire.types import ImageBytes, ImageKey, content_hash

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seem_wire.types import Capabilities, ImageSource

T = TypeVar("T")

HASH_FIRST_BYTES = 1024**2
"""An image of so many bytes is offered by its hash even where this client never sent it.

A smaller one travels in about the time of the extra round trip that asking would cost.
"""

MAX_KNOWN_IMAGES = 1024


class KnownImages:
    """The content hashes that a server took from this client lately."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[str, None] = OrderedDict()

    def sources(self, data: bytes) -> tuple[ImageSource, ...]:
        """How to offer an image, until one is taken: by its hash where the server may have it."""
        key = content_hash(data)
        if key in self._hashes or len(data) >= HASH_FIRST_BYTES:
            return ImageKey(key), ImageBytes(data)
        return (ImageBytes(data),)

    def add(self, data: bytes) -> None:
        """Remembers that the server has the image; forgets the oldest beyond MAX_KNOWN_IMAGES."""
        key = content_hash(data)
        self._hashes[key] = None
        self._hashes.move_to_end(key)
        if len(self._hashes) > MAX_KNOWN_IMAGES:
            self._hashes.popitem(last=False)


def check_image_size(data: bytes, offered: Capabilities) -> None:
    """Raises ImageTooLarge before an image is sent that the server would refuse."""
    limit = offered.limits.max_image_bytes
    if len(data) > limit:
        raise ImageTooLarge(f"The image has {len(data)} bytes; this server takes {limit}.")


def offer(known: KnownImages, data: bytes, show: Callable[[ImageSource], T]) -> T:
    """What `show` makes of the first way to name the image that the server takes."""
    *hints, whole = known.sources(data)
    for source in hints:
        try:
            return show(source)
        except ImageUnknown:
            continue
    shown = show(whole)
    known.add(data)
    return shown


async def offer_async(
    known: KnownImages, data: bytes, show: Callable[[ImageSource], Awaitable[T]]
) -> T:
    """The same, awaited."""
    *hints, whole = known.sources(data)
    for source in hints:
        try:
            return await show(source)
        except ImageUnknown:
            continue
    shown = await show(whole)
    known.add(data)
    return shown
