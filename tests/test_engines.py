from __future__ import annotations

import builtins

import pytest

from seem_server import engines
from seem_server.engine.engine import Engine
from seem_server.engine.observing import Unobserved
from seem_server.engine.shelf import NoShelf
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.settings import SettingInvalid, Settings
from seem_wire.errors import BundleNotFound


def made(make_backend=None, **told):
    return engines.make_engine(Settings(**told), make_backend, Unobserved(), NoShelf())


def test_the_engine_of_this_process_is_made_by_the_settings():
    engine = made(bundle="fake", images_bytes=7)
    assert isinstance(engine, Engine)
    assert engine.provider == "fake"
    assert engine.caches["images"].max_bytes == 7
    engine.close(drain_s=0)


def test_a_backend_that_is_given_takes_the_bundles_place():
    backend = FakeBackend()
    engine = made(lambda: backend, bundle="nowhere")
    assert engine.manifest is backend.manifest
    engine.close(drain_s=0)


def test_a_bundle_that_is_not_there_is_told():
    with pytest.raises(BundleNotFound):
        made(bundle="nowhere")


def test_ray_that_is_not_installed_is_told_with_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without_ray(name, *arguments):
        if (
            name == "ray"
            or name.endswith("ray_serve")
            or "ray_serve" in (arguments[2:3] or [()])[0]
        ):
            raise ImportError("No module named 'ray'")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")
    with pytest.raises(SettingInvalid, match=r"seem-server\[serve,ray\]"):
        made(bundle="fake", engine="ray")


def test_a_replica_has_as_many_threads_as_ray_keeps_cores_for_it(monkeypatch):
    seen = []
    monkeypatch.setattr(engines, "_backend_maker", lambda told: seen.append(told) or FakeBackend)
    for told in ({"replica_cpus": 2.5}, {"replica_cpus": 0.1}, {"threads": 3}):
        engines.replica_engine(Settings(bundle="fake", **told)).close(drain_s=0)
    assert [one.threads for one in seen] == [2, 1, 3]


def test_a_replica_that_only_encodes_has_a_backend_of_its_own():
    assert engines.replica_backend(Settings(bundle="fake")).provider == "fake"
