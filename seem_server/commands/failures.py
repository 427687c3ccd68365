"""`seem evaluate failures`: pictures of the objects that went worst, for a person to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from seem_server.commands.annotators import Task
from seem_server.commands.gestures import tight_box
from seem_server.commands.interactive import play
from seem_server.commands.measuring import positive
from seem_server.commands.overlay import Drawn, overlay
from seem_server.commands.progress import progress
from seem_server.commands.reach import reach
from seem_server.commands.stills import DatasetInvalid, opened, read_stills, take
from seem_wire import rle
from seem_wire.prompts import ObjectPrompt, Point

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from seem_client import Client, Prediction
    from seem_server.commands.stills import Still, Target

    Mask = npt.NDArray[np.bool_]

SHEET, INDEX = "contact-sheet.png", "index.md"
_PREDICTED, _TRUE = 1, 2
_MARGIN = 0.25
_LEAST_MARGIN = 16
_TILE, _COLUMNS = 360, 4


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How an object stood in the end, and the clicks that led there."""

    still: Still
    target: Target
    ious: tuple[float, ...]
    clicks: tuple[Point, ...]
    last: Prediction

    @property
    def title(self) -> str:
        """Says in a line what it is and how it went."""
        name = self.target.name or "object"
        return f"{self.still.source}, {name}: IoU {self.ious[-1]:.2f} after {len(self.ious)}"


@dataclass(frozen=True, slots=True)
class _Window:
    """A rectangle of the image, in pixels; the last row and column are not in it."""

    left: int
    top: int
    right: int
    bottom: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what this benchmark needs besides what all have."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to draw")
    parser.add_argument("--worst", type=positive, default=24, help="so many (default: 24)")
    parser.add_argument(
        "--per-source", type=positive, default=6, help="at most, of a source (default: 6)"
    )
    parser.add_argument("--clicks", type=positive, default=3, help="to click (default: 3)")


def run(arguments: argparse.Namespace) -> int:
    """Clicks, draws and writes; gives the exit code.

    Raises:
        SeemError: There is no dataset, or the server refused or failed.
        OSError: The pictures cannot be written.
    """
    stills = take(read_stills(arguments.dataset), arguments.limit)
    n_targets = sum(len(still.targets) for still in stills)
    if not n_targets:
        raise DatasetInvalid(f"{arguments.dataset} marks no object.")
    with reach(arguments) as client, progress(n_targets, "object") as done:
        outcomes = play_all(client, stills, arguments.clicks, done=done)
        model_id = client.model().model_id
    chosen = worst(outcomes, arguments.worst, per_source=arguments.per_source)
    names = write(arguments.out, chosen, f"{model_id}, {arguments.clicks} clicks")
    rows = [_as_json(one, name) for one, name in zip(chosen, names, strict=True)]
    document = {"model": model_id, "clicks": arguments.clicks, "failures": rows}
    told = f"{len(rows)} pictures, {arguments.out / SHEET} and {arguments.out / INDEX}"
    print(json.dumps(document) if arguments.json else told)
    return 0


def play_all(
    client: Client,
    stills: Iterable[Still],
    n_clicks: int,
    *,
    done: Callable[[], object] = lambda: None,
) -> tuple[Outcome, ...]:
    """Clicks at most `n_clicks` times on every target; calls `done` after each."""
    outcomes = []
    for still in stills:
        with opened(client, still) as session:
            counted = still.counted(session.size)
            for target in still.targets:
                task = Task(rle.decode(target.rle), counted, target.annotation_id)
                played = play(session, task, n_clicks)
                if played.last is not None:
                    clicks = tuple(one for one in played.gestures if isinstance(one, Point))
                    outcomes.append(Outcome(still, target, played.ious, clicks, played.last))
                done()
    return tuple(outcomes)


def worst(outcomes: Iterable[Outcome], count: int, *, per_source: int) -> tuple[Outcome, ...]:
    """The `count` lowest last IoUs, lowest first, at most `per_source` of each source."""
    chosen: list[Outcome] = []
    taken: dict[str, int] = {}
    for one in sorted(outcomes, key=lambda one: (one.ious[-1], one.target.annotation_id)):
        source = one.still.source
        if len(chosen) < count and taken.get(source, 0) < per_source:
            taken[source] = taken.get(source, 0) + 1
            chosen.append(one)
    return tuple(chosen)


