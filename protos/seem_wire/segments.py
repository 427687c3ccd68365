"""What one run of the object queries says of a whole picture: panoptic, semantic, instances.

The published rules, to the letter: each query has a probability for each of K names and, last, for
being nothing, and a mask. Queries are taken one at a time, so a picture needs a few maps of its
size, never one for every query: `masks` may be an array (Q, H, W) or `Enlarged`, which makes the
map of a query when it is asked for.

Q queries · K names · H, W picture · h, w decoder's map · masks: logits before the sigmoid
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from seem_wire import rle
from seem_wire.resample import to_original

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from seem_wire.rle import Rle

    Float32 = npt.NDArray[np.float32]
    Size = tuple[int, int]
    Ints = npt.NDArray[np.intp]
    Int32 = npt.NDArray[np.int32]

OVERLAP = 0.8
"""Least share of a query's own mask that others must leave to it, in panoptic output."""

N_INSTANCES = 100
"""Most instances that a picture is said to have."""

_HALF = np.float32(0.5)
_TINY = 1e-6
_BAND_PIXELS = 1 << 26
"""Pixels of all queries together that the semantic map holds at a time: 256 MB."""


class Masks(Protocol):
    """Mask logits of the queries; an array (Q, H, W) is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(Q, H, W)."""

    def __getitem__(self, query: int, /) -> Float32:
        """Logits (H, W) of one query."""


@dataclass(frozen=True, slots=True, eq=False)
class Enlarged:
    """Masks at the original size, each made from the decoder's `logits` (Q, h, w) when asked for.

    `padded`, `resized`: of the network's input, as in `resample.to_original`.
    """

    logits: Float32
    padded: Size
    resized: Size
    size: Size

    @property
    def shape(self) -> tuple[int, ...]:
        """(Q, H, W)."""
        return (len(self.logits), *self.size)

    def __getitem__(self, query: int, /) -> Float32:
        """Logits (H, W) of one query."""
        one = self.logits[query : query + 1]
        logits: Float32
        (logits,) = to_original(one, padded=self.padded, resized=self.resized, size=self.size)
        return logits


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a panoptic map: pixels of the value `id`.

    Attributes:
        id: From 1 on; 0 is no segment.
        label: Index of its name.
        is_thing: Whether it is one countable thing, not all there is of some stuff.
        score: Probability of the name; the highest where stuff of several queries was merged.
        area: How many pixels it has.
    """

    id: int
    label: int
    is_thing: bool
    score: float
    area: int


class Panoptic(NamedTuple):
    """`ids`: int32 (H, W), 0 where no segment is; `segments` in order of their ids."""

    ids: Int32
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class Instance:
    """One countable thing; instances may overlap, and one query may give several names.

    `score`: probability of the name times how sure the mask is of its inside.
    """

    query: int
    label: int
    score: float
    area: int
    mask: Rle


@dataclass(frozen=True, slots=True, eq=False)
class _Owners:
    """Which kept query owns each pixel (H, W), and where its mask holds the pixel.

    `owner`: position among the kept, -1 where none is; `n_inside` (kept,): size of each own mask.
    """

    owner: Int32
    inside: npt.NDArray[np.bool_]
    n_inside: list[int]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A query's mask, and how sure it is of its inside, 0 to 1."""

    mask: Rle
    area: int
    sureness: float


