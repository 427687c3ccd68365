"""`seem bench chaos`: what is lost when a server is killed, again and again, under annotators.

A server with a SQLite store is killed (SIGKILL, at a random moment) and started again, while
scripted annotators, each in a session of its own, go on: clicks, boxes, scribbles, undo, redo,
removals. In the end another client attaches to every session. Then the same commands are said to a
server that nobody kills, and every answer, and what stands in the end, must be the same.

With `--gateways` there are several servers over one store, behind an Envoy (`--front`): any of them
is killed, two at once now and then, or stopped (SIGTERM) as when servers are renewed in turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import seem_client
from seem_server import settings
from seem_server.commands.gateways import Gateways, Plan
from seem_server.commands.progress import progress
from seem_server.commands.serving import PATIENT, STARTING_S, ServerProcess
from seem_wire.errors import CallerError, SeemError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import numpy.typing as npt

    from seem_client import AsyncClient, AsyncSession, Prediction

    Pixels = npt.NDArray[np.uint8]
    Told = tuple[Any, ...]

IMAGE_SIZE = (120, 160)
MOST_OBJECTS = 3
HUNG_S = 120.0
"""A command that is not answered within this time counts as hung."""

LONGEST_LIFE_S = 10.0
LAST_MOMENTS_S = 0.05
"""A server lives until, at random, up to two answers an annotator were given, and up to so much
longer; or, where it is too slow for that, until its longest life is over."""

PAUSE_S = 0.05
"""An annotator's longest pause between two commands."""

