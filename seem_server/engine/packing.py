"""What was said about one object, as the arrays that the bundle's decoder takes.

P prompt points · T text tokens · V tokens of an example · C joint space · h, w mask logits
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.backend import PromptArrays, QueryArrays, Selector
from seem_server.runtime.specs import QueriesSpec
from seem_wire.pixels import NEGATIVE, PADDING, POSITIVE, rasterise, rasterise_pixels

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_server.runtime.backend import ExampleTokens, Prompts, TextStates
    from seem_server.runtime.specs import BundleManifest
    from seem_wire.pixels import Frame, PixelSets
    from seem_wire.prompts import ExamplePrompt, MaskPrompt, ObjectPrompt

    Float32 = npt.NDArray[np.float32]

N_LEVELS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """A round of one object: its prompt, and what the engine made or kept for it.

    `before`: the prompt of the round before; `logits`: what was answered to it, float32 (h, w).
    `text`, `example`: those of the prompt, encoded.
    """

    prompt: ObjectPrompt
    before: ObjectPrompt | None = None
    logits: Float32 | None = None
    text: TextStates | None = None
    example: ExampleTokens | None = None


def pack(said: Said, frame: Frame, manifest: BundleManifest) -> Prompts:
    """One object's round as the decoder's inputs, n = 1; what was not said is masked out."""
    if isinstance(manifest.decoder, QueriesSpec):
        return _for_queries(said, frame, manifest, manifest.decoder)
    return _for_refined(said, frame, manifest)


def selector(prompt: ObjectPrompt) -> Selector:
    """By what the answering query is chosen: the first of marks, example and text that is there.

    So does the published program where several are given. Negative marks point at nothing.
    """
    clicked = any(point.positive for point in prompt.points)
    drawn = any(scribble.positive for scribble in prompt.scribbles)
    surrounded = prompt.box or any(lasso.positive for lasso in prompt.lassos)
    if clicked or drawn or surrounded or prompt.mask:
        return Selector.MARKS
    return Selector.EXAMPLE if prompt.example is not None else Selector.TEXT


def same_mask(
    one: MaskPrompt | ExamplePrompt | None, other: MaskPrompt | ExamplePrompt | None
) -> bool:
    """Whether both are there and mark the same pixels."""
    if one is None or other is None:
        return False
    return one is other or np.array_equal(one.mask, other.mask)


def _for_refined(said: Said, frame: Frame, manifest: BundleManifest) -> PromptArrays:
    pixels = rasterise(said.prompt, frame)
    given, before = said.prompt.mask, said.before.mask if said.before else None
    is_new = given is not None and not same_mask(given, before)
    previous = pixels.mask_logits if is_new else said.logits
    has_points = len(pixels.points) > 0
    states = np.zeros((1, manifest.text.width), np.float32)
    if said.text is not None:
        states = said.text.states
    example = np.zeros(manifest.joint_width, np.float32)
    if said.example is not None:
        example = said.example.vector
    return PromptArrays(
        points=pixels.points[None] if has_points else np.zeros((1, 1, 2), np.float32),
        labels=pixels.labels[None] if has_points else np.full((1, 1), PADDING, np.float32),
        maps=pixels.maps[None],
        previous_mask=np.zeros_like(pixels.maps[:1]) if previous is None else previous[None],
        has_previous=np.array([previous is not None], np.float32),
        text=states[None],
        text_mask=np.full((1, len(states)), said.text is not None, np.float32),
        example=example[None],
        has_example=np.array([said.example is not None], np.float32),
    )


def _for_queries(
    said: Said, frame: Frame, manifest: BundleManifest, spec: QueriesSpec
) -> QueryArrays:
    pixels = rasterise_pixels(said.prompt, frame, spec.max_points)
    points, labels = _labelled(pixels)
    has_marks = bool((labels != PADDING).any())
    previous = said.logits if spec.memory_tokens and has_marks else None
    chosen_by = selector(said.prompt)
    rows = range(spec.object_queries) if chosen_by is Selector.TEXT else spec.query_rows
    width = manifest.joint_width
    nothing = np.zeros((1, width), np.float32)
    states = nothing if said.text is None else said.text.states
    tokens = np.zeros((N_LEVELS, 1, width), np.float32)
    if said.example is not None:
        tokens = said.example.tokens
    return QueryArrays(
        points=points[None],
        labels=labels[None],
        text=states[None],
        text_mask=np.full((1, len(states)), said.text is not None, np.float32),
        sentence=states[-1:],
        examples=tokens[None],
        example_mask=np.full((1, tokens.shape[1]), said.example is not None, np.float32),
        example_vector=nothing if said.example is None else said.example.vector[None],
        previous_mask=(np.zeros(frame.grid, np.float32) if previous is None else previous)[None],
        has_previous=np.array([previous is not None], np.float32),
        query_rows=np.array([rows], np.int64),
        selector=np.array([chosen_by], np.int64),
    )


def _labelled(pixels: PixelSets) -> tuple[Float32, Float32]:
    """The pixels (P, 2) of both signs and their labels (P,); one of padding where there is none."""
    points = np.concatenate([pixels.positive, pixels.negative]).astype(np.float32)
    labels = np.repeat(
        np.array([POSITIVE, NEGATIVE], np.float32), [len(pixels.positive), len(pixels.negative)]
    )
    if not len(points):
        return np.zeros((1, 2), np.float32), np.full(1, PADDING, np.float32)
    return points, labels
