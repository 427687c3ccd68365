"""`seem segment`: one image, what to cut out of it, and the masks."""

from __future__ import annotations

import glob
import json
import sys
import time
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from seem_server.commands.asking import add_asking_options, asked_for, say
from seem_server.commands.reach import add_reach_options, reach
from seem_wire.prompts import ObjectPrompt

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from seem_client import Client, Hypothesis, Prediction, Session
    from seem_server.commands.asking import Asked
    from seem_wire.types import Question, Timings


_HINTED_NAMES = 3
_ALIKE = 0.8
"""How alike a name has to be to one that was asked, to be told in its place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and how long it took.

    `timings` are the server's, one a request; `wall_ms` is how long the program waited in all;
    `vocabulary` are the names that the model can put on what it finds.
    """

    size: tuple[int, int]
    predictions: tuple[Prediction, ...]
    timings: tuple[Timings, ...]
    wall_ms: float
    model_id: str
    vocabulary: tuple[str, ...] = ()


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "segment",
        help="cut something out of an image",
        description=(
            "Cut something out of an image, or everything. All that is said is about one object, "
            "but several --text are an object each. Coordinates are pixels of the upright image, "
            "x to the right, y down."
        ),
    )
    parser.add_argument("image", type=Path, help="an image file")
    add_asking_options(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write an overlay and the masks")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_reach_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segments; gives the exit code.

    Raises:
        Misused: The arguments do not go together; nothing was done.
        SeemError: The server refused or failed.
        OSError: A file cannot be read or written.
    """
    asked = asked_for(arguments)
    if arguments.out is not None:
        check_writable(arguments.out)
    with reach(arguments) as client:
        answer = segment(client, arguments.image, asked)
    written = [] if arguments.out is None else write(arguments.out, arguments.image, asked, answer)
    if arguments.json:
        print(json.dumps(as_json(answer)))
    else:
        lines = [line for one in answer.predictions for line in as_lines(one)] or ["nothing found"]
        print("\n".join([*lines, *map(str, written)]))
        for line in hints(asked, answer):
            print(line, file=sys.stderr)
    return 0


def segment(client: Client, image: Path, asked: Asked) -> Answer:
    """Asks for the objects, one after the other.

    Raises:
        SeemError: The server refused or failed.
        OSError: The image file cannot be read.
    """
    start = time.perf_counter()
    with client.open(image) as session:
        if asked.question is not None:
            predictions = _everything(session, asked.question)
            timings = tuple(one.timings for one in predictions[:1])  # all came in one reply
        else:
            predictions = tuple(
                say(session, object_id, prompt, asked.example, hypotheses=asked.hypotheses)
                for object_id, prompt in enumerate(asked.prompts, 1)
            )
            timings = tuple(one.timings for one in predictions)
        wall_ms = (time.perf_counter() - start) * 1000
        model = client.model()
        return Answer(session.size, predictions, timings, wall_ms, model.model_id, model.vocabulary)


def _everything(session: Session, question: Question) -> tuple[Prediction, ...]:
    return tuple(
        session.everything(question.vocabulary, kind=question.kind, threshold=question.threshold)
    )


def as_json(answer: Answer) -> dict[str, Any]:
    """The document of `--json`: times are the server's, summed over its replies, but `wall`."""
    height, width = answer.size
    stages = ("queue", "encode", "decode", "post", "total")
    timings = {
        stage: sum(getattr(one, f"{stage}_ms") for one in answer.timings) for stage in stages
    }
    return {
        "image": {"width": width, "height": height},
        "objects": [_object_json(one) for one in answer.predictions],
        "timings_ms": {**timings, "wall": answer.wall_ms},
        "model": answer.model_id,
    }


def _object_json(one: Prediction) -> dict[str, Any]:
    document = {
        "object_id": one.object_id,
        "label": one.label,
        "presence": one.presence,
        **_mask_json(one),
    }
    if one.hypotheses:
        document["hypotheses"] = [_mask_json(each) for each in one.hypotheses]
    return document


def _mask_json(one: Prediction | Hypothesis) -> dict[str, Any]:
    box = one.box
    return {
        "score": one.score,
        "box": None if box is None else [box.x0, box.y0, box.x1, box.y1],
        "area": one.area,
        "mask": {"size": list(one.rle.size), "counts": one.rle.counts},
    }


def hints(asked: Asked, answer: Answer) -> list[str]:
    """What to try where nothing was seen that was named, or that has a name."""
    if asked.question is not None:
        if answer.predictions:
            return []
        return ["Nothing is listed: try a lower --threshold, or other names with --vocabulary."]
    unseen = [
        prompt.text
        for prompt, one in zip(asked.prompts, answer.predictions, strict=True)
        if prompt.text is not None and not one.area
    ]
    return [_hint(text, answer.vocabulary) for text in unseen]


def _hint(text: str, names: Sequence[str]) -> str:
    """What to try where nothing is seen that is called `text`."""
    others = "Try --everything, or point at it with --point X,Y."
    if not names or text in names:
        return f"No {text!r} is seen. {others}"
    near = get_close_matches(text, names, _HINTED_NAMES, _ALIKE)
    told = f"Any word may be asked; this is none of the {len(names)} names that the model gives"
    told += f"; {' and '.join(near)} would be" if near else ""
    listed = "'seem info BUNDLE --json' lists these."
    return f"No {text!r} is seen. {told}. {listed} {others}"


def check_writable(folder: Path) -> None:
    """Makes the folder, and raises OSError where nothing can be written into it."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def as_line(one: Prediction) -> str:
    """One object, for a person."""
    name = f" ({one.label}, {one.label_probability:.0%})" if one.label_probability else ""
    place = "nothing found"
    if one.presence is not None and not one.is_present:
        place = f"nothing found (presence {one.presence:.0%})"
    if one.box is not None:
        place = f"within ({one.box.x0:g}, {one.box.y0:g}) to ({one.box.x1:g}, {one.box.y1:g})"
    return f"object {one.object_id}{name}: score {one.score:.2f}, {one.area} pixels, {place}"


def as_lines(one: Prediction) -> list[str]:
    """One object and what else it may be, for a person."""
    others = enumerate(one.hypotheses[1:], 1)
    return [
        as_line(one),
        *(f"  or {place}: score {each.score:.2f}, {each.area} pixels" for place, each in others),
    ]


def write(folder: Path, image: Path, asked: Asked, answer: Answer) -> list[Path]:
    """Writes `NAME.overlay.png` and a `NAME.mask-ID.png` (0 and 255) for each object.

    What else an object may be goes into `NAME.mask-ID.hypothesis-N.png`, N from 1; the first of the
    hypotheses, 0, is the mask itself.

    You must have made sure that the folder is there (`check_writable`).
    """
    from PIL import Image, ImageOps  # noqa: PLC0415 - only where pictures are wanted

    from seem_server.commands.overlay import Drawn, overlay  # noqa: PLC0415 - same

    with Image.open(image) as photo:
        upright = ImageOps.exif_transpose(photo).convert("RGB")
    prompts = asked.prompts or [ObjectPrompt()] * len(answer.predictions)
    drawn = [Drawn(*pair) for pair in zip(answer.predictions, prompts, strict=True)]
    written = [folder / f"{image.stem}.overlay.png"]
    overlay(upright, drawn).save(written[0])
    for one in answer.predictions:
        name = f"{image.stem}.mask-{one.object_id}"
        for stale in folder.glob(f"{glob.escape(name)}.hypothesis-*.png"):
            stale.unlink()
        masks = {f"{name}.png": one.mask}
        masks |= {
            f"{name}.hypothesis-{place}.png": each.mask
            for place, each in enumerate(one.hypotheses)
            if place
        }
        for file, mask in masks.items():
            written.append(folder / file)
            Image.fromarray(mask).save(written[-1])
    return written
