"""A search of an image by clicks: where to click next, and what to keep of the answers.

Our own decoder has no queries that stand for everything; it answers clicks. So the image is asked a
click at a time: always in the middle of the largest part that nothing explains yet, first within
what the meanings of its places tell apart, then anywhere. What an answer covers needs no click any
more, which is what makes it cheap. All of it is a pure function of the image, whatever is asked.

h, w mask logits without their padding · C joint space · K names · a cell is a pixel of the logits
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

from seem_server.engine.findings import probabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from seem_server.engine.findings import Names
    from seem_server.engine.preprocess import Layout
    from seem_server.runtime.backend import Decoded, PixelMeanings
    from seem_server.runtime.specs import ClicksSpec

    Float32 = npt.NDArray[np.float32]
    Float16 = npt.NDArray[np.float16]
    Ints = npt.NDArray[np.intp]
    Mask = npt.NDArray[np.bool_]

MIN_CELLS = 4
"""Smallest mask that is kept."""

SAME = 0.8
"""Masks of more IoU than this are one."""

STUFF_WEIGHT = 0.5
"""What a part that means no thing is worth beside one that does: the map of meanings tells it."""

CEILING = 64.0
"""Greatest logit that is kept; half precision holds no more than a few thousand times as much."""

TRIED = 0.7
"""How much of the way to its edge the middle of a part stands for, if the click there failed."""

LEAST_WITHIN, LEAST_ANYWHERE = 1.5, 2.0
"""Cells from its middle to its edge of the smallest part that is worth a click: one of a meaning of
its own, and one without."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A mask that clicks were answered with.

    logits: (h, w) float16, inside where > 0. semantic: (C,) float32 unit vector. `area` in cells.
    `clicks`: numbers of the clicks whose answers, or one of their readings, it was.
    """

    logits: Float16
    iou: float
    semantic: Float32
    area: int
    clicks: frozenset[int]

    @property
    def inside(self) -> Mask:
        """Where it is, (h, w)."""
        return self.logits > 0


@dataclass(frozen=True, slots=True)
class Aim:
    """A cell to click, and how far it is from what is explained, in cells."""

    row: int
    column: int
    depth: float


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """How far an image is searched.

    named: (h, w) int16, the likeliest of the bundle's names of each cell; is_thing: (h, w), whether
    that is a thing's; open: (h, w), what no answer explains and no click tried. `step`: cells along
    each side of a place that has a meaning. `is_over`: nothing is left that is worth a click, or
    the clicks are used up.
    """

    meanings: PixelMeanings
    named: npt.NDArray[np.int16]
    is_thing: Mask
    open: Mask
    step: int
    seen: tuple[Seen, ...] = ()
    n_clicks: int = 0
    is_over: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        masks = sum(one.logits.nbytes + one.semantic.nbytes for one in self.seen)
        maps = self.named.nbytes + self.is_thing.nbytes + self.open.nbytes
        return masks + maps + self.meanings.vectors.nbytes


def begin(meanings: PixelMeanings, names: Names, layout: Layout) -> Search:
    """A search that has not clicked yet; `names` are the bundle's own."""
    vectors = meanings.vectors
    likely = probabilities(vectors.reshape(len(vectors), -1).T, names)  # (cells, K + 1)
    places = likely.argmax(axis=1).reshape(vectors.shape[1:]).astype(np.int16)
    step = layout.frame.grid[0] // len(places)
    rows, columns = _shown_cells(layout)
    named = places.repeat(step, axis=0)[:rows].repeat(step, axis=1)[:, :columns]
    is_thing = np.isin(named, sorted(names.things))
    return Search(meanings, named, is_thing, np.ones(named.shape, np.bool_), step)


