"""`seem segment`: one image, what to cut out of it, and the masks."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seem_server.commands.reach import add_reach_options, reach
from seem_wire.errors import InvalidValue
from seem_wire.prompts import Box, MaskPrompt, ObjectPrompt, Point, Scribble

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from seem_client import Client, Prediction, Session


class Misused(InvalidValue):
    """The command was given arguments that mean nothing together."""

    hint = "See seem segment --help."


@dataclass(frozen=True, slots=True)
class Asked:
    """What the arguments ask for: objects 1, 2, … by their prompts, or what comes later."""

    prompts: tuple[ObjectPrompt, ...]
    example: tuple[Path, Path] | None = None
    everything: bool = False
    vocabulary: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The objects, and how long the program waited for them in all, in milliseconds."""

    size: tuple[int, int]
    predictions: tuple[Prediction, ...]
    wall_ms: float
    model_id: str


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "segment",
        help="cut something out of an image",
        description=(
            "Cut something out of an image. All that is said is about one object, but several "
            "--text are an object each. Coordinates are pixels of the upright image, x to the "
            "right, y down."
        ),
    )
    parser.add_argument("image", type=Path, help="an image file")
    said = parser.add_argument_group("what to cut out (at least one)")
    said.add_argument(
        "--point", action="append", default=[], type=_point, metavar="X,Y", help="on the object"
    )
    said.add_argument(
        "--negative", action="append", default=[], type=_point, metavar="X,Y", help="not on it"
    )
    said.add_argument("--box", type=_box, metavar="X0,Y0,X1,Y1", help="around it")
    said.add_argument(
        "--scribble",
        action="append",
        default=[],
        type=_vertices,
        metavar='"X,Y X,Y …"',
        help="a line through it",
    )
    said.add_argument("--mask", type=Path, metavar="FILE", help="a rough mask of the image's size")
    said.add_argument("--text", action="append", default=[], metavar="T", help="what it is called")
    said.add_argument(
        "--example", type=_example, metavar="IMAGE:MASKFILE", help="the same, in another image"
    )
    said.add_argument("--everything", action="store_true", help="everything in the image")
    said.add_argument("--vocabulary", type=_names, metavar="A,B,C", help="names for --everything")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write an overlay and the masks")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_reach_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segments; gives the exit code.

    Raises:
        Misused: The arguments do not go together.
        SeemError: The server refused or failed.
        OSError: A file cannot be read or written.
    """
    asked = asked_for(arguments)
    with reach(arguments) as client:
        answer = segment(client, arguments.image, asked)
    written = [] if arguments.out is None else write(arguments.out, arguments.image, asked, answer)
    if arguments.json:
        print(json.dumps(as_json(answer)))
    else:
        print("\n".join([*map(as_line, answer.predictions), *map(str, written)]))
    return 0


def asked_for(arguments: argparse.Namespace) -> Asked:
    """What the arguments say, with the mask file read.

    Raises:
        Misused: They say nothing, or things that do not go together.
        OSError: The mask file cannot be read.
    """
    shapes = ObjectPrompt(
        points=tuple(
            Point(x, y, positive)
            for positive, points in ((True, arguments.point), (False, arguments.negative))
            for x, y in points
        ),
        box=arguments.box,
        scribbles=tuple(Scribble(vertices) for vertices in arguments.scribble),
        mask=MaskPrompt(read_mask(arguments.mask)) if arguments.mask else None,
        text=arguments.text[0] if len(arguments.text) == 1 else None,
    )
    several = tuple(ObjectPrompt(text=text) for text in arguments.text)
    if len(several) > 1 and not shapes.is_empty:
        raise Misused("Several --text are an object each: they take no points or shapes.")
    prompts = several if len(several) > 1 else () if shapes.is_empty else (shapes,)
    if not (prompts or arguments.example or arguments.everything):
        raise Misused("Nothing says what to cut out.")
    return Asked(prompts, arguments.example, arguments.everything, arguments.vocabulary)


def segment(client: Client, image: Path, asked: Asked) -> Answer:
    """Asks for the objects, one after the other.

    Raises:
        SeemError: The server refused or failed.
        OSError: The image file cannot be read.
    """
    start = time.perf_counter()
    with client.open(image) as session:
        predictions = tuple(
            _say(session, object_id, prompt) for object_id, prompt in enumerate(asked.prompts, 1)
        )
        if asked.example:
            example, mask = asked.example
            session.example(example, read_mask(mask))
        if asked.everything:
            session.everything(asked.vocabulary)
        wall_ms = (time.perf_counter() - start) * 1000
        return Answer(session.size, predictions, wall_ms, client.model().model_id)


def _say(session: Session, object_id: int, prompt: ObjectPrompt) -> Prediction:
    return session.prompt(
        object_id=object_id,
        points=prompt.points,
        box=prompt.box,
        scribbles=prompt.scribbles,
        mask=prompt.mask.mask if prompt.mask else None,
        text=prompt.text,
    )


def as_json(answer: Answer) -> dict[str, Any]:
    """The document of `--json`: times are the server's, summed over the objects, but `wall`."""
    height, width = answer.size
    stages = ("queue", "encode", "decode", "post", "total")
    timings = {
        stage: sum(getattr(one.timings, f"{stage}_ms") for one in answer.predictions)
        for stage in stages
    }
    return {
        "image": {"width": width, "height": height},
        "objects": [_object_json(one) for one in answer.predictions],
        "timings_ms": {**timings, "wall": answer.wall_ms},
        "model": answer.model_id,
    }


