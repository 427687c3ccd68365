"""Logs, images and answers in this process's memory: for a server nobody restarts, and tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seem_server.store.base import Claimed, Keeping
from seem_wire.errors import StoreFull

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from seem_server.store.base import Entry, Header


@dataclass(slots=True)
class _Log:
    header: Header
    used_s: float
    epoch: int = 1
    records: list[bytes] = field(default_factory=list)
    images: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Image:
    data: bytes
    used_s: float


@dataclass(slots=True)
class _Answer:
    image_key: str
    data: bytes
    used_s: float


class MemoryStore:
    """A `Store`; see there. May be used from several threads."""

    quick = True

    def __init__(self, keeping: Keeping | None = None) -> None:
        self._keeping = keeping or Keeping()
        self._logs: dict[str, _Log] = {}
        self._images: dict[str, _Image] = {}
        self._answers: dict[str, _Answer] = {}
        self._lock = threading.Lock()

    def open(self, header: Header) -> int:
        """Begins a session's log; its epoch."""
        with self._lock:
            self._logs[header.session_id] = _Log(header, header.opened_s)
        return 1

    def claim(self, session_id: str, *, owner: str, now_s: float) -> Claimed | None:
        """Takes a session over from whoever has it; None where `owner` has no such session."""
        with self._lock:
            log = self._logs.get(session_id)
            if log is None or log.header.owner != owner:
                return None
            log.epoch += 1
            log.used_s = now_s
            return Claimed(log.header, log.epoch, tuple(log.records))

    def epoch(self, session_id: str) -> int | None:
        """The epoch of whoever claimed the session last; None where it is forgotten."""
        with self._lock:
            log = self._logs.get(session_id)
            return None if log is None else log.epoch

    def append(self, entries: Sequence[Entry], *, now_s: float) -> tuple[bool, ...]:
        """Appends all entries; whether each was taken."""
        with self._lock:
            return tuple(self._append(entry, now_s=now_s) for entry in entries)

    def _append(self, entry: Entry, *, now_s: float) -> bool:
        log = self._logs.get(entry.session_id)
        if log is None or log.epoch != entry.epoch:
            return False
        if entry.fresh:
            log.records, log.images = [], set()
        elif entry.place not in {None, len(log.records)}:
            return False
        log.records.append(entry.record)
        log.images.update(entry.images)
        log.used_s = now_s
        return True

    def forget(self, session_id: str, epoch: int) -> bool:
        """Ends a session's log, unless somebody claimed it after that epoch; whether it did."""
        if self.epoch(session_id) != epoch:
            return False
        with self._lock:
            self._logs.pop(session_id, None)
        return True

    def put_image(self, key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an image file's bytes. Raises StoreFull where there is no room for them."""
        with self._lock:
            known = self._images.get(key)
            if known is not None:
                known.used_s = now_s
                return
            self._make_room(len(data))
            self._images[key] = _Image(data, now_s)

    def has_image(self, key: str, *, now_s: float) -> bool:
        """Whether there are bytes under `key`, which count as used now."""
        return self.image(key, now_s=now_s) is not None

    def image(self, key: str, *, now_s: float) -> bytes | None:
        """The bytes kept under `key`, which counts as used now; None where there are none."""
        with self._lock:
            known = self._images.get(key)
            if known is None:
                return None
            known.used_s = now_s
            return known.data

    def put_answer(self, name: str, image_key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an answer about an image that is kept, for no longer than that."""
        with self._lock:
            if image_key in self._images:
                self._answers[name] = _Answer(image_key, data, now_s)
                self._shrink_answers()

    def answer(self, names: Sequence[str], *, now_s: float) -> tuple[str, bytes] | None:
        """The first of these answers that is kept, and its name; it counts as used now."""
        with self._lock:
            for name in names:
                if (known := self._answers.get(name)) is not None:
                    known.used_s = now_s
                    return name, known.data
        return None

    def sweep(self, *, now_s: float, held: Collection[str] = ()) -> int:
        """Forgets what was kept for long enough; how many sessions. Those `held` are used now."""
        with self._lock:
            for session_id, log in self._logs.items():
                log.used_s = now_s if session_id in held else min(log.used_s, now_s)
            for image in self._images.values():
                image.used_s = min(image.used_s, now_s)
            old = [
                session_id
                for session_id, log in self._logs.items()
                if now_s - log.used_s >= self._keeping.idle_s
                or now_s - log.header.opened_s >= self._keeping.age_s
            ]
            for session_id in old:
                del self._logs[session_id]
            for key in self._unneeded():
                if now_s - self._images[key].used_s >= self._keeping.image_s:
                    self._drop(key)
        return len(old)

    def close(self) -> None:
        """Nothing is open."""

    def _make_room(self, n_bytes: int) -> None:
        held = sum(len(one.data) for one in self._images.values())
        for key in sorted(self._unneeded(), key=lambda key: self._images[key].used_s):
            if held + n_bytes <= self._keeping.images_bytes:
                break
            held -= len(self._images[key].data)
            self._drop(key)
        if held + n_bytes > self._keeping.images_bytes:
            raise StoreFull(f"Images of {held} bytes are kept, and all are needed.")

    def _drop(self, key: str) -> None:
        del self._images[key]
        self._answers = {n: one for n, one in self._answers.items() if one.image_key != key}

    def _shrink_answers(self) -> None:
        held = sum(len(one.data) for one in self._answers.values())
        for name in sorted(self._answers, key=lambda name: self._answers[name].used_s):
            if held <= self._keeping.answers_bytes:
                return
            held -= len(self._answers.pop(name).data)

    def _unneeded(self) -> set[str]:
        return set(self._images) - set().union(*(log.images for log in self._logs.values()))
