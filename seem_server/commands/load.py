"""`seem bench load`: what becomes of clicks when more come than the server can serve.

Against a server in a process of its own, one after the other:

    unloaded    one annotator clicks
    capacity    ever more annotators click as soon as they are answered, until that brings no more
    sharing     all annotators click as soon as they are answered, and should get as much each
    overload    clicks come at 4 times the capacity, at random, whatever becomes of those before
    tenants     a light tenant's annotator clicks alone, and beside a heavy tenant's overload

All click on one cached photo, each session on an object of its own. Every few clicks it begins
anew, with a box around all of the photo: so no click is on a small thing, which would cost more
than another. Nobody says anything before his last click is answered, so none is superseded, and
nobody says again what was refused: refusals are what is measured.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

import seem_client
from seem_server.commands.bench import COURSE, IMAGE_SIZE, WARM_UP_CLICKS, made_photos
from seem_server.commands.progress import progress
from seem_server.commands.serving import ServerProcess
from seem_server.service.callers import line_of, make_token
from seem_wire.errors import GRPC_STATUS, SeemError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Iterator, Sequence

    from seem_client import AsyncClient, AsyncSession, Prediction

OVERLOAD = 4.0
"""Clicks come at so many times the capacity."""

SLOWEST = 3.0
"""How many times the unloaded p99 an admitted click's may be."""

HARM = 1.5
"""How many times what it is alone a light tenant's p99 may be beside a heavy one."""

PAUSE_S = 0.03
"""The mean of what one annotator waits before the next click: no rhythm that a queue could have."""

MOST_ANNOTATORS = 64
"""Of those who look for the capacity."""

MORE = 1.05
"""Twice the annotators must bring so many times the clicks, or the capacity is found."""

FAIR = 0.9
"""The least fairness (Jain et al. 1984) of many sessions: 1 where each is answered as often, 1/n
where one of n has all."""

TURNS = 4
"""How often the light tenant is alone, and not, in turn: what else the machine does hits both."""

N_PARTS = 5

EXHAUSTED = "RESOURCE_EXHAUSTED"

TENANTS = ("annotators", "light", "heavy")


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of times in milliseconds; 0 where there are none."""

    p50: float
    p99: float

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Percentiles:
        """The percentiles."""
        p50, p99 = np.percentile(times_ms or [0.0], [50, 99])
        return cls(float(p50), float(p99))


@dataclass(slots=True)
class Tally:
    """What became of the clicks of one measurement, so far."""

    seconds: float = 0.0
    client_cpu_s: float = 0.0
    sent: int = 0
    unsent: int = 0
    client_ms: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)
    queue_ms: list[float] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    without_hint: int = 0


@dataclass(frozen=True, slots=True)
class Clicks:
    """What became of the clicks of one measurement.

    Attributes:
        sent_per_s: Clicks that were sent; `unsent` found all sessions waiting for an answer.
        answered_per_s: Clicks that were answered; `answered`: how many in all.
        refusals: By gRPC status; `without_hint` of them did not say when to try again.
        unended: Clicks of which nothing was heard.
        client_ms: The client's time for an answered click, from call to prediction.
        server_ms: The server's, from command to mask; `queue_ms`: waiting in its queue.
        client_cpu: The share of one core that the client took. It is the server's cores too.
    """

    seconds: float
    sent_per_s: float
    unsent: int
    answered: int
    answered_per_s: float
    refusals: dict[str, int]
    without_hint: int
    unended: int
    client_ms: Percentiles
    server_ms: Percentiles
    queue_ms: Percentiles
    client_cpu: float

    @classmethod
    def of(cls, tally: Tally) -> Clicks:
        """What a tally comes to."""
        answered, refused = len(tally.client_ms), tally.refusals.total()
        seconds = max(tally.seconds, 1e-9)
        return cls(
            seconds=tally.seconds,
            sent_per_s=tally.sent / seconds,
            unsent=tally.unsent,
            answered=answered,
            answered_per_s=answered / seconds,
            refusals=dict(tally.refusals),
            without_hint=tally.without_hint,
            unended=tally.sent - answered - refused,
            client_ms=Percentiles.of(tally.client_ms),
            server_ms=Percentiles.of(tally.server_ms),
            queue_ms=Percentiles.of(tally.queue_ms),
            client_cpu=tally.client_cpu_s / seconds,
        )

    @property
    def refused_well(self) -> bool:
        """Whether every click ended, and each refusal said that it is for want of room."""
        return not (self.unended or self.without_hint or self.refusals.keys() - {EXHAUSTED})


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was measured.

    Attributes:
        capacity_per_s: The most clicks that were answered in a second.
        slowdown: The p99 of admitted clicks under overload for each unloaded p99, client's times.
        goodput: Clicks answered under overload for each that the capacity allows.
        harm: The light tenant's p99 beside the heavy one for each p99 alone, client's times.
        fairness: Of the sessions that share the server, by how often each was answered.
    """

    model: str
    provider: str
    sessions: int
    unloaded: Clicks
    capacity_per_s: float
    sharing: Clicks
    overload: Clicks
    light_alone: Clicks
    light_beside: Clicks
    heavy: Clicks
    slowdown: float
    goodput: float
    harm: float
    fairness: float

    @property
    def parts(self) -> tuple[Clicks, ...]:
        """What was measured, one after the other."""
        shared = (self.unloaded, self.sharing, self.overload)
        return (*shared, self.light_alone, self.light_beside, self.heavy)

    @property
    def refused_well(self) -> bool:
        """Whether every click ended, and each refusal was typed and said when to come again."""
        return all(part.refused_well for part in self.parts)


