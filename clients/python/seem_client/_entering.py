"""Something that must be awaited first, and then closed: `await it`, or `async with it as …`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator


class Closing(Protocol):
    """What closes itself at the end of an `async with` statement."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...


T = TypeVar("T", bound=Closing)


class Entering(Generic[T]):
    """A coroutine that gives something to close; you must await it or enter it, once."""

    def __init__(self, opening: Coroutine[Any, Any, T]) -> None:
        self._opening = opening
        self._opened: T | None = None

    def __await__(self) -> Generator[Any, None, T]:
        return self._opening.__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._opening
        return await self._opened.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            await self._opened.__aexit__()
