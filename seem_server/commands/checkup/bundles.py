"""Whether bundles are whole, load, and give a mask."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

import seem_client
from seem_server.commands.checkup.finding import Finding, State
from seem_server.commands.reach import server_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_server.settings import Settings

SIZE = (96, 128)
"""(height, width) of the picture that is tried."""


def try_bundle(
    subject: str,
    settings: Settings,
    *,
    needed: bool,
    ran_on: Callable[[str], object] | None = None,
) -> Finding:
    """Serves the bundle of these settings to itself, and clicks once; calls `ran_on` with where.

    Every file of it is held against its hash, and what it answers comes the whole way.

    Raises:
        SeemError: It is not whole, does not load, or fails.
    """
    alone = replace(settings, store="memory", metrics_port=0, otel_endpoint="", web_port=0)
    height, width = SIZE
    photo = np.zeros((height, width, 3), np.uint8)
    photo[height // 4 : -height // 4, width // 4 : -width // 4] = 200
    begun = time.perf_counter()
    with server_here(alone) as address, seem_client.connect(address, token="") as client:
        loaded_ms = (time.perf_counter() - begun) * 1000
        model = client.model()
        begun = time.perf_counter()
        with client.open(photo) as session:
            size = session.click(width / 2, height / 2).mask.shape
        mask_ms = (time.perf_counter() - begun) * 1000
    if ran_on is not None:
        ran_on(model.provider)
    times = f"loaded in {loaded_ms:.0f} ms, a first mask in {mask_ms:.0f} ms"
    told = f"{model.model_id}, {times}, on {model.provider}"
    if size != SIZE:
        return Finding(subject, State.FAULT, f"{told}, of the wrong size", "Report it.", needed)
    return Finding(subject, State.OK, told, needed=needed)
