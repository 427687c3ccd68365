"""Masks as COCO run lengths, coded in NumPy.

A mask of height H and width W is read column by column, top to bottom, left column first, and the
lengths of its runs are listed, beginning with a run of False (of length 0 where the first pixel is
True). From the fourth run on, the difference to the run before last is written in its place. Each
number becomes little-endian groups of five bits in ASCII:

    character - 48 =  m s d d d d      m  more groups follow
                      │ └──┬─────      s  in the last group: the number's sign bit
                      │    └ five bits of the two's complement, lowest group first

so that `counts` is what pycocotools and every annotation tool write. Decoding checks outside bytes
(characters, signs, sum) before it allocates anything of the mask's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_wire.errors import LimitExceeded, MaskUnreadable
from seem_wire.prompts import Box

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]

MAX_SIDE = 1 << 20
"""Longest side of a mask that may be named at all."""

MAX_PIXELS = 1 << 28
"""Most pixels that `decode` allocates unless told otherwise."""

_STRIP = 32
"""Columns transposed at a time: as many as stay in the processor's first cache (3 x faster)."""

_MORE, _SIGN, _ZERO = 0x20, 0x10, 48
_BITS = 5
_MAX_GROUPS = 9  # 45 bits: more than MAX_SIDE squared, and sums of millions of them fit in 64


@dataclass(frozen=True, slots=True)
class Rle:
    """A mask of (`height`, `width`) pixels as COCO run lengths; `counts` is ASCII.

    Raises:
        MaskUnreadable: A side is not within 1 to MAX_SIDE. (The counts are checked when read.)
    """

    height: int
    width: int
    counts: str

    def __post_init__(self) -> None:
        _check_size(self.height, self.width)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def n_pixels(self) -> int:
        """How many pixels the mask has, marked or not."""
        return self.height * self.width


def encode(mask: Mask) -> Rle:
    """The run lengths of a mask, bool (H, W).

    Raises:
        MaskUnreadable: The mask has no pixel, or a side longer than MAX_SIDE.
    """
    height, width = mask.shape
    _check_size(height, width)
    return Rle(height, width, _compress(_run_lengths(np.ascontiguousarray(mask, np.bool_))))


