"""From what a search by clicks saw in an image to named segments of it.

Things are masks that clicks were answered with; stuff is what the meanings of places tell, made
sharper by those masks. What each is called rests on both: the mask's own meaning, and the mean of
the places under it. Which names count is the question's, so all of this is done for each question.

h, w mask logits without their padding · H, W image · K names · C joint space · a cell is a pixel of
the logits
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from seem_server.engine.enlarging import way
from seem_server.engine.findings import Found, drawn_size, listed, probabilities
from seem_server.engine.searching import MIN_CELLS
from seem_wire import rle
from seem_wire.resample import bilinear
from seem_wire.types import SegmentKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from seem_server.engine.enlarging import Way
    from seem_server.engine.findings import Names
    from seem_server.engine.preprocess import Layout
    from seem_server.engine.searching import Search, Seen
    from seem_server.runtime.specs import EverythingSpec
    from seem_wire.types import ObjectMask

    Float32 = npt.NDArray[np.float32]
    Int32 = npt.NDArray[np.int32]
    Ints = npt.NDArray[np.intp]
    Mask = npt.NDArray[np.bool_]

INNER = 0.8
"""A mask lies in another one if so much of it does."""

SMALLER = 0.7
"""... and if it is smaller than this share of it: else both are tries at one thing."""

FILLED = 0.6
"""Things of one name that fill so much of a mask of that name are what it is a group of."""

COVERED = 0.5
"""A name that may be stuff is stuff if its masks cover less of the places around them than this."""

CRUMB = 24
"""Cells of the smallest region that no mask vouches for: six places of the map of meanings."""

FRINGE = 2.5
"""Cells from middle to edge: what is thinner and beside a mask is that mask's edge, seen coarsely.
"""

_ALL_NEIGHBOURS = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A mask that was seen, by its likeliest name.

    inside: (h, w). likely: (K + 1,) float32, the probability of each name and of none.
    `score`: the probability of its name, times the IoU that it is estimated to have.
    """

    seen: Seen
    inside: Mask
    likely: Float32
    label: int
    score: float

    @property
    def probability(self) -> float:
        """Of its name."""
        return float(self.likely[self.label])


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A region that the meanings of places make: (h, w). `probability`: the mean over its cells."""

    cells: Mask
    label: int
    probability: float


def compose(
    search: Search,
    layout: Layout,
    names: Names,
    spec: EverythingSpec,
    *,
    kind: SegmentKind,
    threshold: float | None,
) -> tuple[ObjectMask, ...]:
    """The segments of an image, numbered from 1, best first.

    `threshold`: the least score; None for the bundle's, which instances and semantic segments do
    not have.
    """
    named = chosen(candidates(search, names))
    likely = sharpened(_likely_names(search, names, layout), named)
    canvas = _Canvas(layout, way(layout, drawn_size(layout.size), smooth=False))
    if kind is SegmentKind.PANOPTIC:
        least = spec.threshold if threshold is None else threshold
        found = _panoptic(named, likely, names, canvas, least=least, overlap=spec.overlap)
    elif kind is SegmentKind.INSTANCE:
        found = _instances(named, likely, names, canvas, least=threshold or 0.0)[: spec.instances]
    else:
        found = _semantic(likely, names, canvas, least=threshold or 0.0)
    return listed(found, layout.size)


# --- which masks, under which names


def candidates(search: Search, names: Names) -> list[Candidate]:
    """The masks that are likelier one of the names than none of them.

    The logits of a mask's own meaning and those of the places under it are averaged: where they
    disagree, neither is sure.
    """
    if not search.seen:
        return []
    insides = [one.inside for one in search.seen]
    own = np.stack([one.semantic for one in search.seen])
    likely = probabilities((own + _mean_meanings(search, insides)) / np.float32(2), names)
    labels = likely.argmax(axis=1)
    return [
        Candidate(one, inside, row, int(label), float(row[label]) * one.iou)
        for one, inside, row, label in zip(search.seen, insides, likely, labels, strict=True)
        if label < len(names.names)
    ]


def chosen(named: Sequence[Candidate]) -> list[Candidate]:
    """Of all readings of a click, the best by its score: part, whole or group as the names ask."""
    best: dict[int, Candidate] = {}
    for one in named:
        for click in one.seen.clicks:
            if click not in best or one.score > best[click].score:
                best[click] = one
    kept = set(map(id, best.values()))
    return [one for one in named if id(one) in kept]


def without_parts(named: Sequence[Candidate]) -> list[Candidate]:
    """Candidates of which none lies in another one of its name.

    Several that fill the larger one and are surer than it are what it is a group of, and it goes;
    otherwise they are its parts, and they go.
    """
    kept: list[Candidate] = []
    left = sorted(named, key=lambda one: -one.seen.area)
    while left:
        whole = left.pop(0)
        inner = [one for one in left if one.label == whole.label and lies_in(one, whole)]
        if not _is_group(whole, inner):
            kept.append(whole)
            gone = set(map(id, inner))
            left = [one for one in left if id(one) not in gone]
    return kept


def pile(named: Sequence[Candidate], overlap: float) -> list[Candidate]:
    """Candidates in the order in which they are painted, so that each pixel is the last one's.

    The better one lies above, but what lies in another one, as a person on a sofa does, lies above
    that. What is left with less than `overlap` of itself is dropped; what lies in it hides nothing.
    """
    stack: list[Candidate] = []
    for one in sorted(named, key=lambda one: -one.score):
        place = max((i for i, other in enumerate(stack, 1) if lies_in(one, other)), default=0)
        hidden = np.zeros_like(one.inside)
        for other in stack[place:]:
            if not lies_in(other, one):
                hidden |= other.inside
        if np.count_nonzero(one.inside & ~hidden) >= overlap * one.seen.area:
            stack.insert(place, one)
    return stack


def lies_in(one: Candidate, other: Candidate) -> bool:
    """Whether `one` is a smaller thing within `other`."""
    if one.seen.area > SMALLER * other.seen.area:
        return False
    return int(np.count_nonzero(one.inside & other.inside)) >= INNER * one.seen.area


def _is_group(whole: Candidate, inner: Sequence[Candidate]) -> bool:
    if len(inner) < 2:  # noqa: PLR2004  (several)
        return False
    filled = np.count_nonzero(np.any([one.inside for one in inner], axis=0) & whole.inside)
    surer = float(np.mean([one.score for one in inner])) > whole.score
    return surer and int(filled) >= FILLED * whole.seen.area


def _mean_meanings(search: Search, insides: Sequence[Mask]) -> Float32:
    """The mean of the places' vectors under each of n masks: (n, C)."""
    vectors = search.meanings.vectors
    n_channels, *places = vectors.shape
    means = np.empty((len(insides), n_channels), np.float32)
    for mean, inside in zip(means, insides, strict=True):
        rows, columns = np.nonzero(inside)
        where = (rows // search.step) * places[1] + columns // search.step
        counts = np.bincount(where, minlength=places[0] * places[1]).astype(np.float32)
        mean[:] = vectors.reshape(n_channels, -1) @ (counts / np.float32(len(rows)))
    return means


# --- what each cell is called


def _likely_names(search: Search, names: Names, layout: Layout) -> Float32:
    """How likely each name, or none, is for each cell: (K + 1, h, w)."""
    vectors = search.meanings.vectors
    likely = probabilities(vectors.reshape(len(vectors), -1).T, names)  # (places, K + 1)
    rows, columns = search.open.shape
    maps = np.ascontiguousarray(likely.T).reshape(-1, *vectors.shape[1:])
    return bilinear(maps, layout.frame.grid)[:, :rows, :columns]


def sharpened(likely: Float32, named: Sequence[Candidate]) -> Float32:
    """The same, but within each mask nearer to what the mask is called, by its estimated IoU.

    Small masks come last: they know better.
    """
    sharp = likely.copy()
    for one in sorted(named, key=lambda one: -one.seen.area):
        trust = np.float32(one.seen.iou)
        sharp[:, one.inside] = (1 - trust) * sharp[:, one.inside] + trust * one.likely[:, None]
    return sharp


def settled(names: Names, named: Sequence[Candidate], likely: Float32) -> Names:
    """The names, of which those are stuff that may be, and whose places no masks cover.

    A word that the bundle does not know may be either: where clicks find things of that name that
    explain the places around them, it is things, and where they do not, it is a region.
    """
    best = likely.argmax(axis=0)
    stuff = set()
    for label in names.unsure:
        masks = [one.inside for one in named if one.label == label]
        if not masks or not _cover(np.any(masks, axis=0), best == label):
            stuff.add(label)
    return replace(names, things=names.things - stuff)


def _cover(masks: Mask, places: Mask) -> bool:
    """Whether masks cover enough of those parts of a name's places that they touch at all."""
    parts, _ = ndimage.label(places, _ALL_NEIGHBOURS)
    areas = np.bincount(parts.ravel())
    covered = np.bincount(parts[masks], minlength=len(areas))
    touched = np.flatnonzero(covered[1:]) + 1
    return int(covered[touched].sum()) >= COVERED * int(areas[touched].sum())


def pieces(likely: Float32, owned: Mask, things: frozenset[int]) -> list[Piece]:
    """The regions that the likeliest names make of what is not `owned`.

    Stuff by name; things that no mask was found for one by one. Crumbs of a thing, and what is left
    of one beside a mask, belong to whatever lies behind; crumbs of stuff go.
    """
    nothing = len(likely) - 1
    best = np.where(owned, nothing, likely.argmax(axis=0))
    beside = ndimage.binary_dilation(owned, _ALL_NEIGHBOURS)
    made: list[Piece] = []
    fringe = np.zeros_like(owned)
    for label in sorted(things & set(map(int, np.unique(best)))):
        fringe |= best == label
        for cells in _parts(best == label, CRUMB):
            if not (cells & beside).any() or _depth(cells) >= FRINGE:
                made.append(_piece(cells, label, likely))
                fringe &= ~cells
    behind = np.array([label for label in range(nothing + 1) if label not in things])
    best[fringe] = behind[likely[:, fringe][behind].argmax(axis=0)]
    for one in made:
        best[one.cells] = nothing
    return made + regions(best, likely, least=CRUMB)


def regions(best: Ints, likely: Float32, *, least: int) -> list[Piece]:
    """One region for each name that is the `best` (h, w) somewhere; parts below `least` go."""
    made = []
    for label in map(int, np.unique(best)):
        parts = _parts(best == label, least) if label < len(likely) - 1 else []
        if parts:
            made.append(_piece(np.any(parts, axis=0), label, likely))
    return made


def _piece(cells: Mask, label: int, likely: Float32) -> Piece:
    return Piece(cells, label, float(likely[label][cells].mean(dtype=np.float64)))


def _parts(mask: Mask, least: int) -> list[Mask]:
    """The connected parts of a mask that have at least so many cells."""
    labels, _ = ndimage.label(mask, _ALL_NEIGHBOURS)
    areas = np.bincount(labels.ravel())
    return [labels == number for number in np.flatnonzero(areas >= least) if number]


def _depth(mask: Mask) -> float:
    """Cells from its middle to its edge."""
    return float(ndimage.distance_transform_edt(np.pad(mask, 1)).max())


# --- the three kinds of answer


@dataclass(frozen=True, slots=True, eq=False)
class _Canvas:
    """Draws cells at the size that segments are drawn at, (H, W)."""

    layout: Layout
    way: Way

    def mask(self, logits: Float32) -> Mask:
        """Where logits (h, w) are over 0."""
        return self.way.over(self._padded(logits), 0.0)

    def map(self, ids: Int32) -> Int32:
        """Numbers (h, w) with smooth borders: those of the cells that make up most of a pixel."""
        height, width = self.way.size
        drawn, best = np.zeros((height, width), np.int32), np.zeros((height, width), np.float32)
        for number in map(int, np.unique(ids)):
            share = self.way.values(self._padded((ids == number).astype(np.float32)))
            wins = share > best
            best[wins] = share[wins]
            drawn[wins] = number
        return drawn

    def _padded(self, values: Float32) -> Float32:
        """Values of all the network's cells; those of the image's edge go on in the padding."""
        missing = [(0, n - m) for n, m in zip(self.layout.frame.grid, values.shape, strict=True)]
        return np.pad(values, missing, mode="edge")


def _panoptic(
    named: Sequence[Candidate],
    likely: Float32,
    names: Names,
    canvas: _Canvas,
    *,
    least: float,
    overlap: float,
) -> list[Found]:
    names = settled(names, named, likely)
    things = [one for one in named if one.label in names.things and one.score >= least]
    stack = pile(without_parts(things), overlap)
    owned = _union(stack, likely.shape[1:])
    ground = [one for one in pieces(likely, owned, names.things) if one.probability >= least]
    ids = canvas.map(_beneath(_numbered(ground, owned.shape), owned))
    for number, one in enumerate(stack, len(ground) + 1):
        ids[canvas.mask(one.seen.logits.astype(np.float32))] = number
    found = [_found(ids == n, one, names, one.probability) for n, one in enumerate(ground, 1)]
    for number, thing in enumerate(stack, len(ground) + 1):
        found.append(_found(ids == number, thing, names, thing.score))
    return _best_first(found)


def _instances(
    named: Sequence[Candidate], likely: Float32, names: Names, canvas: _Canvas, *, least: float
) -> list[Found]:
    things = [one for one in named if one.label in names.things and one.score >= least]
    things = without_parts(things)
    ground = [
        one
        for one in pieces(likely, _union(things, likely.shape[1:]), names.things)
        if one.label in names.things and one.probability >= least
    ]
    half = np.float32(0.5)
    found = [
        _found(canvas.mask(one.seen.logits.astype(np.float32)), one, names, one.score)
        for one in things
    ] + [
        _found(canvas.mask(one.cells.astype(np.float32) - half), one, names, one.probability)
        for one in ground
    ]
    return _best_first(found)


def _semantic(likely: Float32, names: Names, canvas: _Canvas, *, least: float) -> list[Found]:
    everything = regions(likely.argmax(axis=0), likely, least=MIN_CELLS)
    found = [one for one in everything if one.probability >= least]
    ids = canvas.map(_numbered(found, likely.shape[1:]))
    return _best_first(
        [_found(ids == n, one, names, one.probability) for n, one in enumerate(found, 1)]
    )


def _found(mask: Mask, one: Candidate | Piece, names: Names, score: float) -> Found:
    name = names.names[one.label]
    return Found(rle.encode(mask), name, score, one.probability, one.label in names.things)


def _best_first(found: list[Found]) -> list[Found]:
    """By falling score; what has no pixel at the size that is drawn is left out."""
    return sorted((one for one in found if rle.area(one.mask)), key=lambda one: -one.score)


def _union(named: Sequence[Candidate], shape: tuple[int, ...]) -> Mask:
    union = np.zeros(shape, np.bool_)
    for one in named:
        union |= one.inside
    return union


def _numbered(found: Sequence[Piece], shape: tuple[int, ...]) -> Int32:
    """The number from 1 on of the piece that each cell is of; 0 for none."""
    ids = np.zeros(shape, np.int32)
    for number, one in enumerate(found, 1):
        ids[one.cells] = number
    return ids


def _beneath(ids: Int32, owned: Mask) -> Int32:
    """Numbers that go on beneath what is `owned`, so that no gap opens along its drawn edge."""
    if owned.all() or not owned.any():
        return ids
    rows, columns = ndimage.distance_transform_edt(
        owned, return_distances=False, return_indices=True
    )
    beneath: Int32 = ids[rows, columns]
    return beneath
