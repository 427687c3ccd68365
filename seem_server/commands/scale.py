"""`seem bench scale`: how many machines so many annotators need, simulated from measured times.

First a server on this machine tells what its stages take (or --times does, for another machine),
then `simulation` looks for the fewest machines whose clicks are answered in time, with and without
what saves work: clicks that share a run, and images that stay with the machine that encoded them.
With --check real annotators click on real servers, beside simulations of just that (`scale_check`).
"""

from __future__ import annotations

import asyncio
import bisect
import json
import os
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import seem_client
from seem_server import settings
from seem_server.commands import scale_check, simulation
from seem_server.commands.bench import (
    IMAGE_SIZE,
    WARM_UP_CLICKS,
    encode_ms,
    legend,
    made_photos,
    timed_clicks,
)
from seem_server.commands.echo import echo_process
from seem_server.commands.reach import server_process
from seem_server.commands.simulation import Fleet, Habits, Outcome, Routing, StageTimes
from seem_server.engine import preprocess
from seem_server.engines import replica_backend
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from seem_client import Client
    from seem_server.commands.scale_check import Checked
    from seem_server.settings import Settings

GOAL_MS = 150.0
"""The p95 of a click that still feels like one's own doing."""

ANNOTATORS = 1000
SIMULATED_S = 300.0
MOST_MACHINES = 1024


@dataclass(frozen=True, slots=True)
class Need:
    """What a way of serving takes.

    Attributes:
        batched, routing: The way.
        per_machine: Annotators whom one machine alone serves in time.
        machines: For ANNOTATORS; None where MOST_MACHINES are late, too.
        outcome: Of these machines.
        price: Of ANNOTATORS for an hour, in the unit of a machine's price; None without one.
    """

    batched: bool
    routing: Routing
    per_machine: int
    machines: int | None
    outcome: Outcome
    price: float | None


@dataclass(frozen=True, slots=True)
class ScaleBench:
    """What was found. `check` is empty where none was asked for."""

    model: str
    goal_ms: float
    times: StageTimes
    habits: Habits
    needs: tuple[Need, ...]
    check: tuple[Checked, ...]


def run(arguments: argparse.Namespace) -> int:
    """Measures and simulates; gives the exit code.

    Raises:
        SeemError: A server cannot be had.
        InvalidValue: The times are none.
        OSError: The times cannot be read.
    """
    own = replace(settings.read(arguments, os.environ), store="memory")
    check: Sequence[Checked] = ()
    if arguments.times:
        model, times = str(arguments.times), read_times(Path(arguments.times))
    else:
        model, times = measure(own, clicks=arguments.clicks, images=arguments.images)
        if arguments.check:
            check = asyncio.run(scale_check.check(own, times, seconds=arguments.seconds))
    needs = tuple(
        need(times, routing, batched=batched, price=arguments.price)
        for routing in Routing
        for batched in ((False, True) if times.most > 1 else (False,))
    )
    result = ScaleBench(model, GOAL_MS, times, Habits(), needs, tuple(check))
    print(json.dumps(asdict(result)) if arguments.json else as_text(result))
    return 0


def read_times(path: Path) -> StageTimes:
    """The times in a JSON file, by the names of `StageTimes`, those of another machine.

    Raises:
        InvalidValue: It says something else.
        OSError: It cannot be read.
    """
    try:
        times = StageTimes(**json.loads(path.read_text("utf-8")))
        sound = times.encode_ms > 0 and times.click_ms > 0 and times.most >= 1
    except (ValueError, TypeError) as error:
        raise InvalidValue(f"{path} holds no stage times: {error}.") from error
    if not sound:
        raise InvalidValue(f"{path}: encode_ms, click_ms and most must be positive.")
    return times


