"""What every store promises, of each kind."""

from __future__ import annotations

import sqlite3
import stat
import threading

import pytest

from seem_server.store.base import Entry, Header, Keeping
from seem_server.store.memory import MemoryStore
from seem_server.store.opening import default_path, open_store
from seem_server.store.sqlite import SqliteStore
from seem_wire import errors

KEEPING = Keeping(idle_s=100, age_s=1000, image_s=10, images_bytes=100)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = (
        MemoryStore(KEEPING)
        if request.param == "memory"
        else SqliteStore(tmp_path / "sessions.sqlite", KEEPING)
    )
    yield made
    made.close()


def begun(store, session_id="s", *, owner="", opened_s=0.0):
    return store.open(Header(session_id, "model@1", opened_s, owner))


def entry(record=b"r", *, session_id="s", epoch=1, **options):
    return Entry(session_id, epoch, record, **options)


def read(store, session_id="s", *, owner="", now_s=1.0):
    return store.claim(session_id, owner=owner, now_s=now_s)


def test_a_log_comes_back_as_it_was_written(store):
    epoch = begun(store)
    assert store.append([entry(b"1", epoch=epoch), entry(b"2", epoch=epoch)], now_s=1) == (
        True,
        True,
    )
    claimed = read(store)
    assert claimed.records == (b"1", b"2")
    assert claimed.header == Header("s", "model@1", 0.0, "")


def test_who_claimed_last_has_the_session(store):
    first = begun(store)
    second = read(store).epoch
    assert second > first
    written = [entry(b"old", epoch=first), entry(b"new", epoch=second)]
    assert store.append(written, now_s=1) == (False, True)
    assert read(store).records == (b"new",)


def test_logs_are_apart(store):
    begun(store, "a")
    begun(store, "b")
    store.append([entry(b"1", session_id="a"), entry(b"2", session_id="b")], now_s=1)
    assert read(store, "a").records == (b"1",)


def test_nobody_finds_what_is_not_there_or_somebody_elses(store):
    begun(store, owner="anna")
    assert read(store, "t") is None
    assert read(store, owner="bert") is None
    assert read(store, owner="anna") is not None


def test_a_fresh_entry_leaves_nothing_before_it(store):
    begun(store)
    store.put_image("a", b"1", now_s=0)
    store.append([entry(b"1", images=("a",)), entry(b"2", fresh=True)], now_s=1)
    assert read(store).records == (b"2",)
    store.sweep(now_s=50)
    assert not store.has_image("a", now_s=50)


def test_a_forgotten_session_is_gone_and_cannot_be_written(store):
    begun(store)
    store.forget("s")
    store.forget("s")
    assert read(store) is None
    assert store.append([entry()], now_s=1) == (False,)


@pytest.mark.parametrize(("now_s", "kept"), [(149, True), (151, False)])
def test_a_session_that_nobody_uses_is_forgotten_after_a_while(store, now_s, kept):
    begun(store)
    store.append([entry()], now_s=50)
    assert store.sweep(now_s=now_s) == (not kept)
    assert (read(store, now_s=now_s) is not None) is kept


def test_no_session_is_kept_beyond_its_age(store):
    begun(store)
    store.append([entry()], now_s=1000)
    assert store.sweep(now_s=1001) == 1


def test_an_image_is_kept_while_a_session_needs_it(store):
    begun(store)
    store.put_image("a", b"abc", now_s=0)
    store.put_image("b", b"abc", now_s=0)
    store.append([entry(images=("a",))], now_s=1)
    store.sweep(now_s=50)
    assert store.image("a", now_s=50) == b"abc"
    assert store.image("b", now_s=50) is None
    store.forget("s")
    store.sweep(now_s=100)
    assert not store.has_image("a", now_s=100)


def test_room_is_made_by_what_nobody_needs_and_was_longest_unused(store):
    begun(store)
    for second, key in enumerate("abc"):
        store.put_image(key, b"x" * 30, now_s=second)
    store.append([entry(images=("a",))], now_s=3)
    store.put_image("d", b"x" * 30, now_s=4)
    assert [key for key in "abcd" if store.has_image(key, now_s=5)] == ["a", "c", "d"]


def test_where_all_images_are_needed_there_is_no_room_and_nothing_is_lost(store):
    begun(store)
    store.put_image("a", b"x" * 80, now_s=0)
    store.append([entry(images=("a",))], now_s=1)
    with pytest.raises(errors.StoreFull, match="80 bytes"):
        store.put_image("b", b"x" * 30, now_s=2)
    store.put_image("a", b"x" * 80, now_s=3)
    assert store.image("a", now_s=3) == b"x" * 80


# --- SQLite alone


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


# --- names


def test_a_store_is_opened_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert isinstance(open_store("memory", KEEPING), MemoryStore)
    open_store(f"sqlite:{tmp_path / 'own.sqlite'}", KEEPING).close()
    open_store("sqlite", KEEPING).close()
    assert (tmp_path / "own.sqlite").exists()
    assert default_path() == tmp_path / "seem" / "sessions.sqlite"
    assert default_path().exists()


def test_a_store_of_no_known_kind_is_refused():
    with pytest.raises(errors.StoreFailed, match="'etcd'"):
        open_store("etcd", KEEPING)