def panoptic(
    probabilities: Float32,
    masks: Masks,
    things: Collection[int],
    threshold: float,
    overlap: float = OVERLAP,
) -> Panoptic:
    """One segment for each pixel, or none: of probabilities (Q, K + 1).

    Queries count whose likeliest name is not "nothing" and more probable than `threshold`. A pixel
    goes to the one with the highest probability times mask; a query that is left with less than
    `overlap` of its own mask is dropped. Equal stuff is one segment.
    """
    labels, scores = probabilities.argmax(axis=1), probabilities.max(axis=1)
    nothing = probabilities.shape[1] - 1
    kept = np.flatnonzero((labels != nothing) & (scores > threshold))
    owners = _own(masks, kept, scores)
    ids = np.zeros(owners.owner.shape, np.int32)
    segments: list[Segment] = []
    stuff: dict[int, int] = {}  # label -> place among the segments
    for place, query in enumerate(kept):
        owned = owners.owner == place
        painted = owned & owners.inside
        area = int(np.count_nonzero(painted))
        if not area or np.count_nonzero(owned) / owners.n_inside[place] < overlap:
            continue
        label, score = int(labels[query]), float(scores[query])
        if label in stuff:
            known = segments[stuff[label]]
            segment = replace(known, score=max(known.score, score), area=known.area + area)
            segments[stuff[label]] = segment
        else:
            segment = Segment(len(segments) + 1, label, label in things, score, area)
            if not segment.is_thing:
                stuff[label] = len(segments)
            segments.append(segment)
        ids[painted] = segment.id
    return Panoptic(ids, segments)


def semantic_scores(probabilities: Float32, masks: Float32) -> Float32:
    """How much each pixel is of each name: (K, H, W), of masks (Q, H, W)."""
    named = np.ascontiguousarray(probabilities[:, :-1].T)  # (K, Q)
    scores: Float32 = np.tensordot(named, _sigmoid(masks), axes=1)
    return scores


def semantic(probabilities: Float32, masks: Masks) -> Int32:
    """The likeliest name of each pixel (H, W); it is never "nothing".

    Made in bands of rows. Masks that are made when asked for are made again for each band, which
    there is more than one of from about 0.6 megapixels on.
    """
    n_queries, height, width = masks.shape
    labels = np.empty((height, width), np.int32)
    n_rows = max(1, _BAND_PIXELS // (n_queries * width))
    for top in range(0, height, n_rows):
        band = np.stack([masks[query][top : top + n_rows] for query in range(n_queries)])
        labels[top : top + n_rows] = semantic_scores(probabilities, band).argmax(axis=0)
    return labels


def instances(
    probabilities: Float32,
    masks: Masks,
    things: Collection[int] | None,
    most: int = N_INSTANCES,
) -> list[Instance]:
    """The `most` likeliest pairs of a query and a name, by falling score.

    Pairs whose name is no thing are left out after counting, as published; None keeps all.
    """
    named = probabilities[:, :-1]
    best = np.argsort(-named, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), named.shape[1]) for place in best]
    if things is not None:
        pairs = [(query, label) for query, label in pairs if label in things]
    drawn = {query: _draw(masks[query]) for query in sorted({query for query, _ in pairs})}
    found = [
        Instance(query, label, float(named[query, label]) * one.sureness, one.area, one.mask)
        for query, label, one in ((*pair, drawn[pair[0]]) for pair in pairs)
    ]
    return sorted(found, key=lambda one: -one.score)


def _own(masks: Masks, kept: Ints, scores: Float32) -> _Owners:
    size = masks.shape[1:]
    owner, inside = np.full(size, -1, np.int32), np.zeros(size, np.bool_)
    best, n_inside = np.full(size, -1, np.float32), []
    for place, query in enumerate(kept):
        sure = _sigmoid(masks[int(query)])
        held = sure >= _HALF
        weighed = scores[query] * sure
        wins = weighed > best  # of equals, the first
        best[wins] = weighed[wins]
        owner[wins] = place
        inside[wins] = held[wins]
        n_inside.append(int(np.count_nonzero(held)))
    return _Owners(owner, inside, n_inside)


def _draw(logits: Float32) -> _Drawn:
    """The query's mask, and the mean of its sigmoid inside."""
    inside = logits > 0
    area = int(np.count_nonzero(inside))
    sureness = float(_sigmoid(logits[inside]).sum(dtype=np.float64) / (area + _TINY))
    return _Drawn(rle.encode(inside), area, sureness)


def _sigmoid(logits: Float32) -> Float32:
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and its inverse 0: right
        return (1 / (1 + np.exp(-logits))).astype(np.float32, copy=False)