def measure(own: Settings, *, clicks: int, images: int) -> tuple[str, StageTimes]:
    """The model, and the medians of a server of one's own, in a process of its own.

    On a CPU nothing shares a run, so nothing is batched.
    """
    with server_process(own) as address, seem_client.connect(address, token="") as client:
        times = _times(client, clicks=clicks, images=images)
        model_id = client.model().model_id
    return model_id, replace(times, kept=max(own.features_bytes // features_bytes(own), 1))


def features_bytes(own: Settings) -> int:
    """What a server keeps of an image of IMAGE_SIZE."""
    backend = replica_backend(own)
    pixels = preprocess.prepare(np.zeros((*IMAGE_SIZE, 3), np.uint8), backend.manifest)
    (features,) = backend.encode(preprocess.to_input(pixels, backend.manifest))
    return features.nbytes


def _times(client: Client, *, clicks: int, images: int) -> StageTimes:
    encodes = [encode_ms(client, photo) for photo in made_photos(images + 1)][1:]
    with echo_process() as echo:
        timed = list(timed_clicks(client, echo, clicks + WARM_UP_CLICKS))[WARM_UP_CLICKS:]
    return StageTimes(
        encode_ms=float(np.median(encodes)),
        click_ms=float(np.median([one.model_ms for one in timed])),
        beyond_ms=float(np.median([one.round_trip_ms - one.model_ms for one in timed])),
    )


def need(times: StageTimes, routing: Routing, *, batched: bool, price: float | None) -> Need:
    """The fewest machines that serve ANNOTATORS in time, and how many of them one serves."""
    if not batched:
        times = replace(times, most=1)
    habits = Habits()

    @cache
    def outcome_of(annotators: int, machines: int) -> Outcome:
        fleet = Fleet(machines, times, routing=routing)
        return simulation.simulate(annotators, fleet, habits, seconds=SIMULATED_S)

    def in_time(annotators: int, machines: int) -> bool:
        found = outcome_of(annotators, machines)
        return found.click_ms[1] <= GOAL_MS and found.busy < 1

    per_machine = _first(ANNOTATORS, lambda count: not in_time(count + 1, 1))
    enough = 1 + _first(MOST_MACHINES, lambda count: in_time(ANNOTATORS, count + 1))
    machines = enough if enough <= MOST_MACHINES else None
    outcome = outcome_of(ANNOTATORS, machines or MOST_MACHINES)
    cost = None if price is None or machines is None else price * machines
    return Need(times.most > 1, routing, per_machine, machines, outcome, cost)


def _first(end: int, holds: Callable[[int], bool]) -> int:
    """The first of the numbers below `end` for which it holds, as for all after it; else `end`."""
    return bisect.bisect_left(range(end), 1, key=lambda number: int(holds(number)))


def as_text(result: ScaleBench) -> str:
    """The result as tables, in Markdown, which read as ones in a terminal too."""
    times = result.times
    found = f"encode {times.encode_ms:.1f} ms, click {times.click_ms:.1f} ms"
    lines = [f"{result.model}: {found}, and {times.beyond_ms:.1f} ms beyond"]
    lines += [f"a machine holds the features of {times.kept} images"]
    lines += [f"p95 of a click ≤ {result.goal_ms:g} ms", ""]
    needs = ["annotators a machine", f"machines for {ANNOTATORS}", "busy", "encodings an image"]
    needs += ["p50 ms", "p95 ms", "cost an hour"]
    lines += [f"| way | {' | '.join(needs)} |", "| --- |" + " ---: |" * len(needs)]
    lines += [_need_line(one) for one in result.needs] + legend("scale")
    if result.check:
        lines += ["", *scale_check.as_lines(result.check)]
    return "\n".join(lines)


def _need_line(one: Need) -> str:
    way = f"{one.routing}{', batched' if one.batched else ''}"
    found = one.outcome
    cells = [
        *(
            way,
            str(one.per_machine),
            str(one.machines or f"> {MOST_MACHINES}"),
            f"{100 * found.busy:.0f} %",
        ),
        *(f"{found.encodings:.2f}", f"{found.click_ms[0]:.0f}", f"{found.click_ms[1]:.0f}"),
        "" if one.price is None else f"{one.price:.2f}",
    ]
    return f"| {' | '.join(cells)} |"
