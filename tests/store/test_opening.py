from __future__ import annotations

import pytest

from seem_server.store.base import Keeping
from seem_server.store.memory import MemoryStore
from seem_server.store.opening import default_path, open_store
from seem_wire import errors

KEEPING = Keeping()


def test_a_store_is_opened_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert isinstance(open_store("memory", KEEPING), MemoryStore)
    open_store(f"sqlite:{tmp_path / 'own.sqlite'}", KEEPING).close()
    open_store("sqlite", KEEPING).close()
    assert (tmp_path / "own.sqlite").exists()
    assert default_path() == tmp_path / "seem" / "sessions.sqlite"
    assert default_path().exists()


def test_a_store_of_no_known_kind_is_refused():
    with pytest.raises(errors.StoreFailed, match=r"'etcd'.*--store"):
        open_store("etcd://localhost", KEEPING)
