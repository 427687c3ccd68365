"""`seem bench`: how fast the server is, and what it adds to the model and to gRPC."""

from __future__ import annotations

import importlib
import json
import textwrap
import time
from argparse import SUPPRESS
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from seem_server.commands.echo import echo_process
from seem_server.commands.measuring import positive
from seem_server.commands.progress import progress
from seem_server.commands.reach import add_reach_options, reach_process
from seem_wire import types
from seem_wire.convert import command_to_proto, reply_to_proto
from seem_wire.errors import InvalidValue
from seem_wire.prompts import ObjectPrompt, Point

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from seem_client import Client, Prediction
    from seem_server.commands.echo import Echo
    from seem_wire.types import Timings

    Pixels = npt.NDArray[np.uint8]

Value = TypeVar("Value")

IMAGE_SIZE = (868, 1152)  # (height, width): one megapixel
BENCHES = {
    "click": "latency of clicks and images, and what is added to the model and to gRPC",
    "watching": "what keeping metrics costs a click",
    "keeping": "what keeping sessions in SQLite costs a click",
    "chaos": "what is lost when a server is killed again and again under annotators",
    "floor": "what each stage costs, for each least that its arithmetic costs on this machine",
    "load": "what becomes of clicks at 4 times the capacity, and of a light tenant beside it",
    "replicas": "how many more clicks more replicas in Ray answer",
    "rivals": "the same pictures and clicks through other programs, side by side",
    "scale": "how many machines a thousand annotators need, simulated from measured times",
    "soak": "what many clicks with cancels and disconnects leave behind",
    "video": "what following objects costs a frame, for how long a video, and what it leaves",
}

DEFAULT = "click"

LEGENDS = {
    "chaos": (
        "A kill takes about a quarter of a minute, with what is answered around it and compared "
        "afterwards: the usual 200 take most of an hour, --kills 4 about a minute."
    ),
    "floor": (
        "A ceiling is the most that was measured on this machine: of operations in a product of "
        "matrices or the quickest kernel, of bytes in copies within the caches. floor: the least "
        "time of a stage's operations (MFLOP) and of the bytes that no program could spare (MB), "
        "at these. kernels: a graph's steps; their floor counts what each of them reads and "
        "writes besides. least / floor is of the quickest run, which others on the machine "
        "disturbed least; p50 / floor of the usual one. 1 is as quick as can be."
    ),
    "scale": (
        "affinity: a click goes to the machine that encoded its image; any: to the less busy of "
        "two. batched: clicks share a run. annotators a machine: as many as one alone answers in "
        "time. machines: the fewest that do so for all. busy: the share of the time in which they"
        " work. encodings an image: what is above 1 was encoded again."
    ),
}
"""What is told under a benchmark's help, and under its table."""

COUNTS = {
    "clicks": (300, "clicks to time"),
    "images": (10, "new images to time"),
    "kills": (200, "times to kill"),
    "annotators": (16, "who click at the same time"),
    "seconds": (20, "of each part"),
    "sessions": (64, "that click at the same time"),
    "frames": (2000, "of the video"),
}
"""What can be said of how much is measured: the usual number, and its meaning."""

COUNTS_OF: dict[str, tuple[str, ...]] = {
    "click": ("clicks", "images"),
    "watching": ("clicks",),
    "keeping": ("clicks",),
    "chaos": ("kills", "annotators"),
    "floor": ("clicks",),
    "replicas": ("seconds",),
    "rivals": ("images",),
    "scale": ("clicks", "images", "seconds"),
    "load": ("seconds", "sessions"),
    "soak": ("clicks", "annotators"),
    "video": ("frames",),
}

OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "chaos": {
        "gateways": {"type": positive, "metavar": "N", "help": "servers over one store (1)"},
        "front": {"metavar": "FILE", "help": "an Envoy's file, such as deploy/envoy/envoy.yaml"},
        "store": {"help": "what keeps their sessions (a new file)"},
        "ray": {"type": positive, "metavar": "N", "help": "replicas in Ray, killed instead (none)"},
    },
    "rivals": {
        "checkpoint": {"metavar": "FILE", "help": "a published one (made-up weights)"},
        "variant": {"help": "of the checkpoint, where its file fits several"},
        "published": {"metavar": "DIR", "help": "the bundle of it (it is converted: minutes)"},
    },
    "scale": {
        "times": {"metavar": "FILE", "help": "another machine's, in JSON (this one is measured)"},
        "price": {"type": float, "metavar": "N", "help": "what a machine costs an hour"},
        "check": {"action": "store_true", "help": "have real annotators click, too"},
    },
}
"""What else can be said of one benchmark alone; in brackets what holds where it is not."""

UNSAID = {"gateways": 1, "ray": 0, "check": False}

