"""How much of a GPU's memory is taken, asked of the driver itself.

ONNX Runtime does not tell, and a package for this alone would be one more thing to install.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

DRIVER = "libcuda.so.1"
_FIRST = 0
"""The device that ONNX Runtime takes: the first of those that CUDA_VISIBLE_DEVICES leaves."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Of a whole device, by whoever uses it."""

    used_bytes: int
    total_bytes: int


def device_memory(provider: str) -> DeviceMemory | None:
    """How the memory of a provider's device stands; None where it has none, or nobody can tell."""
    driver = _driver() if provider == "cuda" else None
    if driver is None:
        return None
    context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), _FIRST):
        return None
    try:
        if driver.cuCtxPushCurrent_v2(context):
            return None
        failed = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        driver.cuCtxPopCurrent_v2(ctypes.byref(context))
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(_FIRST)
    return None if failed else DeviceMemory(total.value - free.value, total.value)


@cache
def _driver() -> ctypes.CDLL | None:
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return None
    return None if driver.cuInit(0) else driver
