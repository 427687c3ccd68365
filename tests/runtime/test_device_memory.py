from __future__ import annotations

import ctypes

import pytest

from seem_server.runtime import device_memory as module
from seem_server.runtime.device_memory import DeviceMemory, device_memory


class Driver:
    """A driver of one device with 100 bytes, 30 of them free; `broken` names what fails."""

    def __init__(self, broken=""):
        self.broken = broken
        self.n_held = 0

    def _answer(self, name):
        return int(name == self.broken)

    def cuDevicePrimaryCtxRetain(self, _context, _device):  # noqa: N802
        failed = self._answer("retain")
        self.n_held += 1 - failed
        return failed

    def cuDevicePrimaryCtxRelease_v2(self, _device):  # noqa: N802
        self.n_held -= 1
        return 0

    def cuCtxPushCurrent_v2(self, _context):  # noqa: N802
        return self._answer("push")

    def cuCtxPopCurrent_v2(self, _context):  # noqa: N802
        return 0

    def cuMemGetInfo_v2(self, free, total):  # noqa: N802
        ctypes.cast(free, ctypes.POINTER(ctypes.c_size_t))[0] = 30
        ctypes.cast(total, ctypes.POINTER(ctypes.c_size_t))[0] = 100
        return self._answer("ask")


@pytest.mark.parametrize("provider", ["cpu", "fake"])
def test_what_has_no_device_has_no_memory_of_one(provider):
    assert device_memory(provider) is None


def test_a_device_says_how_much_is_taken(monkeypatch):
    monkeypatch.setattr(module, "_driver", Driver)
    assert device_memory("cuda") == DeviceMemory(used_bytes=70, total_bytes=100)


@pytest.mark.parametrize("broken", ["retain", "push", "ask"])
def test_a_driver_that_cannot_tell_is_let_go(monkeypatch, broken):
    driver = Driver(broken)
    monkeypatch.setattr(module, "_driver", lambda: driver)
    assert device_memory("cuda") is None
    assert driver.n_held == 0


def test_without_a_driver_nobody_can_tell(monkeypatch):
    monkeypatch.setattr(module, "DRIVER", "libnothing.so.0")
    module._driver.cache_clear()
    assert device_memory("cuda") is None
    module._driver.cache_clear()


@pytest.mark.gpu
def test_a_real_device_has_memory():
    found = device_memory("cuda")
    assert found is not None
    assert 0 < found.used_bytes < found.total_bytes