ELSEWHERE = {
    "watching": "watching",
    "keeping": "watching",
    "chaos": "chaos",
    "floor": "floor",
    "load": "load",
    "replicas": "replicas",
    "rivals": "rivals",
    "scale": "scale",
    "soak": "soak",
    "video": "filming",
}
"""The modules of all benchmarks but the one here: seconds to import, so one at a time."""

OF_SEVERAL = frozenset({"watching", "keeping", "chaos", "rivals", "replicas"})

COURSE = 5
"""Clicks on an object before the next object: what an annotator needs for most."""

WARM_UP_CLICKS = 10

DISC_GRID = (4, 6)
"""(rows, columns) of the small things on their photo: far apart, so that no window shows two."""

DISC_RADIUS = 20
BESIDE = 6
"""Pixels from a disc's middle to where it is clicked again."""

WINDOW_SHARE = 0.1
"""A click that spends more than this share of a new image's encoding on encoding has encoded a
window. One that encodes nothing spends the time of looking that up."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of times, in milliseconds."""

    p50: float
    p95: float

    @classmethod
    def of(cls, times_ms: list[float]) -> Spread:
        """The percentiles of at least one time."""
        p50, p95 = np.percentile(times_ms, [50, 95])
        return cls(float(p50), float(p95))


@dataclass(frozen=True, slots=True)
class SmallThings:
    """What clicking costs where a bundle may look closer.

    Attributes:
        count: How many things were clicked twice.
        first_click_ms: The server's time for the first click on each, on a cached image; includes
            encoding a window around it, where the bundle does that.
        later_click_ms: The server's time for the click after that, on the same thing.
        window_share: The share of first clicks that encoded a window.
    """

    count: int
    first_click_ms: Spread
    later_click_ms: Spread
    window_share: float

    @classmethod
    def of(cls, clicked: Sequence[ClickedTwice], image_encode_ms: float) -> SmallThings:
        """What at least one thing comes to, where a new image is encoded in `image_encode_ms`."""
        least_ms = WINDOW_SHARE * image_encode_ms
        return cls(
            count=len(clicked),
            first_click_ms=Spread.of([one.first.total_ms for one in clicked]),
            later_click_ms=Spread.of([one.later.total_ms for one in clicked]),
            window_share=float(np.mean([one.first.encode_ms > least_ms for one in clicked])),
        )


@dataclass(frozen=True, slots=True)
class ClickBench:
    """What clicking costs.

    Attributes:
        click_ms: The server's time for a click on a cached image, from command to reply.
        model_ms: Of this, the model's part: decoding and what makes its output a mask.
        round_trip_ms: The client's time for the same clicks, from call to prediction.
        overhead_ms: What the round trip has beyond the model's part.
        echo_ms: A bare gRPC echo of messages of the same sizes, measured in between.
        overhead_ratio: Median overhead for each median echo.
        encode_ms: The server's time to encode a new image of IMAGE_SIZE.
        first_mask_ms: The client's time from opening a new image, a JPEG, to the first mask.
        small_things: Clicks on what is small, which a bundle may look at closer.
    """

    model: str
    provider: str
    clicks: int
    images: int
    click_ms: Spread
    model_ms: Spread
    round_trip_ms: Spread
    overhead_ms: Spread
    echo_ms: Spread
    overhead_ratio: float
    encode_ms: Spread
    first_mask_ms: Spread
    small_things: SmallThings


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command, and its benchmarks; `click` is the one where none is named."""
    parser = subparsers.add_parser(
        "bench",
        help="measure speed, and what is held under stress",
        description=f"Measures {BENCHES[DEFAULT]}; or what else is named.",
    )
    _add_options(parser, COUNTS, shown=COUNTS_OF[DEFAULT])
    names = parser.add_subparsers(dest="what", metavar="[WHAT]", title="what else is measured")
    for name, meaning in BENCHES.items():
        # What is not said here stands as it was said, or not, before the name.
        one = names.add_parser(
            name,
            help=meaning,
            description=f"Measures {meaning}.",
            epilog=LEGENDS.get(name),
            argument_default=SUPPRESS,
        )
        _add_options(one, COUNTS_OF[name], shown=COUNTS_OF[name])
        for option, how in OPTIONS.get(name, {}).items():
            one.add_argument(f"--{option}", **how)
    unsaid = {option: UNSAID.get(option) for options in OPTIONS.values() for option in options}
    parser.set_defaults(what=DEFAULT, **unsaid)


def _add_options(
    parser: argparse.ArgumentParser, names: Iterable[str], *, shown: Collection[str]
) -> None:
    """Adds counts and what all benchmarks take; of the counts those of other ones are not shown."""
    for name in names:
        usual, meaning = COUNTS[name]
        told = f"{meaning} (default: {usual})" if name in shown else SUPPRESS
        default = SUPPRESS if parser.argument_default == SUPPRESS else usual
        parser.add_argument(f"--{name}", type=positive, default=default, metavar="N", help=told)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_reach_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measures; gives the exit code.

    Raises:
        InvalidValue: A server is named to a benchmark that runs its own.
        SeemError: The server cannot be had.
    """
    if arguments.what in ELSEWHERE:
        if arguments.server is not None:
            own = "servers" if arguments.what in OF_SEVERAL else "a server"
            raise InvalidValue(f"This runs {own} of its own: leave --server out.")
        module = importlib.import_module(f"seem_server.commands.{ELSEWHERE[arguments.what]}")
        code: int = module.run(arguments)
        return code
    with reach_process(arguments) as client, echo_process() as echo:
        result = bench_click(
            client, echo, n_clicks=max(arguments.clicks, 1), n_images=max(arguments.images, 1)
        )
    print(json.dumps(asdict(result)) if arguments.json else as_text(result))
    return 0


