from __future__ import annotations

import os

from seem_server.cluster import loopback


def test_ray_is_told_before_it_is_imported(monkeypatch):
    monkeypatch.setenv(loopback._VARIABLE, "1")  # which puts back what there was
    loopback.keep_to_loopback()
    assert os.environ[loopback._VARIABLE] == "0"
    assert loopback.is_kept()
    assert loopback.ADDRESS == "127.0.0.1"