_MOVES = {
    "click": 0.42,
    "not": 0.12,
    "box": 0.10,
    "scribble": 0.08,
    "undo": 0.08,
    "redo": 0.05,
    "undo one": 0.06,
    "redo one": 0.03,
    "remove": 0.04,
    "clear": 0.02,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One command of an annotator; `where` holds what it needs of x0, y0, x1, y1."""

    kind: str
    object_id: int
    where: tuple[float, float, float, float]


@dataclass(slots=True)
class Course:
    """What one annotator said and was told, and what stood in the end."""

    seed: int
    moves: list[Move] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    standing: Told = ()
    attached: Told = ()
    lost: bool = False
    hung: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChaosReport:
    """What was held.

    Attributes:
        kills, stops: Of processes, of all the gateways.
        sessions_lost: Sessions that nobody can attach to in the end.
        answers_lost: Answers that differ from those of the undisturbed server.
        masks_different: Masks that stand, for the annotator or for who attached, that do.
        hung: Commands without an answer.
        failed: Commands that ended with an error of the connection or the server; `codes` tells how
            many with which.
        longest_wait_s: For an answer, with the time in which no server was there.
    """

    model: str
    annotators: int
    kills: int
    commands: int
    answers_lost: int
    masks_different: int
    hung: int
    failed: int
    longest_wait_s: float
    seconds: float
    codes: Mapping[str, int] = field(default_factory=dict)
    gateways: int = 1
    stops: int = 0
    sessions_lost: int = 0

    @property
    def nothing_was_lost(self) -> bool:
        """Whether all held."""
        differs = self.answers_lost or self.masks_different or self.sessions_lost
        return not (differs or self.hung or self.failed)


def run(arguments: argparse.Namespace) -> int:
    """Kills; gives the exit code: 1 where anything was lost.

    Raises:
        InvalidValue: Several gateways have no front.
        SeemError: The server does not start.
    """
    report = asyncio.run(
        bench_chaos(
            settings.read(arguments, os.environ).bundle,
            kills=max(arguments.kills, 1),
            annotators=max(arguments.annotators, 1),
            plan=Plan(
                arguments.gateways,
                Path(arguments.front) if arguments.front else None,
                arguments.ray,
            ),
            store=arguments.store,
        )
    )
    print(json.dumps(asdict(report)) if arguments.json else as_text(report))
    return 0 if report.nothing_was_lost else 1


async def bench_chaos(
    bundle: str,
    *,
    kills: int,
    annotators: int,
    plan: Plan = Plan(),  # noqa: B008  (frozen)
    store: str | None = None,
    seed: int = 0,
) -> ChaosReport:
    """Runs the annotators under kills, then again in peace, and compares.

    `store` is that of the servers that are killed; a file by default.
    """
    started_s = time.monotonic()
    courses = [Course(seed * 1000 + number) for number in range(annotators)]
    waits_s: list[float] = []
    with tempfile.TemporaryDirectory(prefix="seem-chaos-") as folder:
        flags = ("--bundle", bundle, *PATIENT, "--store")
        gateways = Gateways(plan, *flags, store or f"sqlite:{folder}/sessions.sqlite")
        async with gateways:
            model = await _under_kills(gateways, courses, kills, waits_s)
        async with ServerProcess(*flags, f"sqlite:{folder}/peaceful.sqlite") as peaceful:
            reference = await _in_peace(peaceful.address, courses)
    return ChaosReport(
        model=model,
        annotators=annotators,
        gateways=plan.count,
        kills=gateways.n_killed,
        stops=gateways.n_stopped,
        sessions_lost=sum(one.lost for one in courses),
        commands=sum(len(one.moves) for one in courses),
        answers_lost=sum(map(_n_different, courses, reference)),
        masks_different=sum(map(_n_masks_different, courses, reference)),
        hung=sum(one.hung for one in courses),
        failed=sum(len(one.failed) for one in courses),
        longest_wait_s=max(waits_s, default=0.0),
        seconds=time.monotonic() - started_s,
        codes=Counter(code for one in courses for code in one.failed),
    )


def as_text(report: ChaosReport) -> str:
    """The report as lines."""
    held = "nothing was lost" if report.nothing_was_lost else "SOMETHING WAS LOST"
    codes = ", ".join(f"{count} {code}" for code, count in sorted(report.codes.items()))
    stops = f", {report.stops} stops of {report.gateways} gateways" if report.gateways > 1 else ""
    extent = f"{report.kills} kills{stops}, {report.commands} commands in {report.seconds:.0f} s"
    return "\n".join(
        [
            f"{report.model}, {report.annotators} annotators, {extent}",
            f"sessions that are lost   {report.sessions_lost}",
            f"answers that differ      {report.answers_lost}",
            f"masks that differ        {report.masks_different}",
            f"commands that hung       {report.hung}",
            f"commands that failed     {report.failed}  {codes}".rstrip(),
            f"longest wait             {report.longest_wait_s:.1f} s",
            held,
        ]
    )


async def _under_kills(
    gateways: Gateways,
    courses: Sequence[Course],
    kills: int,
    waits_s: list[float],
) -> str:
    """Plays all courses while servers are killed; what they said and were told is in them."""
    over = asyncio.Event()
    async with seem_client.connect_async(
        gateways.address, token="", reconnect_s=2 * STARTING_S, timeout_s=5 * STARTING_S
    ) as client:
        async with asyncio.TaskGroup() as tasks:
            for course in courses:
                tasks.create_task(_annotate(client, course, over, waits_s))
            await _kill_again_and_again(gateways, kills, waits_s, 2 * len(courses))
            over.set()
        return (await client.model()).model_id


async def _kill_again_and_again(
    gateways: Gateways, kills: int, waits_s: Sequence[float], most_answers: int
) -> None:
    """Kills and starts; `waits_s` has an entry for each answer."""
    chance = random.Random(kills)  # noqa: S311  (not a secret)
    with progress(kills, "kill") as done:
        while gateways.n_killed < kills:
            enough = len(waits_s) + chance.randint(0, most_answers)
            end_s = time.monotonic() + LONGEST_LIFE_S
            while len(waits_s) < enough and time.monotonic() < end_s:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await asyncio.sleep(chance.uniform(0, LAST_MOMENTS_S))
            before = gateways.n_killed
            await gateways.strike(chance)
            for _ in range(gateways.n_killed - before):
                done()


async def _annotate(
    client: AsyncClient, course: Course, over: asyncio.Event, waits_s: list[float]
) -> None:
    """Goes on until `over`; then somebody else attaches, sees what stands, and ends the session."""
    chance = random.Random(course.seed)  # noqa: S311  (not a secret)
    session = await client.open(_image(course.seed))
    while not over.is_set() and not course.hung:
        move = _next_move(chance)
        began_s = time.monotonic()
        told = await _answer(session, move, course)
        waits_s.append(time.monotonic() - began_s)
        course.moves.append(move)
        course.told.append(told)
        await asyncio.sleep(chance.uniform(0, PAUSE_S))
    course.standing = _standing(session)
    await session.leave()
    try:
        async with client.attach(session.id) as again:
            course.attached = _standing(again)
    except SeemError:
        course.lost = True


async def _in_peace(address: str, courses: Sequence[Course]) -> list[Course]:
    """The same commands, said to a server that nobody kills."""
    played = [Course(course.seed) for course in courses]
    async with seem_client.connect_async(address, token="") as client:
        for course, again in zip(courses, played, strict=True):
            async with client.open(_image(course.seed)) as session:
                for move in course.moves:
                    again.moves.append(move)
                    again.told.append(await _answer(session, move, again))
                again.standing = again.attached = _standing(session)
    return played


async def _answer(session: AsyncSession, move: Move, course: Course) -> Told:
    try:
        async with asyncio.timeout(HUNG_S):
            return _told(await _says(session, move))
    except CallerError as refusal:
        return ("refused", refusal.code)
    except TimeoutError:
        course.hung += 1
        return ("hung",)
    except SeemError as error:
        course.failed.append(error.code)
        return ("failed", error.code)


def _says(session: AsyncSession, move: Move) -> Awaitable[Prediction | None]:
    x0, y0, x1, y1 = move.where
    one = move.object_id
    says: dict[str, Callable[[], Awaitable[Prediction | None]]] = {
        "click": lambda: session.click(x0, y0, object_id=one),
        "not": lambda: session.click(x0, y0, positive=False, object_id=one),
        "box": lambda: session.box(x0, y0, x1, y1, object_id=one),
        "scribble": lambda: session.scribble([(x0, y0), (x1, y1)], object_id=one),
        "undo": session.undo,
        "redo": session.redo,
        "undo one": lambda: session.undo(object_id=one),
        "redo one": lambda: session.redo(object_id=one),
        "remove": lambda: session.remove(one),
        "clear": session.clear,
    }
    return says[move.kind]()


def _next_move(chance: random.Random) -> Move:
    (kind,) = chance.choices(list(_MOVES), list(_MOVES.values()))
    height, width = IMAGE_SIZE
    xs = sorted((chance.uniform(2, width / 2), chance.uniform(width / 2 + 5, width - 2)))
    ys = sorted((chance.uniform(2, height / 2), chance.uniform(height / 2 + 5, height - 2)))
    return Move(kind, chance.randint(1, MOST_OBJECTS), (xs[0], ys[0], xs[1], ys[1]))


def _told(answer: Prediction | None) -> Told:
    return ("nothing",) if answer is None else (answer.object_id, answer.rle, answer.score)


def _standing(session: AsyncSession) -> Told:
    return tuple(_told(one) for _, one in sorted(session.predictions.items()))


def _n_different(course: Course, reference: Course) -> int:
    return sum(one != other for one, other in zip(course.told, reference.told, strict=True))


def _n_masks_different(course: Course, reference: Course) -> int:
    """Masks that stand otherwise than in peace, for the annotator and for who attached."""
    return sum(
        len(set(stands) ^ set(reference.standing)) for stands in (course.standing, course.attached)
    )


def _image(seed: int) -> Pixels:
    noise = np.random.default_rng(seed).integers(0, 256, (*IMAGE_SIZE, 3))
    return noise.astype(np.uint8)