def decode(rle: Rle, *, max_pixels: int = MAX_PIXELS) -> Mask:
    """The mask, bool (H, W), row-major and writable.

    Raises:
        LimitExceeded: The mask has more than `max_pixels` pixels.
        MaskUnreadable: The counts are malformed or do not cover the mask exactly.
    """
    if rle.n_pixels > max_pixels:
        raise LimitExceeded(f"A mask of {_named(rle)} pixels is over the limit of {max_pixels}.")
    starts, ends = _spans(rle)
    bounds = np.stack([starts, ends], axis=1).ravel()
    runs = np.diff(bounds, prepend=0, append=rle.n_pixels)
    columns = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(rle.width, rle.height)
    mask = np.zeros(rle.size, np.bool_)
    if len(starts):
        for left in range(int(starts[0]) // rle.height, rle.width, _STRIP):
            mask[:, left : left + _STRIP] = columns[left : left + _STRIP].T
    return mask


def area(rle: Rle) -> int:
    """How many pixels are marked."""
    starts, ends = _spans(rle)
    return int((ends - starts).sum())


def box(rle: Rle) -> Box | None:
    """The smallest box around the marked pixels, their outer edges; None where none is marked."""
    return _box_of_spans(*_spans(rle), rle.height)


def changed_box(before: Rle, after: Rle) -> Box | None:
    """The smallest box around the pixels that differ; None where none do.

    Raises:
        MaskUnreadable: The masks are not of one size, or one is malformed.
    """
    if before.size != after.size:
        raise MaskUnreadable(
            f"Masks of {_named(before)} and {_named(after)} pixels do not compare."
        )
    # A pixel differs where exactly one mask has switched: a bound that both share cancels out.
    bounds = np.concatenate([*_spans(before), *_spans(after)])
    places, times = np.unique(bounds, return_counts=True)
    switches = places[times % 2 == 1]
    return _box_of_spans(switches[0::2], switches[1::2], before.height)


def _box_of_spans(starts: Ints, ends: Ints, height: int) -> Box | None:
    """The box around spans of pixels, given in column order."""
    if not len(starts):
        return None
    first_column, top = np.divmod(starts, height)
    last_column, bottom = np.divmod(ends - 1, height)
    wraps = bool((last_column > first_column).any())  # a run over a column's end touches both edges
    y0, y1 = (0, height) if wraps else (int(top.min()), int(bottom.max()) + 1)
    return Box(float(first_column[0]), float(y0), float(last_column[-1] + 1), float(y1))


def _check_size(height: int, width: int) -> None:
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise MaskUnreadable(f"A mask of {height} x {width} pixels cannot be.")


def _named(rle: Rle) -> str:
    return f"{rle.height} x {rle.width}"


def _run_lengths(mask: Mask) -> Ints:
    """Lengths of the runs of a row-major mask in column order, without transposing its pixels."""
    height, width = mask.shape
    below = np.flatnonzero(mask[1:] != mask[:-1])  # a run begins below (row, column)
    rows, columns = np.divmod(below, width)
    down = columns * height + rows + 1
    across = np.flatnonzero(mask[0, 1:] != mask[-1, :-1])  # ... or at the top of column + 1
    starts = np.sort(np.concatenate([down, (across + 1) * height]))
    first = [0, 0] if mask[0, 0] else [0]
    return np.diff(np.concatenate([first, starts, [height * width]])).astype(np.int64)


def _spans(rle: Rle) -> tuple[Ints, Ints]:
    """Where runs of marked pixels start and end, as positions in column order; none is empty."""
    runs = _expand(rle.counts)
    if len(runs) and int(runs.min()) < 0:
        raise MaskUnreadable("A run of the mask is shorter than nothing.")
    if len(runs) and int(runs.max()) > rle.n_pixels:
        raise MaskUnreadable("A run of the mask is longer than the mask.")  # and sums could wrap
    bounds = np.cumsum(runs)
    total = int(bounds.max()) if len(bounds) else 0  # not the last: that one could have wrapped
    if total != rle.n_pixels:
        raise MaskUnreadable(f"The mask's runs cover {total} pixels, not {_named(rle)}.")
    ends = bounds[1::2]
    starts = bounds[0::2][: len(ends)]
    real = ends > starts
    return starts[real], ends[real]


def _compress(runs: Ints) -> str:
    """Run lengths as COCO's ASCII."""
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    # A number of n groups lies in [-2^(5n-1), 2^(5n-1)).
    magnitude = np.where(numbers < 0, ~numbers, numbers)
    groups = np.ones(len(numbers), np.int64)
    for n in range(1, _MAX_GROUPS):
        groups += magnitude >= 1 << (_BITS * n - 1)
    first = np.cumsum(groups) - groups
    place = np.arange(int(groups.sum())) - np.repeat(first, groups)
    code = (np.repeat(numbers, groups) >> (_BITS * place)) & 0x1F
    code |= np.where(place < np.repeat(groups, groups) - 1, _MORE, 0)
    return (code + _ZERO).astype(np.uint8).tobytes().decode("ascii")


def _expand(counts: str) -> Ints:
    """Run lengths out of COCO's ASCII; they may still be negative or of a wrong sum.

    Raises:
        MaskUnreadable: A character is foreign, or a number does not end or is absurdly long.
    """
    code = np.frombuffer(counts.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - _ZERO
    if not len(code):
        return code
    if int(code.min()) < 0 or int(code.max()) >= _MORE << 1:
        raise MaskUnreadable("The mask's counts hold a character that COCO never writes.")
    last = np.flatnonzero(code < _MORE)
    if not len(last) or last[-1] != len(code) - 1:
        raise MaskUnreadable("The mask's counts end in the middle of a number.")
    first = np.concatenate([[0], last[:-1] + 1])
    groups = last - first + 1
    if int(groups.max()) > _MAX_GROUPS:
        raise MaskUnreadable("The mask's counts hold a number of too many digits.")
    place = np.arange(len(code)) - np.repeat(first, groups)
    numbers = np.add.reduceat((code & 0x1F) << (_BITS * place), first)
    numbers -= np.where(code[last] & _SIGN, np.int64(1) << (_BITS * groups), 0)
    # From the fourth on, each is a difference to the one before last.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
