"""What every store promises is in `test_base.py`."""

from __future__ import annotations

from store_words import begun, entry, read

from seem_server.store.memory import MemoryStore


def test_it_answers_at_once_and_keeps_nothing_beyond_the_process():
    store = MemoryStore()
    assert store.quick
    begun(store)
    store.append([entry()], now_s=1)
    store.close()
    assert read(MemoryStore()) is None
