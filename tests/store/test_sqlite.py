"""What only a file can do, and what can go wrong with one; the rest is in `test_base.py`."""

from __future__ import annotations

import sqlite3
import stat
import threading

import pytest
from store_words import begun, entry, read

from seem_server.store.sqlite import SqliteStore
from seem_wire import errors


def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path):
    path = tmp_path / "deep" / "sessions.sqlite"
    first = SqliteStore(path)
    begun(first)
    first.append([entry(b"1")], now_s=1)
    second = SqliteStore(path)  # the first was never closed, as when its process is killed
    assert read(second).records == (b"1",)
    second.close()
    first.close()


def test_two_processes_write_to_one_file_in_turns(tmp_path):
    path = tmp_path / "sessions.sqlite"
    begun(SqliteStore(path))

    def write(name):
        mine = SqliteStore(path)
        for number in range(50):
            mine.append([entry(f"{name}{number}".encode())], now_s=1)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read(SqliteStore(path)).records
    assert len(records) == 100
    assert [r for r in records if r.startswith(b"a")] == [f"a{n}".encode() for n in range(50)]


def test_only_its_owner_may_read_the_file(tmp_path):
    path = tmp_path / "sessions.sqlite"
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_database_or_of_another_version_is_refused(tmp_path):
    none, newer = tmp_path / "none.sqlite", tmp_path / "newer.sqlite"
    none.write_bytes(b"this is no database, whatever its name says" * 100)
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(errors.StoreFailed, match=r"none\.sqlite could not be used"):
        SqliteStore(none)
    with pytest.raises(errors.StoreFailed, match="of format 9"):
        SqliteStore(newer)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path):
    store = SqliteStore(tmp_path / "sessions.sqlite")
    begun(store)
    store.append([entry(b"1")], now_s=1)
    (n_pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {n_pages + 1}")
    with pytest.raises(errors.StoreFailed, match="full"):
        store.append([entry(b"2"), entry(b"x" * 10**6)], now_s=2)
    assert read(store).records == (b"1",)
    store._db.execute(f"PRAGMA max_page_count = {n_pages + 1000}")
    store.append([entry(b"3", epoch=2)], now_s=3)
    assert read(store).records == (b"1", b"3")


def deleted(path):
    path.rename(path.with_suffix(".gone"))


def replaced(path):
    deleted(path)
    SqliteStore(path).close()


def without_its_log(path):
    deleted(path.with_name(f"{path.name}-wal"))


@pytest.mark.parametrize("happens", [deleted, replaced, without_its_log])
def test_a_file_that_is_gone_or_another_is_told_at_each_use(tmp_path, happens):
    path = tmp_path / "sessions.sqlite"
    store = SqliteStore(path)
    begun(store)
    happens(path)
    uses = [
        lambda: store.append([entry()], now_s=1),
        lambda: read(store),
        lambda: store.epoch("s") == 1,
        lambda: store.sweep(now_s=1),
    ]
    for use in uses:
        with pytest.raises(errors.StoreFailed, match=r"sessions\.sqlite"):
            use()
    store.close()


def test_a_file_that_goes_while_it_is_written_is_told(tmp_path):
    path = tmp_path / "sessions.sqlite"
    store = SqliteStore(path)
    with pytest.raises(errors.StoreFailed, match=r"sessions\.sqlite"), store._transaction():
        deleted(path)
    path.with_suffix(".gone").rename(path)
    begun(store)
    assert store.epoch("s") == 1
