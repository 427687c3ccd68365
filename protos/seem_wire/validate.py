"""Whether what was said about an object makes sense, alone and in an image of a known size.

Both sides ask: the client before it sends, the server because it trusts no client.
"""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from seem_wire.errors import (
    BoxWithoutArea,
    CoordinateNotFinite,
    InvalidValue,
    LassoWithoutArea,
    LimitExceeded,
    MaskEmpty,
    MaskSizeMismatch,
    PointOutsideImage,
    PromptEmpty,
)
from seem_wire.pixels import inside_lasso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt

MIN_CORNERS = 3
"""Of a lasso."""

MAX_REGIONS = 32
"""Negative boxes and lassos of one object: each costs time in every later round."""

_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Fillers of Hangul and the empty pattern of Braille, to Unicode letters and a symbol."""

_HALF = 0.5
_FEW_ROWS = 64


def check_prompt(prompt: ObjectPrompt) -> None:
    """Checks what can be checked without an image.

    Raises:
        CoordinateNotFinite: A coordinate is NaN or infinite.
        BoxWithoutArea: A box's corners are equal in x or y, or swapped.
        LassoWithoutArea: A lasso has fewer than three corners.
        MaskEmpty: The mask, or the example's, marks nothing.
        PromptEmpty: A text is blank, or a scribble has no vertex.
        InvalidValue: A text is no Unicode text, or holds a character that controls a terminal.
        LimitExceeded: There are more than MAX_REGIONS negative boxes and lassos.
    """
    _check_shapes(prompt)
    check_regions(prompt)
    if prompt.mask is not None:
        check_mask(prompt.mask)
    if prompt.example is not None and not prompt.example.mask.any():
        raise MaskEmpty("An example's mask marks no pixel.")
    if prompt.text is not None:
        check_text(prompt.text)
        if is_blank(prompt.text):
            error = PromptEmpty("A text prompt is blank.")
            error.hint = "Name the object with letters that can be seen, or leave the text out."
            raise error
    if not all(scribble.points for scribble in prompt.scribbles):
        raise PromptEmpty("A scribble has no points.")


def _check_shapes(prompt: ObjectPrompt) -> None:
    corners = (corner for lasso in prompt.lassos for corner in lasso.points)
    for x, y in (*_vertices(prompt), *corners):
        if not (math.isfinite(x) and math.isfinite(y)):
            raise CoordinateNotFinite(f"A point lies at ({x}, {y}).")
    for box in _boxes(prompt):
        check_box(box)
    for lasso in prompt.lassos:
        if len(lasso.points) < MIN_CORNERS:
            raise LassoWithoutArea(f"A lasso has {len(lasso.points)} corners.")


def check_regions(prompt: ObjectPrompt) -> None:
    """Raises LimitExceeded where an object has more negative boxes and lassos than MAX_REGIONS."""
    count = len(prompt.negative_boxes) + len(prompt.lassos)
    if count > MAX_REGIONS:
        error = LimitExceeded(
            f"An object has {count} negative boxes and lassos; {MAX_REGIONS} are allowed."
        )
        error.hint = "Draw fewer and larger ones, click, or send the mask itself."
        raise error


def check_fits(prompt: ObjectPrompt, size: tuple[int, int]) -> None:
    """Checks a prompt that passed `check_prompt` against an image of (height, width) pixels.

    A box may reach over the image's edge, as boxes drawn by hand do; it must meet the image. So may
    a lasso, by the image's own size at most.

    Raises:
        PointOutsideImage: A click or a scribble's vertex lies outside the image, or a corner of a
            lasso far outside.
        BoxWithoutArea: No part of a box lies inside the image, or the box around the object holds
            the centre of no pixel.
        LassoWithoutArea: A lasso lies beside the image, or one around the object holds the centre
            of no pixel.
        MaskSizeMismatch: The mask is not of the image's size.
    """
    height, width = size
    for x, y in _vertices(prompt):
        if not (0 <= x <= width and 0 <= y <= height):
            raise PointOutsideImage(
                f"The point ({x:g}, {y:g}) lies outside the image of {width} x {height} pixels."
            )
    for box in _boxes(prompt):
        if not (box.x0 < width and box.y0 < height and box.x1 > 0 and box.y1 > 0):
            raise BoxWithoutArea(
                f"The box {_corners(box)} lies outside the image of {width} x {height} pixels."
            )
    if prompt.box is not None and not _holds_a_centre(prompt.box):
        raise BoxWithoutArea(f"The box {_corners(prompt.box)} holds the centre of no pixel.")
    for lasso in prompt.lassos:
        _check_lasso_fits(lasso, size)
    if prompt.mask is not None:
        check_mask_size(prompt.mask, size)


def _check_lasso_fits(lasso: Lasso, size: tuple[int, int]) -> None:
    height, width = size
    for x, y in lasso.points:
        if not (-width <= x <= 2 * width and -height <= y <= 2 * height):
            error = PointOutsideImage(
                f"The lasso's corner ({x:g}, {y:g}) lies far outside the image of {width} x "
                f"{height} pixels."
            )
            error.hint = "Let a lasso reach over the image's edge by the image's size at most."
            raise error
    xs, ys = zip(*lasso.points, strict=True)
    if not (min(xs) < width and min(ys) < height and max(xs) > 0 and max(ys) > 0):
        raise LassoWithoutArea(f"A lasso lies outside the image of {width} x {height} pixels.")
    if lasso.positive and not _lasso_holds_a_centre(lasso, size):
        raise LassoWithoutArea("A lasso holds the centre of no pixel.")


def _holds_a_centre(box: Box) -> bool:
    spans = ((box.x0, box.x1), (box.y0, box.y1))
    return all(math.ceil(low - _HALF) < math.ceil(high - _HALF) for low, high in spans)


def _lasso_holds_a_centre(lasso: Lasso, size: tuple[int, int]) -> bool:
    """Whether the centre of a pixel of the image lies inside; most lassos show it in a few rows."""
    xs, ys = zip(*lasso.points, strict=True)
    columns, rows = (
        np.arange(max(math.floor(min(places)), 0), min(math.ceil(max(places)), length)) + _HALF
        for places, length in zip((xs, ys), reversed(size), strict=True)
    )
    few, others = rows[:_FEW_ROWS], rows[_FEW_ROWS:]
    return bool(
        inside_lasso(lasso, columns, few).any() or inside_lasso(lasso, columns, others).any()
    )


def check_mask_size(prompt: MaskPrompt, size: tuple[int, int]) -> None:
    """Raises MaskSizeMismatch where a mask is not of an image's (height, width)."""
    if prompt.mask.shape != size:
        given, wanted = (" x ".join(map(str, shape)) for shape in (prompt.mask.shape, size))
        raise MaskSizeMismatch(f"The mask has {given} pixels (height x width), the image {wanted}.")


