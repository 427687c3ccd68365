"""`seem bench rivals`: the same pictures and clicks through other programs, side by side.

Each contestant is a process of its own, and they take turns, picture by picture, so that whatever
else the machine does is everybody's misfortune. Rivals are timed within their process, our servers
by their clients, through gRPC: from a JPEG to the first mask, and from a further click to its mask.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

import seem_client
from seem_server import settings
from seem_server.commands.bench import IMAGE_SIZE, Spread, made_photos
from seem_server.commands.clicks import iou
from seem_server.commands.progress import progress
from seem_server.commands.reach import server_process
from seem_server.runtime.bundle import read_bundle
from seem_wire import rle
from seem_wire.errors import InvalidValue, NotOffered
from seem_wire.rle import Rle

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from seem_client import Client
    from seem_server.settings import Settings

    Mask = npt.NDArray[np.bool_]
    Click = tuple[float, float, bool]

VARIANT = "focalt_v1"
"""The published model whose program and shapes, with weights by rule, are timed by default."""

SAMS = {"SAM ViT-B": "sam", "SAM 2 Hiera-T": "sam2", "EdgeTAM": "edgetam"}
OURS, PUBLISHED, REFERENCE = "Seem Server, default", "Seem Server, published", "reference program"

CLICKS = 3
"""On one object of each picture: the first one, and those that correct it."""


class Answered(NamedTuple):
    """How long it took, and the mask."""

    ms: float
    mask: Mask


class Contestant(Protocol):
    """Who is timed."""

    def first(self, image: Path, click: Click) -> Answered:
        """From a new picture to its first mask."""

    def later(self, clicks: Sequence[Click]) -> Answered:
        """The last of the clicks on that object."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one contestant took, in milliseconds."""

    name: str
    first_mask_ms: Spread
    click_ms: Spread


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many times as long as `ours` the rival took, by medians."""

    ours: str
    rival: str
    first_mask: float
    click: float


@dataclass(frozen=True, slots=True)
class RivalsBench:
    """Everybody's times.

    Attributes:
        same_masks: The mean IoU of the published server's masks of first clicks with those of the
            reference program, which has the same weights; None where one of them was not there.
        absent: Who could not take part, and why.
    """

    threads: int
    pictures: int
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    same_masks: float | None
    absent: Mapping[str, str] = field(default_factory=dict)


def run(arguments: argparse.Namespace) -> int:
    """Measures; gives the exit code.

    Raises:
        SeemError: A server cannot be had.
        InvalidValue: A bundle is named without its checkpoint.
        NotOffered: PyTorch is not installed.
    """
    if arguments.published and not arguments.checkpoint:
        raise InvalidValue("Name the --checkpoint, too, of which --published was made.")
    if importlib.util.find_spec("torch") is None:
        raise NotOffered("The rivals need PyTorch: pip install 'seem-server[serve,model]'.")
    own = settings.read(arguments, os.environ)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        checkpoint, bundle = _published(arguments, Path(folder))
        variant = read_bundle(bundle).manifest.variant
        there = Field(stack, own.threads or len(os.sched_getaffinity(0)))
        there.add_server(OURS, own)
        for title, name in SAMS.items():
            there.add_program(title, name)
        there.add_server(PUBLISHED, replace(own, bundle=str(bundle)))
        options = (f"--checkpoint={checkpoint}", f"--variant={variant}")
        there.add_program(REFERENCE, "reference", *options)
        result = bench_rivals(there, Path(folder), pictures=arguments.images)
    print(json.dumps(asdict(result)) if arguments.json else as_text(result))
    return 0


class Field:
    """Who takes part: processes that end with `stack`. `absent` tells who could not, and why."""

    def __init__(self, stack: ExitStack, threads: int) -> None:
        self._stack = stack
        self.threads = threads
        self.contestants: dict[str, Contestant] = {}
        self.absent: dict[str, str] = {}

    def add_server(self, title: str, own: Settings) -> None:
        """A server of a bundle, with a client. Raises SeemError where it does not start."""
        own = replace(own, threads=self.threads, store="memory")
        address = self._stack.enter_context(server_process(own))
        self.contestants[title] = Served(
            self._stack.enter_context(seem_client.connect(address, token=""))
        )

    def add_program(self, title: str, name: str, *options: str) -> None:
        """A program of `seem_model.rivals`, unless it can't be opened here."""
        command = [sys.executable, "-m", "seem_model.rivals", name, f"--threads={self.threads}"]
        program = Program(self._stack.enter_context(_process([*command, *options])))
        if program.trouble is None:
            self.contestants[title] = program
        else:
            self.absent[title] = program.trouble