class Annotator:
    """Clicks all over the photo of a session, COURSE clicks an object, and counts."""

    def __init__(self, session: AsyncSession, seed: int) -> None:
        self._session = session
        self._chance = random.Random(seed)  # noqa: S311  (not a secret)
        self._said = 0
        self.n_answered = 0

    async def click(self, tally: Tally) -> float:
        """Says one thing and waits for the answer; gives how long to wait before another try."""
        if self._said == COURSE:
            await self._session.clear()
            self._said = 0
        tally.sent += 1
        start_s = time.perf_counter()
        try:
            prediction = await self._next()
        except SeemError as error:
            tally.refusals[GRPC_STATUS[error.code]] += 1
            tally.without_hint += error.retry_after_ms is None
            return (error.retry_after_ms or 0) / 1000
        self._said += 1
        self.n_answered += 1
        tally.client_ms.append((time.perf_counter() - start_s) * 1000)
        tally.server_ms.append(prediction.timings.total_ms)
        tally.queue_ms.append(prediction.timings.queue_ms)
        return 0.0

    def _next(self) -> Awaitable[Prediction]:
        height, width = IMAGE_SIZE
        x, y = self._chance.uniform(0.1, 0.9) * width, self._chance.uniform(0.1, 0.9) * height
        if self._said == 0:
            margin = self._chance.uniform(0, 1)  # or its answer would be found in a cache
            return self._session.box(margin, margin, width - margin, height - margin)
        return self._session.click(x, y)


def run(arguments: argparse.Namespace) -> int:
    """Loads a server; gives the exit code: 1 where a click never ended, or was refused wrongly.

    Raises:
        InvalidValue: Its own server does not start.
        SeemError: A session cannot be had.
    """
    report = asyncio.run(_in_own_server(arguments))
    print(json.dumps(asdict(report)) if arguments.json else as_text(report))
    return 0 if report.refused_well else 1


async def _in_own_server(arguments: argparse.Namespace) -> LoadReport:
    tokens = {name: make_token() for name in TENANTS}
    with TemporaryDirectory(prefix="seem-load-") as folder:
        callers = Path(folder) / "callers.txt"
        callers.write_text("\n".join(line_of(name, "bench", tokens[name]) for name in TENANTS))
        flags = ["--tokens-file", str(callers), "--store", f"sqlite:{folder}/sessions.sqlite"]
        for name in ("bundle", "provider"):
            if value := getattr(arguments, name):
                flags += [f"--{name}", value]
        flags += ["--max-sessions", str(2 * arguments.sessions + MOST_ANNOTATORS + 2)]
        async with ServerProcess(*flags, "--max-calls", "4096") as server:
            return await bench_load(
                server.address, tokens, seconds=arguments.seconds, sessions=arguments.sessions
            )