def bench_click(client: Client, echo: Echo, *, n_clicks: int, n_images: int) -> ClickBench:
    """Times first masks of new images, then clicks and echoes in turn, then small things."""
    images = made_photos(2 * n_images + 1)
    first_mask_ms(client, next(images))  # wakes threads and memory up
    with progress(2 * n_images, "image") as done:
        encodes = [_then(done, encode_ms(client, next(images))) for _ in range(n_images)]
        firsts = [_then(done, first_mask_ms(client, image)) for image in images]
    with progress(n_clicks + WARM_UP_CLICKS, "click") as done:
        timed = timed_clicks(client, echo, n_clicks + WARM_UP_CLICKS)
        clicks = [_then(done, one) for one in timed][WARM_UP_CLICKS:]
    model_ms = [one.model_ms for one in clicks]
    overhead_ms = [one.round_trip_ms - one.model_ms for one in clicks]
    echo_ms = [one.echo_ms for one in clicks]
    encoding = Spread.of(encodes)
    model = client.model()
    return ClickBench(
        model=model.model_id,
        provider=model.provider,
        clicks=len(clicks),
        images=len(firsts),
        click_ms=Spread.of([one.server_ms for one in clicks]),
        model_ms=Spread.of(model_ms),
        round_trip_ms=Spread.of([one.round_trip_ms for one in clicks]),
        overhead_ms=Spread.of(overhead_ms),
        echo_ms=Spread.of(echo_ms),
        overhead_ratio=float(np.median(overhead_ms) / np.median(echo_ms)),
        encode_ms=encoding,
        first_mask_ms=Spread.of(firsts),
        small_things=SmallThings.of(list(clicked_twice(client)), encoding.p50),
    )


def _then(done: Callable[[], object], value: Value) -> Value:
    """`value`, after `done` was called."""
    done()
    return value


def encode_ms(client: Client, image: bytes) -> float:
    """How long the server encodes a new image; without a session, which would get a head start.

    A box around all of it is asked, so that nothing small is looked at again.
    """
    height, width = IMAGE_SIZE
    return client.segment(image, box=(0, 0, width, height)).timings.encode_ms


def first_mask_ms(client: Client, image: bytes) -> float:
    """How long a client waits from opening a new image to the mask of a click in its middle."""
    height, width = IMAGE_SIZE
    start = time.perf_counter()
    with client.open(image) as session:
        session.click(width / 2, height / 2)
        return (time.perf_counter() - start) * 1000


@dataclass(frozen=True, slots=True)
class TimedClick:
    """One click on a cached image and an echo of the same sizes right after it."""

    server_ms: float
    model_ms: float
    round_trip_ms: float
    echo_ms: float


def timed_clicks(client: Client, echo: Echo, n_clicks: int) -> Iterator[TimedClick]:
    """Clicks all over one image, COURSE clicks an object, with an echo after each."""
    height, width = IMAGE_SIZE
    places = np.random.default_rng(0).uniform(0.1, 0.9, (n_clicks, 2)) * (width, height)
    with client.open(next(made_photos(1))) as session:
        session.click(width / 2, height / 2)
        for number, (x, y) in enumerate(places.tolist()):
            if number % COURSE == 0:
                session.clear()
            start = time.perf_counter()
            prediction = session.click(x, y)
            round_trip_ms = (time.perf_counter() - start) * 1000
            timings = prediction.timings
            yield TimedClick(
                server_ms=timings.total_ms,
                model_ms=timings.decode_ms + timings.post_ms,
                round_trip_ms=round_trip_ms,
                echo_ms=echo.round_trip_ms(_click_bytes(x, y), _reply_bytes(prediction)),
            )


