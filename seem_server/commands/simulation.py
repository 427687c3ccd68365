"""Annotators and machines, event by event: pure, and the same for the same seed.

An annotator opens an image, which is encoded ahead of the first click, cuts out its objects by some
clicks each, and opens the next image. Between an answer and the next click he looks and thinks. A
machine does one thing at a time: clicks before encodings, and as many clicks at once as may share a
run. It holds the features of the images used last, and encodes again what it holds no more.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What one machine takes, in milliseconds.

    Attributes:
        encode_ms: To encode an image.
        click_ms: To answer a click on an encoded one.
        beyond_ms: Of a click, what passes beyond the machine's turn: network, and both ends.
        batch_share: What a further click in a run adds, in clicks: 1 where nothing is shared.
        most: Clicks in a run.
        kept: Images whose features the machine holds.
    """

    encode_ms: float
    click_ms: float
    beyond_ms: float = 0.0
    batch_share: float = 1.0
    most: int = 1
    kept: int = 100

    def run_ms(self, clicks: int) -> float:
        """A run of so many clicks."""
        return self.click_ms * (1 + (clicks - 1) * self.batch_share)


@dataclass(frozen=True, slots=True)
class Habits:
    """What annotators do.

    Attributes:
        think_s: The mean time between an answer and the next click. Four clicks took people 7
            seconds in Papadopoulos et al. 2017, Extreme clicking (abstract).
        spread: Of the logarithm of that time: nobody has a metronome.
        objects: On an image, on the average. COCO has 7.7 (Lin et al. 2014, section 5).
        clicks: On an object, on the average, the first one included.
    """

    think_s: float = 1.75
    spread: float = 0.6
    objects: float = 7.7
    clicks: float = 3.0


class Routing(StrEnum):
    """Which machine a click goes to: the one of its image, or any, the least busy of two."""

    AFFINITY = "affinity"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The machines."""

    machines: int
    times: StageTimes
    routing: Routing = Routing.AFFINITY


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        click_ms: (p50, p95, p99) from a click to its answer.
        clicks_s: Answered in a second.
        busy: The share of their time that the machines worked.
        encodings: For each image that was opened.
    """

    click_ms: tuple[float, float, float]
    clicks_s: float
    busy: float
    encodings: float


@dataclass(slots=True, eq=False)
class _Annotator:
    chance: random.Random
    image: int = 0
    objects: int = 0
    clicks: int = 0
    asked_ms: float = 0.0


@dataclass(slots=True, eq=False)
class _Machine:
    clicks: deque[_Annotator] = field(default_factory=deque)
    encodings: deque[int] = field(default_factory=deque)
    held: OrderedDict[int, None] = field(default_factory=OrderedDict)
    is_busy: bool = False
    busy_ms: float = 0.0

    @property
    def load(self) -> int:
        return len(self.clicks) + len(self.encodings) + self.is_busy


def simulate(
    annotators: int, fleet: Fleet, habits: Habits, *, seconds: float, seed: int = 0
) -> Outcome:
    """So many annotators at work for so long; the first fifth is not counted."""
    return _Run(annotators, fleet, habits, seed).go(seconds * 1000)