async def bench_load(
    address: str, tokens: dict[str, str], *, seconds: float, sessions: int
) -> LoadReport:
    """Measures at a server that lets TENANTS in by their `tokens`; each part takes `seconds`."""
    async with (
        seem_client.connect_async(address, retry_s=0, token=tokens["annotators"]) as client,
        seem_client.connect_async(address, retry_s=0, token=tokens["light"]) as light_client,
        seem_client.connect_async(address, retry_s=0, token=tokens["heavy"]) as heavy_client,
    ):
        many = await _annotators(client, max(sessions, MOST_ANNOTATORS))
        one, (light,) = many[0], await _annotators(light_client, 1)
        heavy = await _annotators(heavy_client, sessions)
        unloaded, overload = Tally(), Tally()
        with progress(N_PARTS, "part") as done:
            await _one_by_one(one, unloaded, seconds=seconds)
            done()
            capacity_per_s = await _capacity_per_s(many, seconds / 5)
            done()
            sharing, fairness = await _all_at_once(many[:sessions], seconds)
            done()
            await _at_random(many[:sessions], overload, OVERLOAD * capacity_per_s, seconds=seconds)
            done()
            alone, beside, flood = await _side_by_side(light, heavy, capacity_per_s, seconds)
            done()
        model = await client.model()
    shared = Clicks.of(sharing)
    found = [Clicks.of(one) for one in (unloaded, overload, alone, beside, flood)]
    slow, quick = found[1].client_ms.p99, found[0].client_ms.p99
    return LoadReport(
        model=model.model_id,
        provider=model.provider,
        sessions=sessions,
        unloaded=found[0],
        capacity_per_s=capacity_per_s,
        sharing=shared,
        overload=found[1],
        light_alone=found[2],
        light_beside=found[3],
        heavy=found[4],
        slowdown=slow / quick if quick else 0.0,
        goodput=found[1].answered_per_s / capacity_per_s if capacity_per_s else 0.0,
        harm=found[3].client_ms.p99 / found[2].client_ms.p99 if found[2].answered else 0.0,
        fairness=fairness,
    )


async def _annotators(client: AsyncClient, count: int) -> list[Annotator]:
    """So many sessions about one photo, which is encoded by then."""
    photo = next(made_photos(1))
    opened = [Annotator(await client.open(photo), seed) for seed in range(count)]
    for _ in range(WARM_UP_CLICKS):
        await opened[0].click(Tally())
    return opened


@contextmanager
def _timed(tally: Tally) -> Iterator[None]:
    """Adds what the block takes, also of this process's share of the cores."""
    start_s, cpu_s = time.monotonic(), time.process_time()
    yield
    tally.seconds += time.monotonic() - start_s
    tally.client_cpu_s += time.process_time() - cpu_s


async def _one_by_one(annotator: Annotator, tally: Tally, *, seconds: float) -> None:
    """Clicks with pauses of no fixed length, as a person does."""
    chance = random.Random(0)  # noqa: S311  (not a secret)
    end_s = time.monotonic() + seconds
    with _timed(tally):
        while time.monotonic() < end_s:
            await annotator.click(tally)
            await asyncio.sleep(chance.expovariate(1 / PAUSE_S))


async def _capacity_per_s(annotators: Sequence[Annotator], seconds: float) -> float:
    """The most clicks a second that are answered, however many click without a pause."""
    best, count = 0.0, 1
    while count <= len(annotators):
        tally = Tally()
        with _timed(tally):
            end_s = time.monotonic() + seconds
            await asyncio.gather(*(_without_pause(one, tally, end_s) for one in annotators[:count]))
        found = Clicks.of(tally).answered_per_s
        if found < MORE * best:
            return max(found, best)
        best, count = found, 2 * count
    return best


async def _all_at_once(annotators: Sequence[Annotator], seconds: float) -> tuple[Tally, float]:
    """Everybody clicks without a pause: what became of it, and how fair it was."""
    tally = Tally()
    before = [one.n_answered for one in annotators]
    with _timed(tally):
        end_s = time.monotonic() + seconds
        await asyncio.gather(*(_without_pause(one, tally, end_s) for one in annotators))
    counts = [one.n_answered - start for one, start in zip(annotators, before, strict=True)]
    return tally, jain(counts)


def jain(counts: Sequence[int]) -> float:
    """The fairness index of what each of n has: 1 where all have as much, 1/n where one has all.

    Source: Jain, Chiu & Hawe 1984, A Quantitative Measure of Fairness, section 3.
    """
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / (len(counts) * squares) if squares else 0.0


async def _without_pause(annotator: Annotator, tally: Tally, end_s: float) -> None:
    retry_s = 0.0
    while time.monotonic() + retry_s < end_s:
        await asyncio.sleep(retry_s)
        retry_s = await annotator.click(tally)


