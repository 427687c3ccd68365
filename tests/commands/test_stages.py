from __future__ import annotations

import pytest

from seem_server.commands import stages
from seem_server.commands.stages import Stages, demands
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.onnx_backend import open_backend


@pytest.fixture(scope="module")
def tiny():
    return read_bundle("tiny")


def test_every_stage_can_be_done_again_and_again(tiny):
    each = Stages(open_backend(tiny, n_threads=1)).each()
    for do in each.values():
        do()
        do()
    assert stages.READ_TEXT in each


def test_a_click_is_answered_anew_each_time(tiny):
    backend = open_backend(tiny, n_threads=1)
    runs = []
    decode = backend.decode
    backend.decode = lambda items: runs.append(1) or decode(items)
    click = Stages(backend).each()[stages.CLICK]
    counts = [len(runs) for _ in range(3) if click()]
    assert counts[0] < counts[1] < counts[2]


def test_a_graph_asks_for_operations_and_what_is_none_for_bytes(tiny):
    asked = demands(tiny, provider="cpu", threads=1)
    for name in (stages.ENCODE, stages.DECODE):
        assert asked[name].operations > 0
        assert asked[name].kernels
    assert asked[stages.READ].operations == 0
    assert asked[stages.READ].nbytes > 3 * 868 * 1152


def test_a_click_asks_for_what_its_parts_ask_for(tiny):
    asked = demands(tiny, provider="cpu", threads=1)
    parts = [asked[name] for name in (stages.PACK, stages.DECODE, stages.DRAW)]
    assert asked[stages.CLICK].nbytes == sum(part.nbytes for part in parts)
    assert asked[stages.CLICK].operations == asked[stages.DECODE].operations