def _shown_cells(layout: Layout) -> tuple[int, int]:
    """(h, w): cells that the image covers, without the padding."""
    rows, columns = (-(-side // layout.frame.stride) for side in layout.resized)
    return rows, columns


def next_aim(search: Search, spec: ClicksSpec) -> Aim | None:
    """Where to click next; None where the image is explained, or has cost what it may."""
    if search.n_clicks >= spec.most:
        return None
    weights = np.where(search.is_thing, np.float32(1), np.float32(STUFF_WEIGHT))
    within = search.open & ~_edges(search.named)
    return _middle(within, weights, LEAST_WITHIN) or _middle(
        search.open, np.ones_like(weights), LEAST_ANYWHERE
    )


def take(
    search: Search,
    aim: Aim,
    decoded: Decoded,
    spec: ClicksSpec,
    *,
    threshold: float,
    sweep: Callable[[Float32], Float32] = lambda logits: logits,
) -> Search:
    """The search after a click at `aim` was answered.

    `threshold`: the bundle's, of a mask. `sweep` tidies the logits (h, w) of one that is kept; what
    it fills is not explained by that: a hole in a mask may be a small thing.
    """
    shown, clicks = search.open.shape, frozenset({search.n_clicks})
    readings = _readings(decoded, shown)
    kept = [_kept(one, spec, threshold, sweep, clicks) for one in readings]
    good = [one for one in kept if one is not None]
    is_left = search.open & ~_disk(shown, aim)
    if good:
        surest = max(good, key=lambda one: one.iou)
        meant = readings[0 if kept[0] is not None else kept.index(surest)]
        is_left &= ~_explained(meant.logits > threshold, search)
    return replace(
        search, open=is_left, seen=_joined(search.seen, good), n_clicks=search.n_clicks + 1
    )


def stability(logits: Float16 | Float32, swing: float) -> float:
    """IoU of the masks that logits (h, w) give at thresholds of +-swing; 0 where there is none."""
    n_wide = int(np.count_nonzero(logits > -swing))
    return int(np.count_nonzero(logits > swing)) / n_wide if n_wide else 0.0


class _Reading(NamedTuple):
    """One mask of an answer: logits (h, w), and semantic (C,)."""

    logits: Float32
    iou: float
    semantic: Float32


def _readings(decoded: Decoded, shown: tuple[int, ...]) -> list[_Reading]:
    """All readings of one object's answer, the main one first; without the padding."""
    rows, columns = shown
    found = [_Reading(decoded.mask_logits[0], float(decoded.iou[0]), decoded.semantic[0])]
    others = decoded.hypotheses
    if others is not None:
        each = zip(others.mask_logits[0], others.iou[0], others.semantic[0], strict=True)
        found += [_Reading(logits, float(iou), semantic) for logits, iou, semantic in each]
    return [one._replace(logits=one.logits[:rows, :columns]) for one in found]


def _kept(
    one: _Reading,
    spec: ClicksSpec,
    threshold: float,
    sweep: Callable[[Float32], Float32],
    clicks: frozenset[int],
) -> Seen | None:
    """A mask as it is kept; None where it is likely wrong, hangs on its threshold or is a crumb."""
    level = np.float32(threshold)
    if not (one.iou >= spec.iou and stability(one.logits - level, spec.swing) >= spec.stability):
        return None
    logits = np.clip(sweep(one.logits) - level, -CEILING, CEILING).astype(np.float16)
    area = int(np.count_nonzero(logits > 0))
    return Seen(logits, one.iou, one.semantic.copy(), area, clicks) if area >= MIN_CELLS else None


def _joined(seen: tuple[Seen, ...], good: list[Seen]) -> tuple[Seen, ...]:
    """The masks of before and of one more answer, none of them twice: of two, the surer one."""
    joined = list(seen)
    for one in good:
        twin = next((i for i, other in enumerate(joined) if _are_same(one, other)), None)
        if twin is None:
            joined.append(one)
        else:
            better = max(joined[twin], one, key=lambda either: either.iou)  # of equals the first
            joined[twin] = replace(better, clicks=joined[twin].clicks | one.clicks)
    return tuple(joined)


def _are_same(one: Seen, other: Seen) -> bool:
    small, large = sorted((one.area, other.area))
    if small < SAME * large:
        return False
    n_both = int(np.count_nonzero(one.inside & other.inside))
    return n_both >= SAME * (small + large - n_both)


def _explained(inside: Mask, search: Search) -> Mask:
    """What of a mask needs no other click: all but what means another thing than most of it.

    A sofa's mask that takes in who sits there does not explain that person.
    """
    named = search.named[inside]
    mostly = int(np.bincount(named).argmax())
    explained: Mask = inside & ~(search.is_thing & (search.named != mostly))
    return explained


def _edges(named: npt.NDArray[np.int16]) -> Mask:
    """Cells whose right or lower neighbour has another name."""
    edges = np.zeros(named.shape, np.bool_)
    edges[:-1] |= named[:-1] != named[1:]
    edges[:, :-1] |= named[:, :-1] != named[:, 1:]
    return edges


def _middle(is_open: Mask, weights: Float32, least: float) -> Aim | None:
    """The open cell farthest from all that is not, as `weights` count it; None below `least`."""
    depth = ndimage.distance_transform_edt(np.pad(is_open, 1))[1:-1, 1:-1]
    worth = np.where(depth >= least, depth * weights, 0)
    row, column = divmod(int(worth.argmax()), worth.shape[1])
    if not worth[row, column]:
        return None
    return Aim(row, column, float(depth[row, column]))


def _disk(shape: tuple[int, ...], aim: Aim) -> Mask:
    """The cells around a click that another click would likely say the same of."""
    rows = np.arange(shape[0])[:, None] - aim.row
    columns = np.arange(shape[1])[None, :] - aim.column
    near: Mask = rows * rows + columns * columns < max(TRIED * aim.depth, 1) ** 2
    return near