class Served:
    """A server and its client, who opens a session for each picture."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open = ExitStack()

    def first(self, image: Path, click: Click) -> Answered:
        """Opens a session on the file and clicks, as soon as it may."""
        self._open.close()
        data = image.read_bytes()
        start = time.perf_counter()
        self._session = self._open.enter_context(self._client.open(data))
        return self._click(click, start)

    def later(self, clicks: Sequence[Click]) -> Answered:
        """Clicks once more: the session knows the others."""
        return self._click(clicks[-1], time.perf_counter())

    def _click(self, click: Click, start: float) -> Answered:
        x, y, positive = click
        prediction = self._session.click(x, y, positive=positive)
        return Answered((time.perf_counter() - start) * 1000, prediction.mask)


class Program:
    """A program that answers lines with lines; `trouble` says why it can't."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.trouble: str | None = self._heard().get("trouble")

    def first(self, image: Path, click: Click) -> Answered:
        """Opens the picture and clicks."""
        return self._answered({"image": str(image), "clicks": [click]})

    def later(self, clicks: Sequence[Click]) -> Answered:
        """Says all clicks."""
        return self._answered({"clicks": clicks})

    def _answered(self, document: Mapping[str, object]) -> Answered:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(document) + "\n")
            self._process.stdin.flush()
        said = self._heard()
        return Answered(said["ms"], rle.decode(Rle(*IMAGE_SIZE, said["counts"])))

    def _heard(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise InvalidValue(f"A rival ended with exit code {self._process.wait()}.")
        heard: dict[str, Any] = json.loads(line)
        return heard


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def bench_rivals(there: Field, folder: Path, *, pictures: int) -> RivalsBench:
    """Has everybody cut an object out of each picture, in turn, after one that does not count."""
    firsts: dict[str, list[float]] = {name: [] for name in there.contestants}
    laters: dict[str, list[float]] = {name: [] for name in there.contestants}
    agreements = []
    with progress(pictures + 1, "picture") as done:
        for number, photo in enumerate(made_photos(pictures + 1)):
            image, clicks = folder / f"{number}.jpg", _clicks(number)
            image.write_bytes(photo)
            masks = {}
            for name, contestant in there.contestants.items():
                first = contestant.first(image, clicks[0])
                later = [contestant.later(clicks[:n]) for n in range(2, CLICKS + 1)]
                masks[name] = first.mask
                if number:
                    firsts[name].append(first.ms)
                    laters[name] += [one.ms for one in later]
            if {PUBLISHED, REFERENCE} <= masks.keys():
                everywhere = np.ones(IMAGE_SIZE, np.bool_)
                agreements.append(iou(masks[PUBLISHED], masks[REFERENCE], everywhere))
            done()
    rows = [Row(name, Spread.of(firsts[name]), Spread.of(laters[name])) for name in firsts]
    return RivalsBench(
        threads=there.threads,
        pictures=pictures,
        rows=tuple(rows),
        comparisons=tuple(_compared({row.name: row for row in rows})),
        same_masks=float(np.mean(agreements)) if agreements else None,
        absent=there.absent,
    )


def _clicks(number: int) -> list[Click]:
    """Around the middle of a picture; the last takes something away."""
    height, width = IMAGE_SIZE
    places = np.random.default_rng(number).uniform(0.3, 0.7, (CLICKS, 2)) * (width, height)
    return [(x, y, place < CLICKS - 1) for place, (x, y) in enumerate(places.tolist())]


def _compared(rows: Mapping[str, Row]) -> Iterator[Comparison]:
    """The published server with its own program, and the default one with all others."""
    pairs = [(PUBLISHED, REFERENCE), *((OURS, title) for title in SAMS)]
    for ours, rival in pairs:
        if {ours, rival} <= rows.keys():
            one, other = rows[ours], rows[rival]
            yield Comparison(
                ours,
                rival,
                other.first_mask_ms.p50 / one.first_mask_ms.p50,
                other.click_ms.p50 / one.click_ms.p50,
            )


def _published(arguments: argparse.Namespace, folder: Path) -> tuple[Path, Path]:
    """The checkpoint and its bundle, made where they were not named."""
    checkpoint = Path(arguments.checkpoint or folder / f"{VARIANT}.pt")
    if not arguments.checkpoint:
        _done("seem_model.rule_weights", VARIANT, str(checkpoint))
    if arguments.published:
        return checkpoint, Path(arguments.published)
    variant = arguments.variant if arguments.checkpoint else VARIANT
    options = ["--vocabulary=none", f"--out={folder / 'bundle'}"]
    options += [f"--variant={variant}"] if variant else []
    _done("seem_model.convert", *options, "--", str(checkpoint))
    return checkpoint, folder / "bundle"


def _done(module: str, *options: str) -> None:
    command = [sys.executable, "-m", module, *options]
    done = subprocess.run(command, stdout=sys.stderr, check=False)  # noqa: S603  (as above)
    if done.returncode:
        raise InvalidValue(f"{' '.join(command)} failed.")


def as_text(result: RivalsBench) -> str:
    """The result as tables, in Markdown, which read as ones in a terminal too."""
    height, width = IMAGE_SIZE
    lines = [
        f"{result.pictures} JPEGs of {width} x {height}, {result.threads} threads",
        "",
        f"| {'milliseconds':<24} | first mask p50 | p95 | click p50 | p95 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.name:<24} | {row.first_mask_ms.p50:.1f} | {row.first_mask_ms.p95:.1f}"
        f" | {row.click_ms.p50:.1f} | {row.click_ms.p95:.1f} |"
        for row in result.rows
    ]
    lines += ["", "| times as long as | first mask | click |", "| --- | ---: | ---: |"]
    lines += [
        f"| {one.rival} / {one.ours} | {one.first_mask:.2f} | {one.click:.1f} |"
        for one in result.comparisons
    ]
    if result.same_masks is not None:
        lines += ["", f"{PUBLISHED} and {REFERENCE}: masks of IoU {result.same_masks:.4f}"]
    lines += [f"{name} is not there: {why}" for name, why in result.absent.items()]
    return "\n".join(lines)