def write(folder: Path, outcomes: Sequence[Outcome], heading: str) -> tuple[str, ...]:
    """Writes a picture each, all in one, and an index; gives the pictures' names.

    Raises:
        OSError: Something cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names, tiles = [], []
    for place, one in enumerate(outcomes, 1):
        picture = draw(one)
        names.append(f"{place:02}-{one.still.source}-{one.target.annotation_id}.png")
        picture.save(folder / names[-1])
        tiles.append(ImageOps.pad(picture, (_TILE, _TILE), color=(255, 255, 255)))
    if tiles:
        _sheet(tiles).save(folder / SHEET)
    (folder / INDEX).write_text(_index(outcomes, names, heading), "utf-8")
    return tuple(names)


def draw(one: Outcome) -> Image.Image:
    """The surroundings of an object, with the truth (orange), the mask (blue) and the clicks."""
    with Image.open(one.still.path) as file:
        photo = ImageOps.exif_transpose(file).convert("RGB")
    wanted, predicted = rle.decode(one.target.rle), one.last.mask
    window = _window(wanted | predicted, one.clicks)
    there = slice(window.top, window.bottom), slice(window.left, window.right)
    clicks = tuple(
        Point(click.x - window.left, click.y - window.top, click.positive) for click in one.clicks
    )

    def drawn(mask: Mask, object_id: int, prompt: ObjectPrompt) -> Drawn:
        cut = rle.encode(np.ascontiguousarray(mask[there]))
        return Drawn(replace(one.last, object_id=object_id, rle=cut), prompt, tinted=False)

    objects = [
        drawn(wanted, _TRUE, ObjectPrompt()),
        drawn(predicted, _PREDICTED, ObjectPrompt(points=clicks)),
    ]
    crop = photo.crop((window.left, window.top, window.right, window.bottom))
    return overlay(crop, objects, one.title)


def _window(marked: Mask, clicks: Sequence[Point]) -> _Window:
    """What is marked and clicked, with a margin, within the image."""
    height, width = marked.shape
    seen = marked.copy()
    for click in clicks:
        seen[min(int(click.y), height - 1), min(int(click.x), width - 1)] = True
    box = tight_box(seen)
    margin = max(_LEAST_MARGIN, round(_MARGIN * max(box.x1 - box.x0, box.y1 - box.y0)))
    return _Window(
        left=max(int(box.x0) - margin, 0),
        top=max(int(box.y0) - margin, 0),
        right=min(int(box.x1) + margin, width),
        bottom=min(int(box.y1) + margin, height),
    )


def _sheet(tiles: Sequence[Image.Image]) -> Image.Image:
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * _TILE, rows * _TILE), (255, 255, 255))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet.paste(tile, (column * _TILE, row * _TILE))
    return sheet


def _index(outcomes: Sequence[Outcome], names: Sequence[str], heading: str) -> str:
    lines = [
        f"# Worst objects: {heading}",
        "",
        "Orange: what is wanted. Blue: what was found. Green and red: clicks that say yes and no.",
        "",
        f"![all of them]({SHEET})",
        "",
        "| picture | source | name | image | IoU after each click | believed |",
        "|---|---|---|---|---|---|",
    ]
    for one, name in zip(outcomes, names, strict=True):
        ious = ", ".join(f"{iou:.2f}" for iou in one.ious)
        lines.append(
            f"| [{name}]({name}) | {one.still.source} | {one.target.name or 'object'} | "
            f"{one.still.path.name} | {ious} | {one.last.score:.2f} |"
        )
    return "\n".join([*lines, ""])


def _as_json(one: Outcome, picture: str) -> dict[str, Any]:
    return {
        "picture": picture,
        "source": one.still.source,
        "image": one.still.path.name,
        "annotation_id": one.target.annotation_id,
        "name": one.target.name,
        "ious": list(one.ious),
        "score": one.last.score,
    }
