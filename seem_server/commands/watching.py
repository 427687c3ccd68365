"""`seem bench watching` and `keeping`: what it costs a click that metrics, or sessions, are kept.

Two servers of one bundle, each in a process of its own, one with metrics and one without (or one
with a SQLite store and one with the memory's), are clicked in turn, so that whatever else the
machine does slows both alike.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

import seem_client
from seem_server import settings
from seem_server.commands.bench import COURSE, IMAGE_SIZE, WARM_UP_CLICKS, Spread, made_photos
from seem_server.commands.progress import progress
from seem_server.commands.reach import free_port, server_process

if TYPE_CHECKING:
    import argparse

    from seem_client import Client, Session


@dataclass(frozen=True, slots=True)
class WatchingBench:
    """What clicking costs without and with what is measured.

    Attributes:
        what: "watching" or "keeping".
        plain_ms, watched_ms: The client's time for a click on a cached image.
        ratio: Median with it for each median without.
    """

    what: str

    model: str
    provider: str
    clicks: int
    plain_ms: Spread
    watched_ms: Spread
    ratio: float


def run(arguments: argparse.Namespace) -> int:
    """Measures; gives the exit code.

    Raises:
        SeemError: A server cannot be had.
    """
    plain = replace(settings.read(arguments, os.environ), metrics_port=0, store="memory")
    with ExitStack() as stack:
        if arguments.what == "watching":
            watched = replace(plain, metrics_port=free_port())
        else:
            folder = stack.enter_context(TemporaryDirectory(prefix="seem-keeping-"))
            watched = replace(plain, store=f"sqlite:{folder}/sessions.sqlite")
        addresses = [stack.enter_context(server_process(one)) for one in (plain, watched)]
        clients = [stack.enter_context(seem_client.connect(one, token="")) for one in addresses]
        result = bench_watching(*clients, n_clicks=max(arguments.clicks, 1), what=arguments.what)
    print(json.dumps(asdict(result)) if arguments.json else as_text(result))
    return 0


def bench_watching(
    plain: Client, watched: Client, *, n_clicks: int, what: str = "watching"
) -> WatchingBench:
    """Clicks all over one image, now on the one server and now on the other."""
    height, width = IMAGE_SIZE
    photo = next(made_photos(1))
    places = np.random.default_rng(0).uniform(0.1, 0.9, (n_clicks + WARM_UP_CLICKS, 2))
    plain_ms: list[float] = []
    watched_ms: list[float] = []
    with (
        plain.open(photo) as one,
        watched.open(photo) as other,
        progress(len(places), "click") as done,
    ):
        for number, (x, y) in enumerate((places * (width, height)).tolist()):
            turns = [(one, plain_ms), (other, watched_ms)]
            for session, times_ms in turns if number % 2 else reversed(turns):
                if number % COURSE == 0:
                    session.clear()
                times_ms.append(_click_ms(session, x, y))
            done()
    without, with_metrics = (Spread.of(one[WARM_UP_CLICKS:]) for one in (plain_ms, watched_ms))
    model = plain.model()
    return WatchingBench(
        what=what,
        model=model.model_id,
        provider=model.provider,
        clicks=n_clicks,
        plain_ms=without,
        watched_ms=with_metrics,
        ratio=with_metrics.p50 / without.p50,
    )


def _click_ms(session: Session, x: float, y: float) -> float:
    start = time.perf_counter()
    session.click(x, y)
    return (time.perf_counter() - start) * 1000


def as_text(result: WatchingBench) -> str:
    """The result as a table."""
    kept = {"watching": "metrics", "keeping": "a SQLite store"}[result.what]
    rows = [
        (f"click, without {kept}", result.plain_ms),
        (f"click, with {kept}", result.watched_ms),
    ]
    lines = [f"{'milliseconds':<42}{'p50':>9}{'p95':>9}"]
    lines += [f"{name:<42}{one.p50:>9.2f}{one.p95:>9.2f}" for name, one in rows]
    lines.append(f"{'with / without':<42}{result.ratio:>9.3f}")
    lines.append(f"{result.model} on {result.provider}: {result.clicks} clicks on each, in turn")
    return "\n".join(lines)
