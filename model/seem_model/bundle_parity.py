"""How far a bundle's graphs are from the model they were made of: the parity report.

Every prompt that the bundle offers is put to both, on one made-up picture, each going its whole way
from pixels to masks. An ONNX graph in float32 differs by rounding alone, so its masks are the same
but for a few pixels; fewer bits must be seen not to change what is masked.

n objects · q query rows · C joint space · h4, w4 = H / 4, W / 4 of the network input
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from seem_model.clip_tokenizer import ClipTokenizer
from seem_model.export_published import FEATURE_NAMES, flatten
from seem_model.published import (
    BY_EXAMPLE,
    BY_MARKS,
    BY_TEXT,
    N_DRAWS,
    ExampleTokens,
    prompts_of_nothing,
)
from seem_model.runs import GraphRuns, TorchRuns
from seem_model.variants import SamViTConfig

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from seem_model.precision import Precision
    from seem_model.published import PublishedSeem, QueryAnswers, QueryPrompts
    from seem_model.runs import Runs

LEAST_IOU = {"fp32": 0.99, "fp16": 0.95, "int8": 0.90}
"""Of each kind of prompt, the mean over its objects, below which a bundle is refused. Rounding
stays far above the first; the others say how much of a mask may change for a smaller file."""

WORDS = ("a cat", "the red car", "person on the left", "sky")
"""One text for each object."""

N_OBJECTS = len(WORDS)
_SIZE = (256, 320)
_PLACES = ((0.3, 0.3), (0.7, 0.25), (0.25, 0.7), (0.7, 0.75))
_BOX_POINTS = 20
_BESIDE = 30
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Agreement:
    """One kind of prompt, answered by both.

    iou: of the masks, the mean over the objects. same_query: share of objects that the same query
    answers. error, scale: of the mask logits, largest difference and largest value.
    """

    prompt: str
    iou: float
    same_query: float
    error: float
    scale: float


@dataclass(frozen=True, slots=True)
class Parity:
    """The report. features: each map's largest difference as a share of its largest value."""

    precision: Precision
    size: tuple[int, int]
    features: dict[str, float]
    prompts: tuple[Agreement, ...]

    @property
    def worst(self) -> Agreement:
        """The kind of prompt whose masks agree least."""
        return min(self.prompts, key=lambda one: one.iou)

    @property
    def passed(self) -> bool:
        """Whether the masks are those of the model, as far as the precision promises."""
        return self.worst.iou >= LEAST_IOU[self.precision]

    def document(self) -> dict[str, Any]:
        """As JSON, for the bundle's provenance."""
        return {
            "input": list(self.size),
            "least_iou": LEAST_IOU[self.precision],
            "passed": self.passed,
            "feature_error": {name: _short(value) for name, value in self.features.items()},
            "prompts": {
                one.prompt: {
                    "mask_iou": round(one.iou, 5),
                    "same_query": round(one.same_query, 3),
                    "max_error": _short(one.error),
                    "max_logit": _short(one.scale),
                }
                for one in self.prompts
            },
        }


class Judge:
    """What the model answers, found once; `compare` holds graphs against it."""

    @torch.inference_mode()
    def __init__(self, model: PublishedSeem, query_rows: Sequence[int]) -> None:
        """`query_rows` answer marks, as the bundle has it."""
        self._model, self._query_rows = model, query_rows
        self._image = picture(model)
        self._expected = _Round(TorchRuns(model), model, self._image, query_rows)

    @torch.inference_mode()
    def compare(self, folder: Path, precision: Precision) -> Parity:
        """The graphs in `folder` against the model."""
        expected = self._expected
        found = _Round(GraphRuns(folder), self._model, self._image, self._query_rows)
        maps = zip(FEATURE_NAMES, flatten(found.features), flatten(expected.features), strict=True)
        height, width = self._image.shape[-2:]
        return Parity(
            precision=precision,
            size=(height, width),
            features={name: _error(a, b) / max(_scale(b), _TINY) for name, a, b in maps},
            prompts=tuple(
                _agreement(prompt, found.masks[prompt], masks)
                for prompt, masks in expected.masks.items()
            ),
        )


def picture(model: PublishedSeem) -> Tensor:
    """A made-up normalised picture (1, 3, H, W): soft clouds, with a disk at each place."""
    backbone = model.variant.backbone
    height, width = (backbone.image_side,) * 2 if isinstance(backbone, SamViTConfig) else _SIZE
    generator = torch.Generator().manual_seed(0)
    clouds = torch.randn(1, 3, 6, 8, generator=generator)
    image = functional.interpolate(clouds, (height, width), mode="bicubic")
    image = image + 0.1 * torch.randn(1, 3, height, width, generator=generator)
    rows, columns = torch.arange(height).unsqueeze(1) / height, torch.arange(width) / width
    for x, y in _PLACES:
        disk = (rows - y) ** 2 + (columns - x) ** 2 < 0.1**2
        image = torch.where(disk, 2 * torch.randn(3, 1, 1, generator=generator), image)
    return image


@dataclass(frozen=True, slots=True)
class _Masks:
    """logits: (n, h4, w4) and selected: (n,), the row that answered; none for everything."""

    logits: Tensor
    selected: Tensor


