"""`seem bench soak`: many clicks with cancels and disconnects, and what they leave behind.

Annotators open sessions about one photo, click, click faster than the server answers, take clicks
back, and leave: in peace, in mid-answer without a word, or to come back as somebody else. The
server runs in a process of its own; its memory and its queue are read from its metrics.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.request import urlopen

import numpy as np

import seem_client
from seem_server import settings
from seem_server.commands.progress import progress
from seem_server.commands.reach import free_port, server_process
from seem_wire.errors import InvalidValue, SeemError

if TYPE_CHECKING:
    import argparse

    from seem_client import AsyncSession, Prediction

IMAGE_SIZE = (120, 160)
SAMPLE_S = 0.5
SETTLING_S = 20.0
"""How long the server is given to let go of everything once all have left."""

_PATIENCE_S = 600.0
_LINGER_S, _KEEP_S = 0.5, 2.0
_CACHES_BYTES = 32 * 1024**2
"""Small, so that they are full long before half time: what grows then is a leak."""


@dataclass(slots=True)
class Soaking:
    """What has happened so far; `ends` counts how clicks ended."""

    wanted: int
    said: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    resident: list[float] = field(default_factory=list)

    def is_over(self) -> bool:
        """Whether enough was clicked."""
        return self.said >= self.wanted


@dataclass(frozen=True, slots=True)
class SoakReport:
    """What many clicks left behind.

    Attributes:
        ends: How clicks ended, by code; ours that we took back count as "taken back".
        unaccounted: Clicks that never ended.
        left: Pieces of work and sessions that the server still has in the end.
        resident_mb: Of the server's process, at half time and in the end (means of a tenth).
        growth: Of the resident memory in the last half, as a share.
    """

    model: str
    clicks: int
    annotators: int
    ends: dict[str, int]
    unaccounted: int
    left: int
    resident_mb: tuple[float, float]
    growth: float
    seconds: float


def run(arguments: argparse.Namespace) -> int:
    """Soaks; gives the exit code: 1 where a click never ended, or something was left.

    Raises:
        SeemError: The server does not start.
    """
    clicks, annotators = max(arguments.clicks, 1), max(arguments.annotators, 1)
    port = free_port()
    with TemporaryDirectory(prefix="seem-soak-") as folder:
        own = replace(
            settings.read(arguments, os.environ),
            metrics_port=port,
            store=f"sqlite:{folder}/sessions.sqlite",
            linger_s=_LINGER_S,
            keep_s=_KEEP_S,
            features_bytes=_CACHES_BYTES,
            memory_bytes=_CACHES_BYTES,
            max_wait_s=_PATIENCE_S,  # a click that is refused at the door leaves nothing behind
        )
        with server_process(own) as address:
            report = asyncio.run(bench_soak(address, port, clicks=clicks, annotators=annotators))
    print(json.dumps(asdict(report)) if arguments.json else as_text(report))
    return 1 if report.unaccounted or report.left else 0


async def bench_soak(address: str, port: int, *, clicks: int, annotators: int) -> SoakReport:
    """Clicks `clicks` times at the server whose metrics are told at `port`."""
    started_s = time.monotonic()
    soaking = Soaking(clicks)
    sampling = asyncio.create_task(_sample(port, soaking))
    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(annotators):
                tasks.create_task(_annotate(address, number, soaking))
    finally:
        sampling.cancel()
    left = await _left(port)
    async with seem_client.connect_async(address, token="") as client:
        model = await client.model()
    half, end = (_mean_mb(soaking.resident, *share) for share in ((0.5, 0.6), (0.9, 1.0)))
    return SoakReport(
        model=model.model_id,
        clicks=soaking.said,
        annotators=annotators,
        ends=dict(soaking.ends.most_common()),
        unaccounted=soaking.said - soaking.ends.total(),
        left=left,
        resident_mb=(half, end),
        growth=end / half - 1 if half else 0.0,
        seconds=time.monotonic() - started_s,
    )


def as_text(report: SoakReport) -> str:
    """The report as lines."""
    ends = ", ".join(f"{count} {how}" for how, count in report.ends.items())
    extent = f"{report.clicks} clicks in {report.seconds:.0f} s"
    return "\n".join(
        [
            f"{report.model}, {report.annotators} annotators, {extent}",
            f"how they ended             {ends}",
            f"clicks that never ended    {report.unaccounted}",
            f"left at the server         {report.left}",
            "resident memory            {:.1f} MB at half time, {:.1f} MB in the end".format(
                *report.resident_mb
            ),
            f"growth in the last half    {report.growth:+.1%}",
        ]
    )


async def _annotate(address: str, number: int, soaking: Soaking) -> None:
    chance = random.Random(number)  # noqa: S311  (not a secret)
    photo = np.random.default_rng(0).integers(0, 256, (*IMAGE_SIZE, 3)).astype(np.uint8)
    while not soaking.is_over():
        async with seem_client.connect_async(address, token="") as client:
            session = await client.open(photo)
            for _ in range(chance.randint(5, 40)):
                if soaking.is_over():
                    break
                await _click(session, chance, soaking)
            match chance.choice(["close", "close", "leave", "vanish"]):
                case "close":
                    await session.close()
                case "leave":
                    await session.leave()
                case "vanish":
                    waiting = [_submit(session, chance, soaking) for _ in range(3)]
                    await session.leave()
                    await _counted(waiting, soaking)


async def _click(session: AsyncSession, chance: random.Random, soaking: Soaking) -> None:
    """One click and its answer; or several at once, of which the last is taken back perhaps."""
    count = chance.choice([1, 1, 1, 1, 3])
    waiting = [_submit(session, chance, soaking) for _ in range(count)]
    if chance.random() < 0.1:  # noqa: PLR2004
        waiting[-1].cancel()
    await _counted(waiting, soaking)


def _submit(
    session: AsyncSession, chance: random.Random, soaking: Soaking
) -> asyncio.Future[Prediction]:
    height, width = IMAGE_SIZE
    soaking.said += 1
    place = chance.uniform(1, width - 1), chance.uniform(1, height - 1)
    return session.submit_click(*place, object_id=chance.randint(1, 3))


async def _counted(waiting: list[asyncio.Future[Prediction]], soaking: Soaking) -> None:
    for one in waiting:
        try:
            await one
        except asyncio.CancelledError:
            soaking.ends["taken back"] += 1
        except SeemError as error:
            soaking.ends[error.code] += 1
        else:
            soaking.ends["answered"] += 1


async def _sample(port: int, soaking: Soaking) -> None:
    shown = 0
    with progress(soaking.wanted, "click") as done:
        while True:
            await asyncio.sleep(SAMPLE_S)
            metrics = await asyncio.to_thread(_metrics, port)
            soaking.resident.append(metrics["seem_resident_memory_bytes"])
            done(soaking.said - shown)
            shown = soaking.said


async def _left(port: int) -> int:
    """What the server still has, once it had time to let go."""
    names = ("seem_queue_length", "seem_running", "seem_sessions")
    end_s = time.monotonic() + SETTLING_S
    while True:
        metrics = await asyncio.to_thread(_metrics, port)
        left = int(sum(metrics[name] for name in names))
        if not left or time.monotonic() > end_s:
            return left
        await asyncio.sleep(SAMPLE_S)


def _metrics(port: int) -> dict[str, float]:
    """The metrics without labels."""
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        found = re.findall(r"^(\w+) ([-+.\deE]+)$", page.read().decode(), re.MULTILINE)
        return {name: float(value) for name, value in found}
    raise InvalidValue("The server's metrics cannot be read.")


def _mean_mb(samples: list[float], first: float, last: float) -> float:
    """The mean of a stretch of the samples, in megabytes; 0 where there are none."""
    count = len(samples)
    stretch = samples[int(first * count) : max(int(last * count), int(first * count) + 1)]
    return float(np.mean(stretch)) / 1e6 if stretch else 0.0
