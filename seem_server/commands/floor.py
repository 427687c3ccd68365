"""`seem bench floor`: what each stage must cost on this machine at least, and what it costs.

A graph's floor is that of its operations and of the bytes that no program could spare: its
weights, its inputs and its outputs, once. Beside it stands the floor of the graph as it is cut into
kernels, each of which has to read and write: where it lies far over the first, the graph is to be
mended, and where the time lies far over both, the kernels or the threads are. What is no graph has
the floor of copying what comes in and goes out.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from seem_server import settings
from seem_server.commands import ceilings
from seem_server.commands.bench import IMAGE_SIZE, Spread, legend
from seem_server.commands.stages import Stages, demands
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.onnx_backend import open_backend

if TYPE_CHECKING:
    import argparse

    from seem_server.commands.ceilings import Ceilings
    from seem_server.commands.stages import Demand
    from seem_server.runtime.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage, its floor and its time.

    Attributes:
        name: What is done.
        operations: Additions and multiplications of products and convolutions.
        nbytes: Bytes that it cannot spare.
        floor_ms: The least that these take on this machine.
        kernels: How many steps a graph has; 0 of what is no graph.
        kernels_ms: The floor of the steps, one after the other.
        times_ms: What it took.
        least_ms: The least of that: what it takes where nothing else runs.
        ratio, least_ratio: The median, and the least, for each floor.
    """

    name: str
    operations: int
    nbytes: int
    floor_ms: float
    kernels: int
    kernels_ms: float
    times_ms: Spread
    least_ms: float
    ratio: float
    least_ratio: float


@dataclass(frozen=True, slots=True)
class FloorBench:
    """All stages of one bundle, of an image of IMAGE_SIZE and a click on it."""

    model: str
    provider: str
    threads: int
    ceilings: Ceilings
    stages: tuple[Stage, ...]


def run(arguments: argparse.Namespace) -> int:
    """Measures; gives the exit code. Raises SeemError where the bundle cannot be had."""
    own = settings.read(arguments, os.environ)
    threads = own.threads or len(os.sched_getaffinity(0))
    result = bench_floor(
        read_bundle(own.bundle), provider=own.provider, threads=threads, times=arguments.clicks
    )
    print(json.dumps(asdict(result)) if arguments.json else as_text(result))
    return 0


def bench_floor(bundle: Bundle, *, provider: str, threads: int, times: int) -> FloorBench:
    """Records each graph's kernels, then does each stage `times` times, in turn."""
    asked = demands(bundle, provider=provider, threads=threads)
    backend = open_backend(bundle, provider=provider, n_threads=threads)
    stages = Stages(backend).each()
    spent: dict[str, list[float]] = {name: [] for name in stages}
    found = ceilings.measure(threads)
    for _ in range(times):
        for name, do in stages.items():
            start = time.perf_counter()
            do()
            spent[name].append((time.perf_counter() - start) * 1000)
    found = found.best(ceilings.measure(threads))  # others may have been busy at either time
    found = found.raised(kernel for one in asked.values() for kernel in one.kernels)
    told = tuple(_stage(name, asked[name], times_ms, found) for name, times_ms in spent.items())
    return FloorBench(bundle.manifest.model_id, backend.provider, threads, found, told)


def _stage(name: str, asked: Demand, times_ms: list[float], found: Ceilings) -> Stage:
    floor_ms, spread = found.floor_ms(asked.operations, asked.nbytes), Spread.of(times_ms)
    return Stage(
        name=name,
        operations=asked.operations,
        nbytes=asked.nbytes,
        floor_ms=floor_ms,
        kernels=len(asked.kernels),
        kernels_ms=sum(found.floor_ms(one.operations, one.nbytes) for one in asked.kernels),
        times_ms=spread,
        least_ms=min(times_ms),
        ratio=spread.p50 / floor_ms,
        least_ratio=min(times_ms) / floor_ms,
    )


def as_text(result: FloorBench) -> str:
    """The result as a table, in Markdown, which reads as one in a terminal too."""
    height, width = IMAGE_SIZE
    found = result.ceilings
    reached = f"{found.operations_s / 1e9:.0f} GFLOP/s, {found.bytes_s / 1e9:.0f} GB/s"
    where = f"{result.model} on {result.provider}, {result.threads} threads"
    lines = [f"{where}; a JPEG of {width} x {height}; ceilings {reached}", ""]
    heads = ["MFLOP", "MB", "floor ms", "kernels", "their floor"]
    heads += ["least ms", "p50 ms", "p95 ms", "least / floor", "p50 / floor"]
    lines.append(f"| {'stage':<24} | {' | '.join(heads)} |")
    lines.append(f"| --- | {' | '.join('---:' for _ in heads)} |")
    return "\n".join(lines + [_line(one) for one in result.stages] + legend("floor"))


def _line(one: Stage) -> str:
    steps = [str(one.kernels), f"{one.kernels_ms:.2f}"] if one.kernels else ["", ""]
    cells = [
        *(f"{one.operations / 1e6:.0f}", f"{one.nbytes / 1e6:.1f}", f"{one.floor_ms:.3f}"),
        *steps,
        *(f"{one.least_ms:.2f}", f"{one.times_ms.p50:.2f}", f"{one.times_ms.p95:.2f}"),
        *(f"{one.least_ratio:.1f}", f"{one.ratio:.1f}"),
    ]
    return f"| {one.name:<24} | {' | '.join(cells)} |"
