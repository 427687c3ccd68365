"""The engine's shelf in the store: answers lie beside the images that they are about.

The engine's thread calls this, and the journal's thread packs and writes, in its turn.
"""

from __future__ import annotations

import logging
from functools import partial
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from seem_server.engine.shelf import pack, unpack
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from seem_server.engine.chains import Answer
    from seem_server.service.journal import Journal

logger = logging.getLogger(__name__)

PATIENCE_S = 1.0
"""How long the device waits for the store; making some tens of rounds again takes as long."""

MOST_WAITING = 64
"""Answers on their way to a slow store; more are not kept."""


class StoreShelf:
    """A `Shelf`; see there. `patience_s`: how long finding may take."""

    def __init__(self, journal: Journal, *, patience_s: float = PATIENCE_S) -> None:
        self._journal = journal
        self._patience_s = patience_s
        self._room = BoundedSemaphore(MOST_WAITING)

    def keep(self, name: str, image_key: str, answer: Answer) -> None:
        """Keeps an answer for as long as its image is kept, if it can; returns at once."""
        if self._room.acquire(blocking=False):
            put = partial(self._put, name, image_key, answer)
            self._journal.do(put).add_done_callback(self._done)

    def first(self, names: Sequence[str]) -> tuple[str, Answer] | None:
        """The first of these that is there, and its name."""
        find = partial(self._journal.store.answer, names, now_s=self._journal.now_s)
        try:
            found = self._journal.do(find).result(self._patience_s)
            return None if found is None else (found[0], unpack(found[1]))
        except (SeemError, TimeoutError, ValueError):
            logger.warning("an answer could not be taken from the store", exc_info=True)
            return None

    def _put(self, name: str, image_key: str, answer: Answer) -> None:
        journal = self._journal
        journal.store.put_answer(name, image_key, pack(answer), now_s=journal.now_s)

    def _done(self, put: Future[None]) -> None:
        self._room.release()
        if (error := put.exception()) is not None:
            logger.warning("an answer was not kept", extra={"reason": str(error)})
