from __future__ import annotations

from seem_server.engine.cache import ByteCache, CacheUse


def filled(max_bytes, *keys):
    cache = ByteCache(max_bytes)
    for key in keys:
        cache.put(key, key.upper(), 10)
    return cache


def test_what_was_put_is_found():
    cache = filled(100, "a")
    assert cache.get("a") == "A"
    assert "a" in cache
    assert cache.get("b") is None


def test_the_least_recently_used_goes_first():
    cache = filled(20, "a", "b")
    cache.get("a")
    cache.put("c", "C", 10)
    assert ["a" in cache, "b" in cache, "c" in cache] == [True, False, True]


def test_it_never_holds_more_than_its_budget():
    cache = ByteCache(25)
    for number in range(50):
        cache.put(str(number), number, 10)
        assert cache.n_bytes <= 25
    assert len(cache) == 2


def test_a_value_takes_the_place_of_an_earlier_one_and_of_its_bytes():
    cache = filled(100, "a")
    cache.put("a", "again", 30)
    assert cache.get("a") == "again"
    assert cache.n_bytes == 30


def test_the_newest_value_stays_even_when_it_is_larger_than_the_budget():
    cache = filled(20, "a", "b")
    cache.put("huge", "H", 500)
    assert cache.get("huge") == "H"
    assert len(cache) == 1


def test_a_pinned_key_stays_and_goes_when_it_is_let_go():
    cache = filled(20, "a", "b")
    cache.pin("a")
    cache.put("c", "C", 10)
    cache.put("d", "D", 10)
    assert ["a" in cache, "c" in cache, "d" in cache] == [True, False, True]
    cache.unpin("a")
    cache.put("e", "E", 10)
    assert "a" not in cache


def test_a_key_pinned_twice_is_let_go_twice():
    cache = filled(10, "a")
    cache.pin("a")
    cache.pin("a")
    cache.unpin("a")
    cache.put("b", "B", 10)
    assert "a" in cache
    assert cache.n_pins == 1


def test_letting_go_shrinks_an_overfull_cache_at_once():
    cache = filled(10, "a")
    cache.pin("a")
    cache.put("b", "B", 10)
    assert cache.n_bytes == 20
    cache.unpin("a")
    assert cache.n_bytes == 10


def test_a_key_may_be_pinned_before_its_value_comes():
    cache = filled(10)
    cache.pin("a")
    cache.put("a", "A", 10)
    cache.put("b", "B", 10)
    assert "a" in cache


def test_clearing_forgets_all_values():
    cache = filled(100, "a", "b")
    cache.clear()
    assert len(cache) == 0
    assert cache.n_bytes == 0


def test_it_counts_what_it_had_and_what_had_to_go():
    cache = filled(20, "a", "b", "c")
    for key in ("c", "c", "a"):
        cache.get(key)
    assert cache.use == CacheUse(n_bytes=20, max_bytes=20, n_hits=2, n_misses=1, n_evictions=1)


def test_what_is_replaced_or_forgotten_was_not_evicted():
    cache = filled(20, "a", "a")
    cache.clear()
    assert cache.use.n_evictions == 0
