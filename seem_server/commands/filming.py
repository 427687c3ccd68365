"""`seem bench video`: what following objects costs, for how long a video, and what it leaves.

The frames are drawn by rule: discs that circle before a textured ground that moves. They come live,
one after the other, so that each is waited for; what is compared is measured in turn, so that
whatever else the machine does slows both alike. The server runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, overload
from urllib.request import urlopen

import numpy as np

import seem_client
from seem_server import settings
from seem_server.commands.goals import Bound, Goal, Measured, Verdict, as_lines, judged
from seem_server.commands.progress import progress
from seem_server.commands.reach import free_port, server_process
from seem_server.session.records import replay

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import numpy.typing as npt

    from seem_client import Client, TrackedFrame, Video

    Pixels = npt.NDArray[np.uint8]

SIZE = (180, 240)  # (height, width)
GRID = (2, 4)
RADIUS, ORBIT = 16, 14
"""Pixels of a disc, and of the circle that its middle goes round within its place of GRID."""

MANY = GRID[0] * GRID[1]
TURN = 90
"""Frames in which a disc goes round once."""

N_SAMPLES = 200
ROUNDS = 60
"""Frames, encodes and clicks that are compared with each other."""

WARM_UP = 5
TRIES = 5
LENGTHS = (10, 10_000)
STOP_AFTER, SETTLING_S = 5, 0.5
_FOLLOWED = 'seem_tickets_total{class="follow",end="done"}'

_CACHES_BYTES = 64 * 1024**2
"""Small, so that they are full long before half time: what grows then is a leak."""

GOALS = (
    Goal("growth", "growth of resident memory in the last half", Bound.MOST, 2.0, "%", 1),
    Goal("last_to_first", "last tenth's encodes a frame / first's", Bound.MOST, 1.2, digits=2),
    Goal("many_to_one", f"time a frame with {MANY} objects / with 1", Bound.MOST, 3.0, digits=2),
    Goal("live_to_parts", "frame in, mask out / (encode + 2 clicks)", Bound.MOST, 1.0, digits=2),
    Goal("long_to_short", "first mask of 10 000 frames / of 10", Bound.MOST, 1.2, digits=2),
    Goal("after_stop", "frames computed after a stop, at most", Bound.MOST, 1.0, digits=0),
    Goal("on_target", "frames with the disc's middle in its mask", Bound.LEAST, 95.0, "%", 1),
)


@dataclass(frozen=True, slots=True)
class LongVideo:
    """A long video with one object.

    Attributes:
        resident_mb: Of the server's process, at intervals; `growth` is that of the last half.
        first_ms, last_ms: Median time a frame in the first tenth and in the last.
        first_encodes, last_encodes: The same, measured by what encoding the frame took, which tells
            what following adds whatever else the machine does meanwhile.
        state_bytes, log_bytes: What the session came to: pickled, and in the store.
        on_target: Share of the frames with the object's middle in its mask.
    """

    n_frames: int
    resident_mb: list[float]
    growth: float
    first_ms: float
    last_ms: float
    first_encodes: float
    last_encodes: float
    state_bytes: int
    log_bytes: int
    on_target: float


@dataclass(frozen=True, slots=True)
class Side:
    """Medians of what was measured in turn, in milliseconds.

    Attributes:
        one_ms, many_ms: From a live frame to its masks, as the client sees it.
        encode_ms, click_ms: The server's time to encode such a frame, and for a click on one.
    """

    one_ms: float
    many_ms: float
    encode_ms: float
    click_ms: float


@dataclass(frozen=True, slots=True)
class VideoBench:
    """What following costs.

    Attributes:
        first_mask_ms: Median time from opening a video of so many frames to the first mask.
        after_stop: How many frames more than it gave out the server computed, in each try.
    """

    model: str
    provider: str
    long: LongVideo
    side: Side
    first_mask_ms: dict[int, float]
    after_stop: list[int]


# --- frames


def place(number: int, disc: int) -> tuple[float, float]:
    """(x, y) of a disc's middle in a frame."""
    height, width = SIZE
    row, column = divmod(disc, GRID[1])
    angle = 2 * np.pi * (number / TURN + disc / MANY)
    x = (column + 0.5) * width / GRID[1] + ORBIT * np.cos(angle)
    y = (row + 0.5) * height / GRID[0] + ORBIT * np.sin(angle)
    return float(x), float(y)