def check_mask(prompt: MaskPrompt) -> None:
    """Raises MaskEmpty where a mask marks no pixel."""
    if not prompt.mask.any():
        raise MaskEmpty("A mask prompt marks no pixel.")


def check_text(text: str) -> None:
    """Raises InvalidValue where a text is none: half a character, or one that controls a device."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValue(f"A text is broken at character {error.start}.") from error
    controls = [place for place, letter in enumerate(text) if _controls(letter)]
    if controls:
        raise InvalidValue(f"A text has a control character at {controls[0]}.")


def _controls(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc" and not letter.isspace()


def is_blank(text: str) -> bool:
    """Whether nothing in it can be seen: blanks, what formats others, marks that stand alone."""
    return all(
        unicodedata.category(letter) in _UNSEEN or letter in _BLANK_LETTERS for letter in text
    )


def check_names(names: tuple[str, ...]) -> None:
    """Checks a vocabulary.

    Raises:
        InvalidValue: It is empty, names something twice, or a name is no text.
        PromptEmpty: A name is blank.
    """
    if not names:
        raise InvalidValue("A vocabulary has no names.")
    for name in names:
        if not isinstance(name, str):
            raise InvalidValue(f"A vocabulary's name is {name!r}, no text.")
        check_text(name)
        if is_blank(name):
            error = PromptEmpty("A name of the vocabulary is blank.")
            error.hint = "Give names of things, or leave the vocabulary out."
            raise error
    if len(set(names)) < len(names):
        raise InvalidValue("A vocabulary names something twice.")


def check_box(box: Box) -> None:
    """Raises CoordinateNotFinite or BoxWithoutArea where a box is no rectangle."""
    if not all(map(math.isfinite, (box.x0, box.y0, box.x1, box.y1))):
        raise CoordinateNotFinite(f"A box has the corners {_corners(box)}.")
    if not (box.x0 < box.x1 and box.y0 < box.y1):
        raise BoxWithoutArea(f"The box {_corners(box)} has no area.")


def _corners(box: Box) -> str:
    return f"({box.x0:g}, {box.y0:g}), ({box.x1:g}, {box.y1:g})"


def _boxes(prompt: ObjectPrompt) -> tuple[Box, ...]:
    return prompt.negative_boxes if prompt.box is None else (prompt.box, *prompt.negative_boxes)


def _vertices(prompt: ObjectPrompt) -> Iterator[tuple[float, float]]:
    for point in prompt.points:
        yield point.x, point.y
    for scribble in prompt.scribbles:
        yield from scribble.points
