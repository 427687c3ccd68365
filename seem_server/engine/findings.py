"""From what the queries find in an image to named segments of it.

Q queries · K names · C joint space
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_wire import rle, segments
from seem_wire.types import ObjectMask, SegmentKind

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_server.engine.preprocess import Layout
    from seem_server.runtime.backend import Findings
    from seem_server.runtime.specs import EverythingSpec, Vocabulary
    from seem_wire.segments import Masks

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """What to look for: K names and, last, what is none of them.

    embeddings: (K + 1, C) float32 unit rows. `scale` as in a bundle's vocabulary; `things`: indices
    of the names whose objects are told apart.
    """

    names: tuple[str, ...]
    embeddings: Float32
    scale: float
    things: frozenset[int]

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
        return cls(words, embeddings, vocabulary.scale, things)


def probabilities(semantic: Float32, names: Names) -> Float32:
    """How likely each name, or none, is for each query: (Q, K + 1), rows that sum to 1."""
    logits = names.scale * (semantic.astype(np.float64) @ names.embeddings.T.astype(np.float64))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely: Float32 = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return likely


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
    do not have.
    """
    likely = probabilities(findings.semantic, names)
    padded = (layout.frame.height, layout.frame.width)
    masks = segments.Enlarged(findings.mask_logits, padded, layout.resized, layout.size)
    if kind is SegmentKind.PANOPTIC:
        least = spec.threshold if threshold is None else threshold
        return _panoptic(likely, masks, names, least, spec.overlap)
    if kind is SegmentKind.INSTANCE:
        return _instances(likely, masks, names, threshold or 0.0, spec.instances)
    return _semantic(likely, masks, names, threshold or 0.0)


def _panoptic(
    likely: Float32, masks: Masks, names: Names, threshold: float, overlap: float
) -> tuple[ObjectMask, ...]:
    found = segments.panoptic(likely, masks, names.things, threshold, overlap)
    return tuple(
        _object(
            one.id,
            rle.encode(found.ids == one.id),
            names.names[one.label],
            score=one.score,
            probability=one.score,
            is_thing=one.is_thing,
        )
        for one in found.segments
    )


def _instances(
    likely: Float32, masks: Masks, names: Names, threshold: float, most: int
) -> tuple[ObjectMask, ...]:
    found = segments.instances(likely, masks, names.things, most)
    kept = [one for one in found if one.area and one.score >= threshold]
    return tuple(
        _object(
            number,
            one.mask,
            names.names[one.label],
            score=one.score,
            probability=float(likely[one.query, one.label]),
            is_thing=True,
        )
        for number, one in enumerate(kept, 1)
    )


def _semantic(
    likely: Float32, masks: Masks, names: Names, threshold: float
) -> tuple[ObjectMask, ...]:
    labels = segments.semantic(likely, masks)
    scores = likely.max(axis=0)  # of a name: that of the query which is surest of it
    found = [int(label) for label in np.unique(labels) if scores[label] >= threshold]
    return tuple(
        _object(
            number,
            rle.encode(labels == label),
            names.names[label],
            score=float(scores[label]),
            probability=float(scores[label]),
            is_thing=label in names.things,
        )
        for number, label in enumerate(found, 1)
    )


def _object(
    number: int, mask: rle.Rle, label: str, *, score: float, probability: float, is_thing: bool
) -> ObjectMask:
    box = rle.box(mask)
    return ObjectMask(
        object_id=number,
        rle=mask,
        score=min(max(score, 0.0), 1.0),
        box=box,
        area=rle.area(mask),
        label=label,
        label_probability=min(max(probability, 0.0), 1.0),
        changed=box,
        is_thing=is_thing,
    )