@dataclass(frozen=True, slots=True)
class ClickedTwice:
    """Where the server's time went for the first click on a thing, and for the one after it."""

    first: Timings
    later: Timings


def clicked_twice(client: Client) -> Iterator[ClickedTwice]:
    """Clicks every disc of one image in its middle, as an object of its own, and then beside it."""
    height, width = IMAGE_SIZE
    with client.open(made_discs()) as session:
        session.click(width / 2, height / 2)  # between discs: the image is encoded after this
        session.clear()
        for object_id, (x, y) in enumerate(disc_places(), 1):
            first = session.click(x, y, object_id=object_id)
            later = session.click(x + BESIDE, y, object_id=object_id)
            yield ClickedTwice(first.timings, later.timings)


def _click_bytes(x: float, y: float) -> int:
    one = types.PromptedObject(1, ObjectPrompt(points=(Point(x, y),)))
    return command_to_proto(types.Prompt(1000, (one,))).ByteSize()


def _reply_bytes(prediction: Prediction) -> int:
    one = types.ObjectMask(
        prediction.object_id,
        prediction.rle,
        prediction.score,
        prediction.box,
        prediction.area,
        prediction.label,
        prediction.label_probability,
        prediction.round,
        prediction.box,
    )
    reply = types.Masks(1000, (one,), (), prediction.timings, True, prediction.model_id)
    return reply_to_proto(reply).ByteSize()


def made_photos(count: int) -> Iterator[bytes]:
    """JPEG files of IMAGE_SIZE, each another: soft colours with some grain, as photos have."""
    for number in range(count):
        yield _jpeg(_soft_photo(number))


def made_discs() -> bytes:
    """A JPEG file of IMAGE_SIZE: soft colours, on which light and dark discs lie."""
    photo = 96 + _soft_photo(0) // 4
    height, width = IMAGE_SIZE
    rows, columns = np.mgrid[:height, :width] + 0.5
    for number, (x, y) in enumerate(disc_places()):
        disc = (columns - x) ** 2 + (rows - y) ** 2 <= DISC_RADIUS**2
        photo[disc] = 250 if number % 2 else 5
    return _jpeg(photo)


def disc_places() -> list[tuple[float, float]]:
    """(x, y) of the discs' middles, in pixels of IMAGE_SIZE."""
    height, width = IMAGE_SIZE
    rows, columns = DISC_GRID
    return [
        ((column + 0.5) * width / columns, (row + 0.5) * height / rows)
        for row in range(rows)
        for column in range(columns)
    ]


def _soft_photo(number: int) -> Pixels:
    """RGB, (H, W, 3) of IMAGE_SIZE."""
    from PIL import Image  # noqa: PLC0415 - only where pictures are made

    height, width = IMAGE_SIZE
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    soft = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    grain = rng.normal(0, 6, (height, width, 1))
    photo: Pixels = (soft + grain).clip(0, 255).astype(np.uint8)
    return photo


def _jpeg(pixels: Pixels) -> bytes:
    from PIL import Image  # noqa: PLC0415 - as above

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def legend(name: str) -> list[str]:
    """The lines under a benchmark's table that say what its columns mean."""
    return ["", *textwrap.wrap(LEGENDS[name], 100)]


def as_text(result: ClickBench) -> str:
    """The result as a table, beside the goals."""
    height, width = IMAGE_SIZE
    small = result.small_things
    rows = [
        ("click on a cached image, server side", result.click_ms, "p50 ≤ 15 (lite, 2 cores)"),
        ("  of which the model", result.model_ms, ""),
        ("click, as the client sees it", result.round_trip_ms, ""),
        ("  beyond the model", result.overhead_ms, ""),
        ("bare gRPC echo of equal sizes", result.echo_ms, ""),
        (f"encoding a new {width} x {height} image", result.encode_ms, ""),
        ("first mask of a new image", result.first_mask_ms, "≤ 250 (lite, 2 cores)"),
        ("first click on a small thing, server side", small.first_click_ms, ""),
        ("later click on it, server side", small.later_click_ms, ""),
    ]
    lines = [f"{'milliseconds':<42}{'p50':>9}{'p95':>9}   goal"]
    lines += [f"{name:<42}{one.p50:>9.2f}{one.p95:>9.2f}   {goal}" for name, one, goal in rows]
    share, times = f"{100 * small.window_share:.0f} %", f"of {small.count} times"
    lines.append(f"{'  the first includes encoding a window':<42}{share:>9}{'':>9}   {times}")
    ratio = f"{result.overhead_ratio:.2f}"
    lines.append(f"{'beyond the model / echo':<42}{ratio:>9}{'':>9}   ≤ 2")
    lines.append(
        f"{result.model} on {result.provider}: {result.clicks} clicks, {result.images} images"
    )
    return "\n".join(lines)