class Film(Sequence[bytes]):
    """Frames as JPEG files, drawn when they are asked for; each `take` has a ground of its own."""

    def __init__(self, n_frames: int, take: int) -> None:
        self._n_frames = n_frames
        self._ground = _ground(take)

    def __len__(self) -> int:
        return self._n_frames

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(self._n_frames))]
        if not 0 <= index < self._n_frames:
            raise IndexError(index)
        return _jpeg(self.picture(index))

    def picture(self, number: int) -> Pixels:
        """RGB, (H, W, 3) of SIZE."""
        pixels: Pixels = np.roll(self._ground, (number, 2 * number), axis=(0, 1)).copy()
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
        for disc in range(MANY):
            x, y = place(number, disc)
            inside = (columns - x) ** 2 + (rows - y) ** 2 <= RADIUS**2
            pixels[inside] = [255 * (disc >> shift & 1) for shift in (0, 1, 2)]
        return pixels


def _ground(take: int) -> Pixels:
    from PIL import Image  # noqa: PLC0415 - only where pictures are made

    height, width = SIZE
    chance = np.random.default_rng(take)
    coarse = Image.fromarray(chance.integers(70, 190, (9, 12, 3), np.uint8))
    soft = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    ground: Pixels = (soft + chance.normal(0, 10, (height, width, 1))).clip(0, 255).astype(np.uint8)
    return ground


def _jpeg(pixels: Pixels) -> bytes:
    from PIL import Image  # noqa: PLC0415 - as above

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


# --- measuring


def run(arguments: argparse.Namespace) -> int:
    """Measures; gives the exit code.

    Raises:
        SeemError: The server cannot be had, or follows nothing.
    """
    port = free_port()
    with TemporaryDirectory(prefix="seem-video-") as folder:
        store = Path(folder) / "sessions.sqlite"
        own = replace(
            settings.read(arguments, os.environ),
            metrics_port=port,
            store=f"sqlite:{store}",
            images_bytes=_CACHES_BYTES,
            features_bytes=_CACHES_BYTES,
            memory_bytes=_CACHES_BYTES,
        )
        with server_process(own) as address, seem_client.connect(address, token="") as client:
            result = bench_video(client, port, store, n_frames=arguments.frames)
    print(json.dumps(as_json(result)) if arguments.json else as_text(result))
    return 0


def bench_video(client: Client, port: int, store: Path, *, n_frames: int) -> VideoBench:
    """Measures the server whose metrics are told at `port`, and that keeps sessions in `store`."""
    model = client.model()
    first_mask_ms(client, LENGTHS[0], 0)  # wakes threads and memory up
    side = measured_in_turn(client)
    tries = [(length, 100 * length + turn) for turn in range(TRIES) for length in LENGTHS]
    firsts = [(length, first_mask_ms(client, length, take)) for length, take in tries]
    return VideoBench(
        model=model.model_id,
        provider=model.provider,
        side=side,
        first_mask_ms={
            length: float(np.median([took for of, took in firsts if of == length]))
            for length in LENGTHS
        },
        after_stop=[after_stop(client, port, take) for take in range(50, 50 + TRIES)],
        long=follow_long(client, port, store, n_frames=n_frames),
    )


