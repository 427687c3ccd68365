"""Real annotators at real servers, beside simulations of just that: how far to trust the latter.

They think for a fraction of the usual time, so that few of them load a server. First they click on
the server that was measured; and, where Ray is installed, on replicas of a model that waits and
does not compute, so that the machine's cores are left to what is to be checked: queues and routes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

import seem_client
from seem_server.commands import simulation
from seem_server.commands.bench import IMAGE_SIZE, made_photos
from seem_server.commands.decoders import waiting_flags
from seem_server.commands.progress import progress
from seem_server.commands.reach import server_process
from seem_server.commands.serving import ServerProcess
from seem_server.commands.simulation import Fleet, Habits, Outcome, StageTimes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seem_client import AsyncClient, AsyncSession
    from seem_server.settings import Settings

HURRY = 0.25
"""Annotators think for this share of the usual time."""

ANNOTATORS = (1, 4, 8, 16)
"""At the one server, one number after the other."""

REPLICAS, EACH = (1, 2, 4), 6
"""In Ray, with so many annotators each."""

WAITING = StageTimes(encode_ms=100, click_ms=50)
"""What the model that waits takes in a replica."""

PHOTOS = 96
"""Different ones: everybody has some of his own."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Real annotators, and the same simulated. `replicas`: in Ray; 0 for the server itself."""

    replicas: int
    annotators: int
    real: Outcome
    simulated: Outcome


async def check(own: Settings, times: StageTimes, *, seconds: float) -> list[Checked]:
    """Ever more annotators at a server of one's own, whose times are known, and at replicas."""
    found = []
    habits = replace(Habits(), think_s=HURRY * Habits().think_s)
    photos = list(made_photos(PHOTOS))
    in_ray = REPLICAS if importlib.util.find_spec("ray") else ()
    with progress(len(ANNOTATORS) + len(in_ray), "check") as done:
        for annotators in ANNOTATORS:
            with server_process(replace(own, max_wait_s=600.0)) as address:
                real = await _at(address, annotators, habits, photos, seconds=seconds)
            found.append(_beside(0, annotators, real, times, habits))
            done()
        for replicas in in_ray:
            encode_s, click_s = (ms / 1000 for ms in (WAITING.encode_ms, WAITING.click_ms))
            flags = waiting_flags(replicas, encode_s=encode_s, click_s=click_s)
            async with ServerProcess(*flags) as server:
                annotators = EACH * replicas
                real = await _at(server.address, annotators, habits, photos, seconds=seconds)
                await server.stop()
            found.append(_beside(replicas, annotators, real, WAITING, habits))
            done()
    return found


async def _at(
    address: str, annotators: int, habits: Habits, photos: Sequence[bytes], *, seconds: float
) -> Outcome:
    async with seem_client.connect_async(address, token="") as client:
        return await click_for(client, annotators, habits, photos, seconds=seconds)


def _beside(
    replicas: int, annotators: int, real: Outcome, times: StageTimes, habits: Habits
) -> Checked:
    fleet = Fleet(max(replicas, 1), times)
    simulated = simulation.simulate(annotators, fleet, habits, seconds=600.0)
    return Checked(replicas, annotators, real, simulated)


async def click_for(
    client: AsyncClient,
    annotators: int,
    habits: Habits,
    photos: Sequence[bytes],
    *,
    seconds: float,
) -> Outcome:
    """Annotators of these habits at a server for so long; the first fifth is not counted.

    What is busy is not known, and every image counts as encoded once.
    """
    start_s = time.monotonic()
    answered: list[tuple[float, float]] = []
    async with asyncio.TaskGroup() as group:
        for number in range(annotators):
            one = _Hurried(client, habits, photos[number::annotators], number)
            group.create_task(one.work(answered, until_s=start_s + seconds))
    counted = [ms for when_s, ms in answered if when_s >= start_s + seconds / 5] or [0.0]
    p50, p95, p99 = np.percentile(counted, [50, 95, 99]).tolist()
    return Outcome((p50, p95, p99), len(counted) / (0.8 * seconds), busy=0.0, encodings=1.0)


class _Hurried:
    """An annotator at a real server, with the habits of a simulated one."""

    def __init__(
        self, client: AsyncClient, habits: Habits, photos: Sequence[bytes], seed: int
    ) -> None:
        self._client, self._habits, self._photos = client, habits, photos
        self._chance = random.Random(f"real {seed}")  # noqa: S311  (not a secret)

    async def work(self, answered: list[tuple[float, float]], *, until_s: float) -> None:
        """Cuts things out of photo after photo, and notes when each click was answered."""
        for photo in itertools.cycle(self._photos):
            async with await self._client.open(photo) as session:
                for object_id, is_first in self._to_do():
                    await asyncio.sleep(simulation.think_ms(self._chance, self._habits) / 1000)
                    if time.monotonic() > until_s:
                        return
                    start_s = time.perf_counter()
                    await self._say(session, object_id, is_first=is_first)
                    answered.append((time.monotonic(), (time.perf_counter() - start_s) * 1000))

    def _to_do(self) -> Iterator[tuple[int, bool]]:
        """The clicks on a photo: on which object, and whether it is the first one."""
        for object_id in range(1, 1 + simulation.about(self._chance, self._habits.objects)):
            for number in range(simulation.about(self._chance, self._habits.clicks)):
                yield object_id, number == 0

    async def _say(self, session: AsyncSession, object_id: int, *, is_first: bool) -> None:
        """A click; first a box around much, because a small thing would be encoded besides."""
        height, width = IMAGE_SIZE
        if is_first:
            x, y = (self._chance.uniform(0, 0.2) * side for side in (width, height))
            await session.box(x, y, width - x, height - y, object_id=object_id)
        else:
            x, y = (self._chance.uniform(0.3, 0.7) * side for side in (width, height))
            await session.click(x, y, object_id=object_id)


_HEADS = ("clicks/s", "p50 ms", "p95 ms")


def as_lines(checked: Sequence[Checked]) -> list[str]:
    """A table in Markdown."""
    heads = " | ".join(f"{what} {of}" for of in ("real", "simulated") for what in _HEADS)
    lines = [f"| where | annotators | {heads} |", "| --- |" + " ---: |" * (1 + 2 * len(_HEADS))]
    return lines + [_line(one) for one in checked]


def _line(one: Checked) -> str:
    where = f"{one.replicas} replicas, waiting model" if one.replicas else "the server itself"
    cells = [
        f"{value:.1f}"
        for found in (one.real, one.simulated)
        for value in (found.clicks_s, found.click_ms[0], found.click_ms[1])
    ]
    return f"| {where} | {one.annotators} | {' | '.join(cells)} |"
