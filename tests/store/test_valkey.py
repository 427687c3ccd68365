"""What only a store over a network can do; the rest is in `test_base.py`."""

from __future__ import annotations

import threading

import pytest
from store_words import begun, entry, read
from valkey_process import ValkeyProcess

from seem_server.store import valkey as module
from seem_server.store.base import PerhapsKept
from seem_server.store.opening import open_store
from seem_server.store.valkey import ValkeyStore
from seem_wire import errors


def test_two_servers_share_their_sessions(valkey_url):
    one, other = ValkeyStore(valkey_url), ValkeyStore(valkey_url)
    begun(one)
    one.append([entry(b"1")], now_s=1)
    assert read(other).records == (b"1",)
    assert one.append([entry(b"2")], now_s=2) == (False,)


def test_entries_of_many_writers_keep_their_order(valkey_url):
    begun(ValkeyStore(valkey_url))

    def write(name):
        mine = ValkeyStore(valkey_url)
        for number in range(50):
            mine.append([entry(f"{name}{number}".encode())], now_s=1)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read(ValkeyStore(valkey_url)).records
    assert [r for r in records if r.startswith(b"b")] == [f"b{n}".encode() for n in range(50)]
    assert len(records) == 100


@pytest.fixture
def replica(valkey_server, tmp_path):
    made = ValkeyProcess(tmp_path, replica_of=valkey_server.port)
    made.start()
    yield made
    made.kill()


def test_what_replicas_are_to_keep_is_kept_by_them(valkey_url, replica):
    store = ValkeyStore(valkey_url, replicas=1)
    begun(store)
    assert store.append([entry(b"1", place=0)], now_s=1) == (True,)
    replica.promote()
    assert read(ValkeyStore(replica.url)).records == (b"1",)


def test_where_a_replica_is_missing_nobody_knows_whether_it_is_kept(valkey_url, monkeypatch):
    monkeypatch.setattr(module, "REPLICAS_S", 0.01)
    store = ValkeyStore(valkey_url, replicas=1)
    begun(store)
    with pytest.raises(PerhapsKept, match="0 of 1"):
        store.append([entry(b"1")], now_s=1)


def test_after_a_failover_that_forgot_a_claim_no_two_have_the_session(valkey_url):
    store = ValkeyStore(valkey_url)
    begun(store)
    forgotten = read(store)
    store._client.hset("seem:session:s", "epoch", 1)  # as a replica has it that was behind
    claimed = read(store)
    written = [entry(b"old", epoch=forgotten.epoch), entry(b"new", epoch=claimed.epoch)]
    assert store.append(written, now_s=1) == (False, True)


def test_what_was_perhaps_appended_is_told_so(tmp_path):
    server = ValkeyProcess(tmp_path)
    server.start()
    store = ValkeyStore(server.url)
    begun(store)
    server.kill()
    with pytest.raises(PerhapsKept):
        store.append([entry(b"1")], now_s=1)


def test_nothing_is_left_of_what_is_forgotten(valkey_url):
    store = ValkeyStore(valkey_url)
    begun(store)
    store.put_image("a", b"1", now_s=0)
    store.put_answer("1", "a", b"1", now_s=0)
    store.append([entry(images=("a", "b"))], now_s=1)
    store.forget("s", 1)
    store.sweep(now_s=10**6)
    assert store._client.keys("*") == []


@pytest.mark.parametrize("scheme", ["valkey", "redis"])
def test_it_is_opened_by_its_address(valkey_url, scheme):
    named = valkey_url.replace("valkey", scheme)
    assert isinstance(open_store(named, module.Keeping()), ValkeyStore)


def test_a_store_that_does_not_answer_is_told_without_its_password():
    with pytest.raises(errors.StoreFailed) as caught:
        ValkeyStore("valkey://anna:secret@127.0.0.1:1/0")
    assert "secret" not in str(caught.value)
    assert "The store at 127.0.0.1:1 " in str(caught.value)
    assert "(Connection refused)" in str(caught.value)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "valkey", None)
    with pytest.raises(errors.StoreFailed, match="scale"):
        ValkeyStore("valkey://127.0.0.1/0")