def follow_long(client: Client, port: int, store: Path, *, n_frames: int) -> LongVideo:
    """Follows one disc through a live video."""
    times_ms, encodes, resident_mb, hits = [], [], [], 0
    every = max(n_frames // N_SAMPLES, 1)
    live = Live(Film(n_frames, 1))
    with client.track(live) as video, progress(n_frames - 1, "frame") as done:
        for tracked, took_ms in timed(video, live, n_objects=1):
            times_ms.append(took_ms)
            encodes.append(took_ms / tracked.predictions[1].timings.encode_ms)
            hits += _is_hit(tracked)
            done()
            if tracked.index % every == 0:
                resident_mb.append(_metric(port, "seem_resident_memory_bytes") / 1e6)
        state_bytes, log_bytes = _kept(client, store, video.id)
    tenth = max(len(times_ms) // 10, 1)
    return LongVideo(
        n_frames=len(times_ms),
        resident_mb=[round(one, 1) for one in resident_mb],
        growth=_mean(resident_mb, 0.9, 1.0) / _mean(resident_mb, 0.5, 0.6) - 1,
        first_ms=float(np.median(times_ms[:tenth])),
        last_ms=float(np.median(times_ms[-tenth:])),
        first_encodes=float(np.median(encodes[:tenth])),
        last_encodes=float(np.median(encodes[-tenth:])),
        state_bytes=state_bytes,
        log_bytes=log_bytes,
        on_target=hits / len(times_ms),
    )


def measured_in_turn(client: Client) -> Side:
    """A live frame with one object, one with many, an encode and a click, again and again."""
    n_rounds = ROUNDS + WARM_UP
    still, other = Film(1, 4)[0], Film(n_rounds, 5)
    lone, crowd = (Live(Film(n_rounds + 1, take)) for take in (2, 3))
    took: dict[str, list[float]] = {"one": [], "many": [], "encode": [], "click": []}
    with (
        client.track(lone) as one,
        client.track(crowd) as many,
        client.open(still) as session,
    ):
        ones, manies = timed(one, lone, n_objects=1), timed(many, crowd, n_objects=MANY)
        for number in range(n_rounds):
            took["one"].append(next(ones)[1])
            took["many"].append(next(manies)[1])
            took["encode"].append(_encode_ms(client, other[number]))
            took["click"].append(session.click(*_between(number)).timings.total_ms)
            session.clear()
    middle = {name: float(np.median(times[WARM_UP:])) for name, times in took.items()}
    return Side(middle["one"], middle["many"], middle["encode"], middle["click"])


def first_mask_ms(client: Client, n_frames: int, take: int) -> float:
    """How long a client waits from opening a video, all of it there, to the first mask."""
    film = Film(n_frames, take)
    start = time.perf_counter()
    with client.track(film) as video:
        video.click(*place(0, 0), frame=0)
        return (time.perf_counter() - start) * 1000


def after_stop(client: Client, port: int, take: int) -> int:
    """How many frames more the server computes than were given out before the stop."""
    before = _metric(port, _FOLLOWED)
    with client.track(Film(60, take)) as video:
        video.click(*place(0, 0), frame=0)
        for tracked in video.propagate():
            if tracked.index == STOP_AFTER:
                break
        time.sleep(SETTLING_S)
        computed = _metric(port, _FOLLOWED) - before
    return int(computed) - STOP_AFTER  # the prompted frame keeps its mask


class Live:
    """Frames one by one; `spent_ms` is what drawing the newest took."""

    def __init__(self, film: Film) -> None:
        self._film, self.spent_ms = film, 0.0

    def __iter__(self) -> Iterator[bytes]:
        for number in range(len(self._film)):
            start = time.perf_counter()
            frame = self._film[number]
            self.spent_ms = (time.perf_counter() - start) * 1000
            yield frame


def timed(video: Video, live: Live, *, n_objects: int) -> Iterator[tuple[TrackedFrame, float]]:
    """Says the objects in the first frame and follows them; each frame after it with its time."""
    for disc in range(n_objects):
        video.click(*place(0, disc), frame=0, object_id=disc + 1)
    coming = video.propagate()
    next(coming)  # the prompted frame keeps its masks
    while True:
        start = time.perf_counter()
        tracked = next(coming, None)
        if tracked is None:
            return
        yield tracked, (time.perf_counter() - start) * 1000 - live.spent_ms


def _encode_ms(client: Client, image: bytes) -> float:
    height, width = SIZE
    return client.segment(image, box=(0, 0, width, height)).timings.encode_ms


def _between(number: int) -> tuple[float, float]:
    """Each time another place between the discs: what is small would be looked at twice."""
    return (number + 0.5) * SIZE[1] / (ROUNDS + WARM_UP), SIZE[0] / 2


def _is_hit(tracked: TrackedFrame) -> bool:
    x, y = place(tracked.index, 0)
    return bool(tracked.predictions[1].mask[int(y), int(x)])


def _kept(client: Client, store: Path, session_id: str) -> tuple[int, int]:
    """The bytes of a session's state, pickled, and of its log."""
    with closing(sqlite3.connect(store)) as kept:
        found = kept.execute("SELECT data FROM records WHERE session = ? ORDER BY n", (session_id,))
        records = [data for (data,) in found]
    state = replay(session_id, client.model(), records).state
    return len(pickle.dumps(state)), sum(map(len, records))


def _metric(port: int, name: str) -> float:
    """A metric by its name and labels; 0 where it was never counted."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        told = re.search(rf"^{re.escape(name)} (\S+)$", page.read().decode(), re.MULTILINE)
    return float(told[1]) if told else 0.0


def _mean(samples: list[float], first: float, last: float) -> float:
    """The mean of a stretch of the samples."""
    begin = int(first * len(samples))
    return float(np.mean(samples[begin : max(int(last * len(samples)), begin + 1)]))


# --- telling


def verdicts(result: VideoBench) -> tuple[Verdict, ...]:
    """The figures beside their goals."""
    long, side, firsts = result.long, result.side, result.first_mask_ms
    short_ms, long_ms = (firsts[length] for length in LENGTHS)
    parts_ms = side.encode_ms + 2 * side.click_ms
    resident = f"{long.resident_mb[len(long.resident_mb) // 2]} MB, then {long.resident_mb[-1]} MB"
    measured = {
        "growth": Measured(100 * long.growth, beside=f"{resident}; {long.n_frames} frames"),
        "last_to_first": Measured(
            long.last_encodes / long.first_encodes,
            beside=f"{long.last_ms:.1f} ms, {long.last_encodes:.2f} encodes; "
            f"at first {long.first_ms:.1f} ms, {long.first_encodes:.2f}",
        ),
        "many_to_one": Measured(
            side.many_ms / side.one_ms, beside=f"{side.many_ms:.1f} ms / {side.one_ms:.1f} ms"
        ),
        "live_to_parts": Measured(
            side.one_ms / parts_ms,
            beside=f"{side.one_ms:.1f} ms / ({side.encode_ms:.1f} ms + 2 x {side.click_ms:.1f} ms)",
        ),
        "long_to_short": Measured(
            long_ms / short_ms, beside=f"{long_ms:.1f} ms / {short_ms:.1f} ms"
        ),
        "after_stop": Measured(
            max(result.after_stop), beside=f"in {len(result.after_stop)} tries {result.after_stop}"
        ),
        "on_target": Measured(100 * long.on_target),
    }
    return tuple(judged(goal, measured[goal.key]) for goal in GOALS)


def as_json(result: VideoBench) -> dict[str, object]:
    """The result as one document."""
    goals = {
        one.goal.key: {
            "value": one.measured and one.measured.value,
            "limit": one.goal.limit,
            "met": one.met,
        }
        for one in verdicts(result)
    }
    return {"benchmark": "video", "goals": goals, **asdict(result)}


def as_text(result: VideoBench) -> str:
    """The result as a table, beside the goals."""
    height, width = SIZE
    long = result.long
    kept = f"{long.log_bytes / long.n_frames:.0f} bytes of log a frame, {long.state_bytes} of state"
    told = f"{result.model} on {result.provider}; {width} x {height} pixels, one after the other"
    return "\n".join([*as_lines(verdicts(result)), kept, told])
