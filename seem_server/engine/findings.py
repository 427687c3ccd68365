"""From what the queries find in an image to named segments of it.

Q queries · K names · C joint space
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_server.engine.enlarging import TILE, way
from seem_wire import rle, segments
from seem_wire.types import ObjectMask, SegmentKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from seem_server.engine.enlarging import Way
    from seem_server.engine.preprocess import Layout
    from seem_server.runtime.backend import Findings
    from seem_server.runtime.specs import EverythingSpec, Vocabulary
    from seem_wire.rle import Rle

    Float32 = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.intp]

MAX_PIXELS = 1 << 22
"""Of the size that segments are drawn at: what more of them cost nobody could see, because the
network itself looks at less than a quarter of it."""

_BAND_PIXELS = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """What to look for: K names and, last, what is none of them.

    embeddings: (K + 1, C) float32 unit rows. `scale` as in a bundle's vocabulary; `things`: indices
    of the names whose objects are told apart. `unsure`: of these, those that the bundle does not
    know: they may as well be stuff.
    """

    names: tuple[str, ...]
    embeddings: Float32
    scale: float
    things: frozenset[int]
    unsure: frozenset[int] = frozenset()

    @classmethod
    def of_bundle(cls, vocabulary: Vocabulary, spec: EverythingSpec) -> Names:
        """The names that a bundle brings; its last one stands for none of the others."""
        things = frozenset(range(spec.n_things))
        return cls(vocabulary.names[:-1], vocabulary.embeddings, vocabulary.scale, things)

    @classmethod
    def of_words(
        cls, words: tuple[str, ...], sentences: Float32, vocabulary: Vocabulary, n_things: int
    ) -> Names:
        """Other names, by what the text encoder makes of them: `sentences` (K, C).

        A name that the bundle calls stuff is stuff; all others are things.
        """
        lengths = np.linalg.norm(sentences, axis=1, keepdims=True)
        unit = (sentences / np.maximum(lengths, np.float32(1e-7))).astype(np.float32)
        embeddings = np.concatenate([unit, vocabulary.embeddings[-1:]])
        stuff = frozenset(vocabulary.names[n_things:-1])
        things = frozenset(index for index, word in enumerate(words) if word not in stuff)
        known = frozenset(vocabulary.names)
        unsure = frozenset(index for index in things if words[index] not in known)
        return cls(words, embeddings, vocabulary.scale, things, unsure)


def probabilities(semantic: Float32, names: Names) -> Float32:
    """How likely each name, or none, is for each query: (Q, K + 1), rows that sum to 1."""
    logits = names.scale * (semantic.astype(np.float64) @ names.embeddings.T.astype(np.float64))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely: Float32 = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return likely


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """The queries' masks at a size (H, W), each made when it is asked for."""

    logits: Float32
    way: Way

    @property
    def shape(self) -> tuple[int, ...]:
        """(Q, H, W)."""
        return (len(self.logits), *self.way.size)

    def __getitem__(self, query: int, /) -> Float32:
        """Logits (H, W) of one query."""
        return self.way.values(self.logits[query])


def segment(
    findings: Findings,
    layout: Layout,
    names: Names,
    spec: EverythingSpec,
    *,
    kind: SegmentKind,
    threshold: float | None,
) -> tuple[ObjectMask, ...]:
    """The segments of an image, numbered from 1, by the published rules.

    `threshold`: the least score; None for the published one, which instances and semantic segments
    do not have. Of an image of more than MAX_PIXELS, the segments are drawn at a smaller size and
    then enlarged.
    """
    likely = probabilities(findings.semantic, names)
    maps = Maps(findings.mask_logits, way(layout, drawn_size(layout.size), smooth=True))
    if kind is SegmentKind.PANOPTIC:
        least = spec.threshold if threshold is None else threshold
        found = _panoptic(likely, maps, names, least, spec.overlap)
    elif kind is SegmentKind.INSTANCE:
        found = _instances(likely, maps, names, threshold or 0.0, spec.instances)
    else:
        found = _semantic(likely, maps, names, threshold or 0.0)
    return listed(found, layout.size)


def drawn_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size (H, W) that segments of an image of `size` are drawn at."""
    shrinking = min((MAX_PIXELS / (size[0] * size[1])) ** 0.5, 1.0)
    return max(int(size[0] * shrinking), 1), max(int(size[1] * shrinking), 1)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A segment, drawn at `drawn_size`; `score` of it, `probability` of its name."""

    mask: Rle
    label: str
    score: float
    probability: float
    is_thing: bool


def _panoptic(
    likely: Float32, maps: Maps, names: Names, threshold: float, overlap: float
) -> list[Found]:
    found = segments.panoptic(likely, maps, names.things, threshold, overlap)
    return [
        Found(
            rle.encode(found.ids == one.id),
            names.names[one.label],
            one.score,
            one.score,
            one.is_thing,
        )
        for one in found.segments
    ]


def _instances(
    likely: Float32, maps: Maps, names: Names, threshold: float, most: int
) -> list[Found]:
    found = segments.instances(likely, maps, names.things, most)
    return [
        Found(
            one.mask,
            names.names[one.label],
            one.score,
            float(likely[one.query, one.label]),
            is_thing=True,
        )
        for one in found
        if one.area and one.score >= threshold
    ]


def _semantic(likely: Float32, maps: Maps, names: Names, threshold: float) -> list[Found]:
    labels = _likeliest(likely, maps)
    scores = likely.max(axis=0)  # of a name: that of the query which is surest of it
    return [
        Found(
            rle.encode(labels == label),
            names.names[label],
            float(scores[label]),
            float(scores[label]),
            label in names.things,
        )
        for label in map(int, np.unique(labels))
        if scores[label] >= threshold
    ]


def _likeliest(likely: Float32, maps: Maps) -> Ints:
    """The likeliest name of each pixel (H, W), made in bands of rows."""
    n_queries, height, width = maps.shape
    labels = np.empty((height, width), np.intp)
    n_rows = max(_BAND_PIXELS // (n_queries * width * TILE), 1) * TILE
    for top in range(0, height, n_rows):
        band = maps.way.band(maps.logits, top, min(top + n_rows, height))  # (Q, rows, W)
        labels[top : top + n_rows] = segments.semantic_scores(likely, band).argmax(axis=0)
    return labels


def listed(found: Iterable[Found], size: tuple[int, int]) -> tuple[ObjectMask, ...]:
    """Segments, numbered from 1 as they come, at an image's `size` (H, W)."""
    return tuple(_object(number, one, size) for number, one in enumerate(found, 1))


def _object(number: int, found: Found, size: tuple[int, int]) -> ObjectMask:
    mask = found.mask if found.mask.size == size else _enlarged(found.mask, size)
    box = rle.box(mask)
    return ObjectMask(
        object_id=number,
        rle=mask,
        score=min(max(found.score, 0.0), 1.0),
        box=box,
        area=rle.area(mask),
        label=found.label,
        label_probability=min(max(found.probability, 0.0), 1.0),
        changed=box,
        is_thing=found.is_thing,
    )


def _enlarged(mask: Rle, size: tuple[int, int]) -> Rle:
    """The mask at another size, each pixel the nearest one of it."""
    small = rle.decode(mask)
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, small.shape, strict=True))
    return rle.encode(small[rows[:, None], columns[None, :]])