class _Run:
    def __init__(self, annotators: int, fleet: Fleet, habits: Habits, seed: int) -> None:
        self._fleet, self._habits, self._times = fleet, habits, fleet.times
        self._chance = random.Random(seed)  # noqa: S311  (not a secret)
        self._machines = [_Machine() for _ in range(fleet.machines)]
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._n_events = 0
        self._n_images = 0
        self._n_encodings = 0
        self._answered: list[tuple[float, float]] = []  # (when, latency)
        for number in range(annotators):
            one = _Annotator(random.Random(f"{seed} {number}"))  # noqa: S311
            start_ms = one.chance.uniform(0, 1000 * habits.think_s * habits.clicks)
            self._at(start_ms, partial(self._open, one))

    def go(self, end_ms: float) -> Outcome:
        from_ms, worked_ms = end_ms / 5, 0.0
        while self._events and self._events[0][0] <= end_ms:
            now, _, happen = heapq.heappop(self._events)
            if worked_ms == 0.0 and now >= from_ms:
                worked_ms = sum(one.busy_ms for one in self._machines) or math.ulp(0.0)
            happen(now)
        counted = [ms for when, ms in self._answered if when >= from_ms] or [0.0]
        p50, p95, p99 = np.percentile(counted, [50, 95, 99]).tolist()
        span_ms = end_ms - from_ms
        busy_ms = sum(one.busy_ms for one in self._machines) - worked_ms
        return Outcome(
            click_ms=(p50, p95, p99),
            clicks_s=1000 * len(counted) / span_ms,
            busy=busy_ms / (span_ms * len(self._machines)),
            encodings=self._n_encodings / max(self._n_images, 1),
        )

    def _at(self, when_ms: float, happen: Callable[[float], None]) -> None:
        self._n_events += 1
        heapq.heappush(self._events, (when_ms, self._n_events, happen))

    def _open(self, one: _Annotator, now: float) -> None:
        """The next image: it is encoded while the annotator still looks at it."""
        self._n_images += 1
        one.image = self._n_images
        one.objects = about(one.chance, self._habits.objects)
        one.clicks = about(one.chance, self._habits.clicks)
        machine = self._machine_of(one)
        machine.encodings.append(one.image)
        self._work(machine, now)
        self._think(one, now)

    def _think(self, one: _Annotator, now: float) -> None:
        self._at(now + think_ms(one.chance, self._habits), partial(self._click, one))

    def _click(self, one: _Annotator, now: float) -> None:
        one.asked_ms = now
        machine = self._machine_of(one)
        machine.clicks.append(one)
        self._work(machine, now)

    def _machine_of(self, one: _Annotator) -> _Machine:
        if self._fleet.routing is Routing.AFFINITY:
            return self._machines[hash((one.image, 7919)) % len(self._machines)]
        some = self._chance.choices(self._machines, k=2)
        return min(some, key=lambda machine: machine.load)

    def _work(self, machine: _Machine, now: float) -> None:
        """Begins what is most urgent, if the machine is free."""
        if machine.is_busy:
            return
        answered: list[_Annotator] = []
        spent_ms = 0.0
        if machine.clicks:
            first = machine.clicks[0]
            if not self._holds(machine, first.image):
                spent_ms = self._encode(machine, first.image)
            else:
                while machine.clicks and len(answered) < self._times.most:
                    if not self._holds(machine, machine.clicks[0].image):
                        break
                    answered.append(machine.clicks.popleft())
                spent_ms = self._times.run_ms(len(answered))
        else:
            while machine.encodings and not spent_ms:
                image = machine.encodings.popleft()
                spent_ms = 0.0 if self._holds(machine, image) else self._encode(machine, image)
        if not spent_ms:
            return
        machine.is_busy = True
        machine.busy_ms += spent_ms
        self._at(now + spent_ms, partial(self._done, machine, answered))

    def _holds(self, machine: _Machine, image: int) -> bool:
        if image in machine.held:
            machine.held.move_to_end(image)
            return True
        return False

    def _encode(self, machine: _Machine, image: int) -> float:
        self._n_encodings += 1
        machine.held[image] = None
        if len(machine.held) > self._times.kept:
            machine.held.popitem(last=False)
        return self._times.encode_ms

    def _done(self, machine: _Machine, answered: list[_Annotator], now: float) -> None:
        machine.is_busy = False
        for one in answered:
            seen_ms = now + self._times.beyond_ms
            self._answered.append((now, seen_ms - one.asked_ms))
            self._go_on(one, seen_ms)
        self._work(machine, now)

    def _go_on(self, one: _Annotator, now: float) -> None:
        one.clicks -= 1
        if one.clicks == 0:
            one.objects -= 1
            one.clicks = about(one.chance, self._habits.clicks)
        if one.objects == 0:
            self._open(one, now)
        else:
            self._think(one, now)


def think_ms(chance: random.Random, habits: Habits) -> float:
    """How long somebody thinks before the next click: log-normal, so mostly less than the mean."""
    mean, spread = 1000 * habits.think_s, habits.spread
    return chance.lognormvariate(math.log(mean) - spread**2 / 2, spread)


def about(chance: random.Random, mean: float) -> int:
    """A whole number from 1 on, geometric about a mean: mostly few, sometimes many."""
    if mean <= 1:
        return 1
    return 1 + int(math.log(1 - chance.random()) / math.log(1 - 1 / mean))
