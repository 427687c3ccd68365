"""Logs, images and answers in one SQLite file: no server to start, safe against a killed process.

The file is in WAL mode. A commit survives whatever happens to the process; with `sync="full"` it
survives a loss of power, too, at the cost of a flush to the disk each.

A file that is deleted or replaced under an open connection can still be written, and nobody would
ever read what was: so it is looked for at both ends of each use.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from seem_server.store.base import Claimed, Header, Keeping
from seem_wire.errors import StoreFailed, StoreFull

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from seem_server.store.base import Entry

FORMAT = 1
BUSY_S = 10.0
"""How long another process's write is waited for."""

_PRIVATE = 0o600

_TABLES = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, model TEXT NOT NULL,
    opened_s REAL NOT NULL, used_s REAL NOT NULL, epoch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    n INTEGER PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS records_by_session ON records (session, n);
CREATE TABLE IF NOT EXISTS images (
    key TEXT PRIMARY KEY, used_s REAL NOT NULL, bytes INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS needs (
    session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, key TEXT NOT NULL,
    PRIMARY KEY (session, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS needs_by_key ON needs (key);
CREATE TABLE IF NOT EXISTS answers (
    name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
    used_s REAL NOT NULL, bytes INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_by_image ON answers (image);
CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used_s, name, bytes);
"""

_UNNEEDED = "key NOT IN (SELECT key FROM needs)"


class SqliteStore:
    """A `Store`; see there. Each thread must have its own: connections are not shared.

    Raises:
        StoreFailed: The file cannot be opened, or is none of this version's.
    """

    quick = False

    def __init__(
        self,
        path: Path,
        keeping: Keeping | None = None,
        *,
        sync: Literal["normal", "full"] = "normal",
    ) -> None:
        self._path = path
        self._keeping = keeping or Keeping()
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE))
            self._db = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(f"PRAGMA synchronous = {sync}")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._check_format()
            self._db.executescript(_TABLES)
            self._opened = self._files()

    def open(self, header: Header) -> int:
        """Begins a session's log; its epoch."""
        row = (header.session_id, header.owner, header.model_id, header.opened_s, header.opened_s)
        with self._transaction() as db:
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, 1)", row)
        return 1

    def claim(self, session_id: str, *, owner: str, now_s: float) -> Claimed | None:
        """Takes a session over from whoever has it; None where `owner` has no such session."""
        with self._transaction() as db:
            row = db.execute(
                "UPDATE sessions SET epoch = epoch + 1, used_s = ? WHERE id = ? AND owner = ? "
                "RETURNING model, opened_s, epoch",
                (now_s, session_id, owner),
            ).fetchone()
            if row is None:
                return None
            model, opened_s, epoch = row
            records = db.execute(
                "SELECT data FROM records WHERE session = ? ORDER BY n", (session_id,)
            ).fetchall()
        header = Header(session_id, model, opened_s, owner)
        return Claimed(header, epoch, tuple(data for (data,) in records))

    def epoch(self, session_id: str) -> int | None:
        """The epoch of whoever claimed the session last; None where it is forgotten."""
        with self._told():
            self._check_files()
            row = self._db.execute(
                "SELECT epoch FROM sessions WHERE id = ?", (session_id,)
            ).fetchone()
        return None if row is None else int(row[0])

    def append(self, entries: Sequence[Entry], *, now_s: float) -> tuple[bool, ...]:
        """Appends all entries at once, or none; whether each was taken."""
        with self._transaction() as db:
            return tuple(_append(db, entry, now_s=now_s) for entry in entries)

    def forget(self, session_id: str, epoch: int) -> bool:
        """Ends a session's log, unless somebody claimed it after that epoch; whether it did."""
        with self._transaction() as db:
            gone = db.execute(
                "DELETE FROM sessions WHERE id = ? AND epoch = ?", (session_id, epoch)
            )
        return gone.rowcount > 0

    def put_image(self, key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an image file's bytes. Raises StoreFull where there is no room for them."""
        with self._transaction() as db:
            known = db.execute("UPDATE images SET used_s = ? WHERE key = ?", (now_s, key))
            if known.rowcount:
                return
            self._make_room(db, len(data))
            db.execute("INSERT INTO images VALUES (?, ?, ?, ?)", (key, now_s, len(data), data))

    def has_image(self, key: str, *, now_s: float) -> bool:
        """Whether there are bytes under `key`, which count as used now."""
        with self._transaction() as db:
            known = db.execute("UPDATE images SET used_s = ? WHERE key = ?", (now_s, key))
            return known.rowcount > 0

    def image(self, key: str, *, now_s: float) -> bytes | None:
        """The bytes kept under `key`, which counts as used now; None where there are none."""
        with self._transaction() as db:
            db.execute("UPDATE images SET used_s = ? WHERE key = ?", (now_s, key))
            row = db.execute("SELECT data FROM images WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put_answer(self, name: str, image_key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an answer about an image that is kept, for no longer than that."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO answers SELECT ?, key, ?, ?, ? FROM images WHERE key = ?",
                (name, now_s, len(data), data, image_key),
            )
            (held,) = db.execute("SELECT coalesce(sum(bytes), 0) FROM answers").fetchone()
            if held > self._keeping.answers_bytes:
                self._shrink_answers(db, held)

    def answer(self, names: Sequence[str], *, now_s: float) -> tuple[str, bytes] | None:
        """The first of these answers that is kept, and its name; it counts as used now."""
        with self._transaction() as db:
            for name in names:
                row = db.execute(
                    "UPDATE answers SET used_s = ? WHERE name = ? RETURNING data", (now_s, name)
                ).fetchone()
                if row is not None:
                    return name, bytes(row[0])
        return None

    def sweep(self, *, now_s: float, held: Collection[str] = ()) -> int:
        """Forgets what was kept for long enough; how many sessions. Those `held` are used now."""
        keeping = self._keeping
        with self._transaction() as db:
            touched = [(now_s, session_id) for session_id in held]
            db.executemany("UPDATE sessions SET used_s = ? WHERE id = ?", touched)
            for table in ("sessions", "images"):
                later = (now_s, now_s)
                db.execute(f"UPDATE {table} SET used_s = ? WHERE used_s > ?", later)  # noqa: S608
            forgotten = db.execute(
                "DELETE FROM sessions WHERE used_s <= ? OR opened_s <= ?",
                (now_s - keeping.idle_s, now_s - keeping.age_s),
            )
            db.execute(
                f"DELETE FROM images WHERE used_s <= ? AND {_UNNEEDED}",  # noqa: S608  (constant)
                (now_s - keeping.image_s,),
            )
        return forgotten.rowcount

    def close(self) -> None:
        """Lets go of the file; what was appended stays."""
        self._db.close()

    def _make_room(self, db: sqlite3.Connection, n_bytes: int) -> None:
        (held,) = db.execute("SELECT coalesce(sum(bytes), 0) FROM images").fetchone()
        unneeded = db.execute(
            f"SELECT key, bytes FROM images WHERE {_UNNEEDED} ORDER BY used_s"  # noqa: S608
        ).fetchall()
        for key, size in unneeded:
            if held + n_bytes <= self._keeping.images_bytes:
                return
            db.execute("DELETE FROM images WHERE key = ?", (key,))
            held -= size
        if held + n_bytes > self._keeping.images_bytes:
            raise StoreFull(f"Images of {held} bytes are kept, and all are needed.")

    def _shrink_answers(self, db: sqlite3.Connection, held: int) -> None:
        for name, size in db.execute("SELECT name, bytes FROM answers ORDER BY used_s").fetchall():
            if held <= self._keeping.answers_bytes:
                return
            db.execute("DELETE FROM answers WHERE name = ?", (name,))
            held -= size

    def _check_format(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found not in {0, FORMAT}:
            raise StoreFailed(f"{self._path} is of format {found}; this version reads {FORMAT}.")
        self._db.execute(f"PRAGMA user_version = {FORMAT}")

    def _files(self) -> tuple[tuple[int, int], ...]:
        """What tells the database and its write-ahead log from any other files."""
        log = self._path.with_name(f"{self._path.name}-wal")
        found = (file.stat() for file in (self._path, log))
        return tuple((one.st_dev, one.st_ino) for one in found)

    def _check_files(self) -> None:
        if self._files() != self._opened:
            raise StoreFailed(f"{self._path} was replaced under the server: start it anew.")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            self._check_files()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
                self._check_files()
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"{self._path} could not be used: {error}.") from error


def _append(db: sqlite3.Connection, entry: Entry, *, now_s: float) -> bool:
    used = db.execute(
        "UPDATE sessions SET used_s = ? WHERE id = ? AND epoch = ?",
        (now_s, entry.session_id, entry.epoch),
    )
    if not used.rowcount:
        return False
    if entry.fresh:
        db.execute("DELETE FROM records WHERE session = ?", (entry.session_id,))
        db.execute("DELETE FROM needs WHERE session = ?", (entry.session_id,))
    elif entry.place not in {None, _length(db, entry.session_id)}:
        return False
    db.execute(
        "INSERT INTO records (session, data) VALUES (?, ?)", (entry.session_id, entry.record)
    )
    needs = [(entry.session_id, key) for key in entry.images]
    db.executemany("INSERT OR IGNORE INTO needs VALUES (?, ?)", needs)
    return True


def _length(db: sqlite3.Connection, session_id: str) -> int:
    counted = db.execute("SELECT COUNT(*) FROM records WHERE session = ?", (session_id,))
    (length,) = counted.fetchone()
    return int(length)