def _object_json(one: Prediction) -> dict[str, Any]:
    box = one.box
    return {
        "object_id": one.object_id,
        "label": one.label,
        "score": one.score,
        "box": None if box is None else [box.x0, box.y0, box.x1, box.y1],
        "area": one.area,
        "mask": {"size": list(one.rle.size), "counts": one.rle.counts},
    }


def as_line(one: Prediction) -> str:
    """One object, for a person."""
    name = f" ({one.label}, {one.label_probability:.0%})" if one.label_probability else ""
    place = "nothing found"
    if one.box is not None:
        place = f"within ({one.box.x0:g}, {one.box.y0:g}) to ({one.box.x1:g}, {one.box.y1:g})"
    return f"object {one.object_id}{name}: score {one.score:.2f}, {one.area} pixels, {place}"


def write(folder: Path, image: Path, asked: Asked, answer: Answer) -> list[Path]:
    """Writes `NAME.overlay.png` and a `NAME.mask-ID.png` (0 and 255) for each object."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only where pictures are wanted

    from seem_server.commands.overlay import Drawn, overlay  # noqa: PLC0415 - same

    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(image) as photo:
        upright = ImageOps.exif_transpose(photo).convert("RGB")
    drawn = [Drawn(*pair) for pair in zip(answer.predictions, asked.prompts, strict=True)]
    written = [folder / f"{image.stem}.overlay.png"]
    overlay(upright, drawn).save(written[0])
    for one in answer.predictions:
        written.append(folder / f"{image.stem}.mask-{one.object_id}.png")
        Image.fromarray(one.mask).save(written[-1])
    return written


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """A mask file, bool (H, W): all but 0 of a one-channel image, the brighter half of colours.

    Raises:
        OSError: The file is missing or no image.
    """
    import numpy as np  # noqa: PLC0415 - only where there is a mask
    from PIL import Image  # noqa: PLC0415 - same

    with Image.open(path) as image:
        if image.mode in {"1", "L", "P", "I", "I;16"}:
            return np.asarray(image).astype(np.bool_)
        return (np.asarray(image.convert("L")) >> 7).astype(np.bool_)


# --- how arguments are read; argparse turns each ValueError into a message and exit code 2


def _numbers(text: str, count: int, form: str) -> tuple[float, ...]:
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise argparse.ArgumentTypeError(f"{text!r} is not {form}")
    return numbers


def _point(text: str) -> tuple[float, float]:
    x, y = _numbers(text, 2, "X,Y")
    return x, y


def _box(text: str) -> Box:
    return Box(*_numbers(text, 4, "X0,Y0,X1,Y1"))


def _vertices(text: str) -> tuple[tuple[float, float], ...]:
    return tuple(map(_point, text.split()))


def _example(text: str) -> tuple[Path, Path]:
    image, colon, mask = text.rpartition(":")
    if not (image and colon and mask):
        raise argparse.ArgumentTypeError(f"{text!r} is not IMAGE:MASKFILE")
    return Path(image), Path(mask)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
