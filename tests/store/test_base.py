"""What every store promises, of each kind."""

from __future__ import annotations

import pytest
from store_words import begun, entry, read

from seem_server.store.base import Header, Keeping
from seem_server.store.memory import MemoryStore
from seem_server.store.sqlite import SqliteStore
from seem_server.store.valkey import ValkeyStore
from seem_wire import errors

KEEPING = Keeping(idle_s=100, age_s=1000, image_s=10, images_bytes=100, answers_bytes=120)


@pytest.fixture(params=["memory", "sqlite", "valkey"])
def store(request, tmp_path):
    match request.param:
        case "memory":
            made = MemoryStore(KEEPING)
        case "sqlite":
            made = SqliteStore(tmp_path / "sessions.sqlite", KEEPING)
        case "valkey":
            made = ValkeyStore(request.getfixturevalue("valkey_url"), KEEPING)
    yield made
    made.close()


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


def test_a_log_has_no_holes(store):
    begun(store)
    said = [(b"1", 0), (b"3", 2), (b"2", 1), (b"2", 1)]
    written = store.append([entry(record, place=place) for record, place in said], now_s=1)
    assert written == (True, False, True, False)
    assert store.append([entry(b"4", fresh=True, place=0)], now_s=1) == (True,)
    assert read(store).records == (b"4",)


def test_it_tells_who_has_a_session(store):
    first = begun(store)
    assert store.epoch("s") == first
    second = read(store).epoch
    assert store.epoch("s") == second != first
    assert not store.forget("s", first)
    assert store.epoch("s") == second
    assert store.forget("s", second)
    assert store.epoch("s") is None


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
    assert (store.forget("s", 1), store.forget("s", 1)) == (True, False)
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
    store.forget("s", 1)
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


def test_an_answer_is_kept_as_long_as_its_image(store):
    store.put_answer("early", "a", b"1", now_s=0)
    store.put_image("a", b"abc", now_s=0)
    store.put_answer("1", "a", b"\x00\xff", now_s=0)
    store.put_answer("2", "a", b"2", now_s=0)
    assert store.answer(["early", "2", "1"], now_s=1) == ("2", b"2")
    assert store.answer(["1"], now_s=1) == ("1", b"\x00\xff")
    store.sweep(now_s=50)
    assert store.answer(["1", "2"], now_s=51) is None
    store.put_image("a", b"abc", now_s=52)
    assert store.answer(["1", "2"], now_s=53) is None


def test_answers_go_with_an_image_that_makes_room(store):
    store.put_image("a", b"x" * 80, now_s=0)
    store.put_answer("1", "a", b"1", now_s=0)
    store.put_image("b", b"x" * 80, now_s=1)
    assert store.answer(["1"], now_s=2) is None


def test_the_answer_that_was_longest_unused_makes_room(store):
    store.put_image("a", b"abc", now_s=0)
    for second, name in enumerate("1234"):
        store.put_answer(name, "a", b"x" * 30, now_s=second)
    assert store.answer(["1"], now_s=5)
    store.put_answer("4", "a", b"y" * 70, now_s=6)  # in place of the one before
    assert [one for one in "1234" if store.answer([one], now_s=7)] == ["1", "4"]


def test_a_session_that_a_server_holds_outlives_a_clock_that_jumps_ahead(store):
    for session_id in "ab":
        begun(store, session_id)
    assert store.sweep(now_s=500, held={"a", "gone"}) == 1
    assert [store.epoch(one) for one in ("a", "b", "gone")] == [1, None, None]
    assert store.sweep(now_s=601) == 1


def test_a_clock_that_is_set_back_makes_nothing_last_for_ever(store):
    begun(store)
    store.put_image("a", b"abc", now_s=500)
    store.append([entry()], now_s=500)
    assert store.sweep(now_s=20) == 0
    assert store.sweep(now_s=119) == 0
    assert store.sweep(now_s=121) == 1
    assert not store.has_image("a", now_s=121)
