"""What a program says about an object, in plain Python, as the prompt types of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from seem_wire.errors import InvalidValue
from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble
from seem_wire.types import Question, SegmentKind
from seem_wire.validate import check_mask

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from seem_client.image import ImageLike

PointLike = Point | tuple[float, float] | tuple[float, float, bool]
"""(x, y), or (x, y, positive)."""

BoxLike = Box | tuple[float, float, float, float]
"""Corners x0, y0, x1, y1."""

SegmentKindLike = SegmentKind | Literal["panoptic", "instance", "semantic"]
"""Panoptic: things one by one and stuff by name, no pixel twice. Instance: things one by one, best
first, which may overlap. Semantic: one segment for each name."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """An example, its image not read yet: `mask` is of the upright image's size."""

    image: ImageLike
    mask: MaskPrompt


def object_prompt(
    *,
    points: Iterable[PointLike] = (),
    box: BoxLike | None = None,
    scribbles: Iterable[Scribble | Iterable[tuple[float, float]]] = (),
    mask: npt.NDArray[np.bool_ | np.integer] | None = None,
    text: str | None = None,
    negative_boxes: Iterable[BoxLike] = (),
    lassos: Iterable[Lasso | Iterable[tuple[float, float]]] = (),
) -> ObjectPrompt:
    """One object's prompt.

    A scribble or lasso given as plain vertices is positive. A mask is (H, W) of the original image,
    bool or integers, where all but 0 is inside.

    Raises:
        InvalidValue: A value is of a kind or shape that means nothing here.
    """
    if not isinstance(text, str | None):
        raise InvalidValue(f"A text is a str, not {text!r}.")
    return ObjectPrompt(
        points=tuple(map(_point, points)),
        box=None if box is None else _box(box),
        scribbles=tuple(map(_scribble, scribbles)),
        mask=None if mask is None else MaskPrompt(_mask(mask)),
        text=text,
        negative_boxes=tuple(map(_box, negative_boxes)),
        lassos=tuple(map(_lasso, lassos)),
    )


def shown(image: ImageLike, mask: npt.NDArray[np.bool_ | np.integer]) -> Shown:
    """An example: the thing that `mask` marks in `image`.

    Raises:
        InvalidValue: The mask is no array of booleans or integers (H, W).
        MaskEmpty: The mask marks no pixel.
    """
    marked = MaskPrompt(_mask(mask))
    check_mask(marked)
    return Shown(image, marked)


def question(
    vocabulary: Iterable[str] | None, *, kind: SegmentKindLike, threshold: float | None
) -> Question:
    """What is asked about an image.

    Raises:
        InvalidValue: A value means nothing here; the vocabulary is empty or names something twice.
        PromptEmpty: A name is blank.
    """
    if isinstance(vocabulary, str):
        raise InvalidValue(f"A vocabulary is several names; put {vocabulary!r} in a list.")
    if kind not in set(SegmentKind):
        raise InvalidValue(f"There are {', '.join(SegmentKind)} segments, and no {kind!r} ones.")
    names = None if vocabulary is None else tuple(vocabulary)
    return Question(SegmentKind(kind), names, threshold)


def _point(point: PointLike) -> Point:
    match point:
        case Point():
            return point
        case (x, y):
            return Point(*_pair(x, y))
        case (x, y, positive):
            return Point(*_pair(x, y), bool(positive))
        case _:
            raise InvalidValue(f"A point is (x, y) or (x, y, positive), not {point!r}.")


def _box(box: BoxLike) -> Box:
    if isinstance(box, Box):
        return box
    corners = _numbers(box)
    if len(corners) != 4:  # noqa: PLR2004
        raise InvalidValue(f"A box is (x0, y0, x1, y1), not {len(corners)} numbers.")
    return Box(*corners)


def _scribble(scribble: Scribble | Iterable[tuple[float, float]]) -> Scribble:
    return scribble if isinstance(scribble, Scribble) else Scribble(vertices(scribble))


def _lasso(lasso: Lasso | Iterable[tuple[float, float]]) -> Lasso:
    return lasso if isinstance(lasso, Lasso) else Lasso(vertices(lasso))


def vertices(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The vertices (x, y) of a line or an outline, also of an array (N, 2).

    Raises:
        InvalidValue: They are not pairs of numbers.
    """
    try:
        return tuple(_pair(x, y) for x, y in points)
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            "A line or an outline is a list of vertices (x, y), or an array (N, 2)."
        ) from error


def _pair(x: float, y: float) -> tuple[float, float]:
    x, y = _numbers((x, y))
    return x, y


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    try:
        return tuple(map(float, values))
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            f"A coordinate is a number; there is another thing in {values!r}."
        ) from error


def _mask(mask: npt.NDArray[np.bool_ | np.integer]) -> npt.NDArray[np.bool_]:
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype.kind not in "bui":  # noqa: PLR2004
        error = InvalidValue(
            f"A mask is a boolean or integer array (H, W); this one is {array.dtype} of shape "
            f"{array.shape}."
        )
        if array.dtype.kind == "f":
            error.hint = "Say from which value on a pixel is inside, such as mask > 0.5."
        elif array.ndim == 3:  # noqa: PLR2004
            error.hint = "Give one plane of it, such as mask[:, :, 0] or mask[0]."
        raise error
    return array.astype(np.bool_)
