"""Short words to write into a store and to read from it."""

from __future__ import annotations

from seem_server.store.base import Entry, Header


def begun(store, session_id="s", *, owner="", opened_s=0.0):
    return store.open(Header(session_id, "model@1", opened_s, owner))


def entry(record=b"r", *, session_id="s", epoch=1, **options):
    return Entry(session_id, epoch, record, **options)


def read(store, session_id="s", *, owner="", now_s=1.0):
    return store.claim(session_id, owner=owner, now_s=now_s)