class _Round:
    """All prompts put to one of the two."""

    def __init__(
        self, runs: Runs, model: PublishedSeem, image: Tensor, query_rows: Sequence[int]
    ) -> None:
        self._runs = runs
        self._sizes = model.variant.sizes
        self._rows = torch.tensor(query_rows)
        self._size = image.shape[-2:]
        self.features = runs.encode(image)
        text, example = self._text(), self._example()
        nothing = self._prompts(BY_MARKS, clicks(*self._size))
        click = self._decode(nothing)
        self.masks = {
            "click": _masks_of(click),
            "box": _masks_of(self._decode(self._prompts(BY_MARKS, boxes(*self._size)))),
            "text": _masks_of(self._decode(text)),
            "click and text": _masks_of(
                self._decode(nothing._replace(text=text.text, text_mask=text.text_mask))
            ),
            "example": _masks_of(self._decode(example)),
        }
        if model.variant.has_memory:
            self.masks["second click"] = _masks_of(self._decode(self._second(nothing, click)))
        self.masks["everything"] = self._everything()

    def _decode(self, prompts: QueryPrompts) -> QueryAnswers:
        return self._runs.decode(self.features, prompts)

    def _prompts(self, selector: int, marks: Tensor | None = None) -> QueryPrompts:
        """Of N_OBJECTS; marks (n, P, 2) are positive."""
        rows = self._rows if selector == BY_MARKS else None
        nothing = prompts_of_nothing(self.features, objects=N_OBJECTS, rows=rows, sizes=self._sizes)
        prompts = nothing._replace(selector=torch.full_like(nothing.selector, selector))
        if marks is None:
            return prompts
        points = marks.unsqueeze(1).expand(-1, N_DRAWS, -1, -1).unsqueeze(0)
        return prompts._replace(points=points, labels=torch.ones(points.shape[:-1]))

    def _text(self) -> QueryPrompts:
        texts = ClipTokenizer().encode(WORDS)
        longest = max(map(len, texts))
        ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts])
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
        states = self._runs.states(ids, mask)  # (n, T, C)
        ends = mask.sum(1) - 1
        return self._prompts(BY_TEXT)._replace(
            text=states.unsqueeze(0),
            text_mask=mask.unsqueeze(0).float(),
            sentence=states[torch.arange(len(texts)), ends].unsqueeze(0),
        )

    def _example(self) -> QueryPrompts:
        shown = self._prompts(BY_MARKS, boxes(*self._size))
        tokens: ExampleTokens = self._runs.example(self.features, shown.points, shown.labels)
        return self._prompts(BY_EXAMPLE)._replace(
            examples=tokens.examples,
            example_mask=torch.ones(shown.labels[:, :, 0].shape),
            example_vector=tokens.vector,
        )

    def _second(self, first: QueryPrompts, answers: QueryAnswers) -> QueryPrompts:
        """A negative click beside the first, whose mask the model remembers."""
        owners = torch.arange(N_OBJECTS)[None, :, None, None]
        slots = (self._sizes.decoder_layers, self._sizes.memory_tokens)
        return first._replace(
            points=torch.cat([first.points, first.points + _BESIDE], dim=3),
            labels=torch.cat([first.labels, torch.zeros_like(first.labels)], dim=3),
            previous_mask=answers.mask_logits,
            memory_owners=owners.expand(1, -1, *slots),
        )

    def _everything(self) -> _Masks:
        answers = self._decode(prompts_of_nothing(self.features, sizes=self._sizes))
        masks = self._runs.masks(answers.embeddings[:, 0], self.features.mask_features)
        return _Masks(masks[0], torch.arange(masks.shape[1]))


def clicks(height: int, width: int) -> Tensor:
    """The 3 x 3 pixels around each place: (n, 9, 2) of (x, y)."""
    near = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2))
    places = (torch.tensor(_PLACES) * torch.tensor([width, height])).long()
    return (places.unsqueeze(1) + near).float()


def boxes(height: int, width: int) -> Tensor:
    """A lattice of pixels that fills a rectangle around each place: (n, 400, 2) of (x, y)."""
    steps = torch.linspace(-0.15, 0.15, _BOX_POINTS)
    lattice = torch.cartesian_prod(steps, steps)
    fractions = torch.tensor(_PLACES).unsqueeze(1) + lattice
    return (fractions * torch.tensor([width, height])).floor()


def _masks_of(answers: QueryAnswers) -> _Masks:
    return _Masks(answers.mask_logits[0], answers.selected[0])


def _agreement(prompt: str, found: _Masks, expected: _Masks) -> Agreement:
    a, b = found.logits > 0, expected.logits > 0  # (n, h4, w4)
    union = (a | b).sum((1, 2))
    iou = torch.where(union > 0, (a & b).sum((1, 2)) / union.clamp(min=1), torch.ones(()))
    return Agreement(
        prompt=prompt,
        iou=float(iou.mean()),
        same_query=float((found.selected == expected.selected).float().mean()),
        error=_error(found.logits, expected.logits),
        scale=_scale(expected.logits),
    )


def _error(found: Tensor, expected: Tensor) -> float:
    error = float((found - expected).abs().max())
    return error if math.isfinite(error) else math.inf


def _scale(values: Tensor) -> float:
    return float(values.abs().max())


def _short(value: float) -> float:
    """Three digits; a number that JSON has."""
    return float(f"{min(value, 1 / _TINY):.3g}")
