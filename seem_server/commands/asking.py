"""What the arguments of a command say about an image: prompts, an example, or a question.

What is wrong with the arguments alone is told before anything runs, with exit code 2.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seem_wire.errors import CallerError, InvalidValue
from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble
from seem_wire.types import Question, SegmentKind
from seem_wire.validate import check_names, check_prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from seem_client import Prediction, Session
    from seem_client.image import ImageLike

    Mask = npt.NDArray[np.bool_]
    ExampleLike = tuple[ImageLike, Mask]


class Misused(InvalidValue):
    """The command was given arguments that mean nothing together."""

    hint = "Ask the command for its --help."


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What the arguments ask for: objects 1, 2, ... by their prompts, or all that is there.

    `example` is another image's file with a mask in it, and about the only object. `hypotheses`:
    what else the prompts may have meant is asked for, too.
    """

    prompts: tuple[ObjectPrompt, ...] = ()
    example: tuple[Path, Mask] | None = None
    question: Question | None = None
    hypotheses: bool = False


def add_prompt_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds what can be said about objects; gives the group, for more of the kind."""
    said = parser.add_argument_group("what to cut out (at least one)")

    def add_each(name: str, read: Callable[[str], object], form: str, text: str) -> None:
        said.add_argument(
            name, action="append", default=[], type=_telling(read), metavar=form, help=text
        )

    add_each("--point", _point, "X,Y", "on the object")
    add_each("--negative", _point, "X,Y", "not on it")
    said.add_argument("--box", type=_telling(_box), metavar="X0,Y0,X1,Y1", help="around it")
    add_each("--negative-box", _negative_box, "X0,Y0,X1,Y1", "no part of it lies in there")
    add_each("--scribble", _vertices, '"X,Y X,Y …"', "a line through it")
    add_each("--lasso", _outline, '"X,Y X,Y …"', "a closed outline around it")
    said.add_argument("--mask", type=Path, metavar="FILE", help="a rough mask of the image's size")
    add_each("--text", _text, "T", "what it is called")
    said.add_argument(
        "--example",
        type=_telling(_example),
        metavar="IMAGE:MASKFILE",
        help="the same, in another image; the mask is of that image's size",
    )
    return said


def add_asking_options(parser: argparse.ArgumentParser) -> None:
    """Adds what can be said about an image."""
    said = add_prompt_options(parser)
    said.add_argument(
        "--hypotheses", action="store_true", help="tell what else the prompt may have meant"
    )
    said.add_argument("--everything", action="store_true", help="all that is in the image")
    whole = parser.add_argument_group("with --everything")
    whole.add_argument(
        "--vocabulary", type=_telling(_names), metavar="A,B,C", help="names to look for"
    )
    whole.add_argument(
        "--kind",
        choices=[kind.value for kind in SegmentKind],
        help="things and stuff without overlap, things that may overlap, or a segment for each "
        "name (default: panoptic)",
    )
    whole.add_argument(
        "--threshold", type=_telling(_share), metavar="0..1", help="least score of what is listed"
    )


def asked_for(arguments: argparse.Namespace) -> Asked:
    """What the arguments say, with the mask files read.

    Raises:
        Misused: They say nothing, or things that do not go together.
        OSError: A mask file cannot be read.
    """
    question = _question(arguments)
    if question is None:
        return replace(prompted_for(arguments), hypotheses=arguments.hypotheses)
    if is_prompted(arguments) or arguments.hypotheses:
        raise Misused("--everything is asked alone: it takes no prompts.")
    return Asked(question=question)


def prompted_for(arguments: argparse.Namespace) -> Asked:
    """The prompts among the arguments, with the mask files read.

    Raises:
        Misused: They say nothing, or things that do not go together.
        OSError: A mask file cannot be read.
    """
    texts = arguments.text
    if not is_prompted(arguments):
        raise Misused("Nothing says what to cut out.")
    if not (texts or _is_positive(arguments)):
        raise Misused("Negative prompts say only where the object is not, and not where it is.")
    if len(texts) > 1:
        if _is_shaped(arguments):
            raise Misused("Several --text are an object each: they take no other prompts.")
        return Asked(tuple(ObjectPrompt(text=text) for text in texts))
    return _one_object(arguments)


def is_prompted(arguments: argparse.Namespace) -> bool:
    """Whether the arguments have a prompt at all."""
    return bool(arguments.text) or _is_shaped(arguments)


def _is_positive(arguments: argparse.Namespace) -> bool:
    shapes = (arguments.point, arguments.box, arguments.scribble, arguments.lasso, arguments.mask)
    return any((*shapes, arguments.example))


def _is_shaped(arguments: argparse.Namespace) -> bool:
    return _is_positive(arguments) or bool(arguments.negative or arguments.negative_box)


def _one_object(arguments: argparse.Namespace) -> Asked:
    from seem_server.commands.mask_file import read_mask  # noqa: PLC0415 - only where there is one

    prompt = ObjectPrompt(
        points=tuple(
            Point(x, y, positive)
            for positive, points in ((True, arguments.point), (False, arguments.negative))
            for x, y in points
        ),
        box=arguments.box,
        scribbles=tuple(Scribble(vertices) for vertices in arguments.scribble),
        mask=MaskPrompt(read_mask(arguments.mask)) if arguments.mask else None,
        text=arguments.text[0] if arguments.text else None,
        negative_boxes=tuple(arguments.negative_box),
        lassos=tuple(Lasso(corners) for corners in arguments.lasso),
    )
    if arguments.example is None:
        return Asked((prompt,))
    image, mask = arguments.example
    return Asked((prompt,), (image, read_mask(mask)))


def _question(arguments: argparse.Namespace) -> Question | None:
    details = (arguments.vocabulary, arguments.kind, arguments.threshold)
    if not arguments.everything:
        if any(detail is not None for detail in details):
            raise Misused("--vocabulary, --kind and --threshold are about --everything.")
        return None
    kind = SegmentKind(arguments.kind or SegmentKind.PANOPTIC)
    return Question(kind, arguments.vocabulary, arguments.threshold)


# --- how one argument is read


def _telling(read: Callable[[str], object]) -> Callable[[str], object]:
    """`read`, with what it finds wrong told as it is, and with exit code 2."""

    def read_or_tell(text: str) -> object:
        try:
            return read(text)
        except CallerError as error:
            raise argparse.ArgumentTypeError(error.message) from error

    return read_or_tell


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
    check_prompt(ObjectPrompt(points=(Point(x, y),)))
    return x, y


def _box(text: str) -> Box:
    box = Box(*_numbers(text, 4, "X0,Y0,X1,Y1"))
    check_prompt(ObjectPrompt(box=box))
    return box


def _negative_box(text: str) -> Box:
    box = Box(*_numbers(text, 4, "X0,Y0,X1,Y1"))
    check_prompt(ObjectPrompt(negative_boxes=(box,)))
    return box


def _outline(text: str) -> tuple[tuple[float, float], ...]:
    corners = tuple(map(_point, text.split()))
    check_prompt(ObjectPrompt(lassos=(Lasso(corners),)))
    return corners


def _vertices(text: str) -> tuple[tuple[float, float], ...]:
    vertices = tuple(map(_point, text.split()))
    check_prompt(ObjectPrompt(scribbles=(Scribble(vertices),)))
    return vertices


def _text(text: str) -> str:
    check_prompt(ObjectPrompt(text=text))
    return text


def _share(text: str) -> float:
    (share,) = _numbers(text, 1, "a number")
    Question(threshold=share)
    return share


def _example(text: str) -> tuple[Path, Path]:
    image, colon, mask = text.rpartition(":")
    if not (image and colon and mask):
        raise argparse.ArgumentTypeError(f"{text!r} is not IMAGE:MASKFILE")
    return Path(image), Path(mask)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    check_names(names)
    return names


def say(
    session: Session,
    object_id: int,
    prompt: ObjectPrompt,
    example: ExampleLike | None = None,
    *,
    frame: int | None = None,
    hypotheses: bool = False,
) -> Prediction:
    """Says a prompt about one object to a session; of a video, in its frame `frame`."""
    return session.prompt(
        object_id=object_id,
        frame=frame,
        points=prompt.points,
        box=prompt.box,
        scribbles=prompt.scribbles,
        mask=prompt.mask.mask if prompt.mask else None,
        text=prompt.text,
        example=example,
        negative_boxes=prompt.negative_boxes,
        lassos=prompt.lassos,
        hypotheses=hypotheses,
    )
