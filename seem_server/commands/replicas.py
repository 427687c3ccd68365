"""`seem bench replicas`: how many more clicks more replicas in Ray answer.

The model is one that waits and does not compute, so that this machine's cores are left to what is
measured: that work is spread evenly, and that the way to a replica costs little. Annotators without
a pause click on images of their own, more of them than replicas.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import seem_client
from seem_server.commands.bench import IMAGE_SIZE, made_photos
from seem_server.commands.decoders import waiting_flags
from seem_server.commands.progress import progress
from seem_server.commands.serving import ServerProcess

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from seem_client import AsyncClient

REPLICAS = (1, 2, 4)
CLICK_S = 0.2
"""What a click takes a replica: as long as on a large model, and no work for a core."""

EACH = 8
"""Annotators for each replica, each on an image of his own."""

LEAST = 0.85
"""Of N times what one replica answers, what N should."""

ROOM = ("--max-sessions", "1024")
ALONE = ("--max-batch", "1")
"""A replica does one click at a time, so that what it can do is known."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What so many replicas answered.

    Attributes:
        clicks_s: Clicks answered in a second.
        share: That for each click which as many times the first row's would be.
    """

    replicas: int
    clicks_s: float
    share: float


@dataclass(frozen=True, slots=True)
class ReplicasBench:
    """All rows, the fewest replicas first. `click_s`: what one click takes a replica."""

    click_s: float
    rows: tuple[Throughput, ...]


def run(arguments: argparse.Namespace) -> int:
    """Measures; gives the exit code.

    Raises:
        InvalidValue: No server with Ray starts.
    """
    result = asyncio.run(bench_replicas(seconds=arguments.seconds))
    print(json.dumps(asdict(result)) if arguments.json else as_text(result))
    return 0


async def bench_replicas(*, seconds: float) -> ReplicasBench:
    """One gateway after the other, each with more replicas."""
    answered = []
    with progress(len(REPLICAS), "gateway") as done:
        for replicas in REPLICAS:
            flags = (*ROOM, *ALONE, *waiting_flags(replicas, click_s=CLICK_S))
            async with ServerProcess(*flags) as server:
                async with seem_client.connect_async(server.address, token="") as client:
                    photos = list(made_photos(EACH * replicas))
                    answered.append(await clicks_s(client, photos, seconds=seconds))
                await server.stop()
            done()
    return ReplicasBench(CLICK_S, compared(REPLICAS, answered))


def compared(replicas: Sequence[int], answered: Sequence[float]) -> tuple[Throughput, ...]:
    """The rows, each held against the first."""
    alone = answered[0] / replicas[0]
    rows = zip(replicas, answered, strict=True)
    return tuple(Throughput(count, found, found / (count * alone)) for count, found in rows)


async def clicks_s(client: AsyncClient, photos: Sequence[bytes], *, seconds: float) -> float:
    """The clicks a second of an annotator for each photo; the first click of each warms up."""
    n_answered = 0
    until_s: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    ready = asyncio.Barrier(len(photos) + 1)

    async def annotate(photo: bytes) -> None:
        nonlocal n_answered
        height, width = IMAGE_SIZE
        async with client.open(photo) as session:
            await session.click(width / 2, height / 2)
            await ready.wait()
            number = 0
            while time.monotonic() < await until_s:
                number += 1  # elsewhere each time, or the answer would be a known one
                await session.click(width / 4 + number % 500, height / 4 + number // 500)
                n_answered += 1

    async with asyncio.TaskGroup() as group:
        for photo in photos:
            group.create_task(annotate(photo))
        await ready.wait()
        until_s.set_result(time.monotonic() + seconds)
        started_s = time.monotonic()
    return n_answered / (time.monotonic() - started_s)


def as_text(result: ReplicasBench) -> str:
    """The result as a table, in Markdown, which reads as one in a terminal too."""
    lines = [
        f"clicks of {1000 * result.click_s:.0f} ms, {EACH} annotators for each replica",
        "",
        "| replicas | clicks/s | of N times one | goal |",
        "| ---: | ---: | ---: | --- |",
    ]
    for one in result.rows:
        met = "met" if one.share >= LEAST else "missed"
        lines.append(
            f"| {one.replicas} | {one.clicks_s:.1f} | {one.share:.2f} | ≥ {LEAST:g} {met} |"
        )
    return "\n".join(lines)