async def _at_random(
    annotators: Sequence[Annotator], tally: Tally, per_s: float, *, seconds: float
) -> None:
    """Clicks come as a Poisson process, each of whoever waits for no answer."""
    chance = random.Random(1)  # noqa: S311  (not a secret)
    free, clicking = [*annotators], set[asyncio.Task[None]]()

    async def click(one: Annotator) -> None:
        await one.click(tally)
        free.append(one)

    next_s = time.monotonic()
    end_s = next_s + seconds
    with _timed(tally):
        while next_s < end_s:
            await asyncio.sleep(max(next_s - time.monotonic(), 0.0))
            next_s += chance.expovariate(per_s)
            if free:
                task = asyncio.create_task(click(free.pop(chance.randrange(len(free)))))
                clicking.add(task)
                task.add_done_callback(clicking.discard)
            else:
                tally.unsent += 1
        await asyncio.gather(*clicking)


async def _side_by_side(
    light: Annotator, heavy: Sequence[Annotator], capacity_per_s: float, seconds: float
) -> tuple[Tally, Tally, Tally]:
    """The light tenant's clicks alone and beside the heavy one's, and the heavy one's."""
    alone, beside, flood = Tally(), Tally(), Tally()
    for _ in range(TURNS):
        await _one_by_one(light, alone, seconds=seconds / TURNS)
        await asyncio.gather(
            _at_random(heavy, flood, OVERLOAD * capacity_per_s, seconds=seconds / TURNS),
            _one_by_one(light, beside, seconds=seconds / TURNS),
        )
    return alone, beside, flood


def as_text(report: LoadReport) -> str:
    """The report as a table, beside the goals."""
    rows = [
        ("one annotator", report.unloaded),
        (f"sharing, {report.sessions} sessions", report.sharing),
        (f"overload, {report.sessions} sessions", report.overload),
        ("light tenant, alone", report.light_alone),
        ("light tenant, beside the heavy one", report.light_beside),
        (f"heavy tenant, {report.sessions} sessions", report.heavy),
    ]
    head = f"{'':<36}{'sent/s':>8}{'answered/s':>12}{'refused':>9}"
    lines = [head + f"{'p50 ms':>9}{'p99':>8}{'server p50':>12}{'p99':>8}{'queue p99':>11}"]
    lines += [_row(name, one) for name, one in rows]
    busy = f"{100 * report.overload.client_cpu:.0f} % of a core"
    lines.append(f"under overload the client took {busy}, which are the server's cores too")
    capacity = f"{report.capacity_per_s:.0f} clicks/s"
    lines.append(f"capacity {capacity}; under overload {100 * report.goodput:.0f} % of it answered")
    well = "all RESOURCE_EXHAUSTED with a hint" if report.refused_well else str(_badly(report))
    lines += [
        f"admitted p99 / unloaded p99   {report.slowdown:6.2f}   ≤ {SLOWEST:g}   "
        + _met(met=report.slowdown <= SLOWEST),
        f"light p99 beside / alone      {report.harm:6.2f}   ≤ {HARM:g}   "
        + _met(met=report.harm <= HARM),
        f"fairness of {report.sessions:>3} sessions       {report.fairness:6.2f}   ≥ {FAIR:g}   "
        + _met(met=report.fairness >= FAIR),
        f"refusals                      {well}   {_met(met=report.refused_well)}",
        f"{report.model} on {report.provider}",
    ]
    return "\n".join(lines)


def _row(name: str, one: Clicks) -> str:
    refused = sum(one.refusals.values()) / max(one.answered + sum(one.refusals.values()), 1)
    counts = f"{one.sent_per_s:>8.1f}{one.answered_per_s:>12.1f}{100 * refused:>7.0f} %"
    client, server = one.client_ms, one.server_ms
    times = f"{client.p50:>9.1f}{client.p99:>8.1f}{server.p50:>12.1f}{server.p99:>8.1f}"
    return f"{name:<36}{counts}{times}{one.queue_ms.p99:>11.1f}"


def _badly(report: LoadReport) -> list[str]:
    return [
        f"{one.refusals}, {one.without_hint} without a hint, {one.unended} never ended"
        for one in report.parts
        if not one.refused_well
    ]


def _met(*, met: bool) -> str:
    return "OK" if met else "missed"
