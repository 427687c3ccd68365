"""The dense head that turns proposals into an exact mask.

The queries' proposals are coarse (stride 8) and slow to learn from little data. This head sees them
beside the prompt drawn as maps, the previous mask and the similarity of every place to what lies
under the clicks, to the words and to the example, and decides at stride 4. Besides the mask that
answers all that was said it draws a hypothesis for each query, weighing its features by the query,
as SAM does with its output tokens (Kirillov et al. 2023, section 3). What depends on the image
alone is computed once for each image (`ImageMaps`), so that a click pays for the prompt's part
only.

After interactive-segmentation heads that take clicks as disks and the previous mask as input (RITM,
Sofiiuk et al. 2022, sections 3.1-3.2) and match clicked features (FocalClick, Chen et al. 2022).

B images · n objects · N = B n · hS, wS rows and columns at stride S
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.decoder import sample_points
from seem_model.pixel_decoder import ConvNorm
from seem_wire.pixels import MAP_NAMES

if TYPE_CHECKING:
    from seem_model.config import RefinerConfig

N_PROMPT_MAPS = len(MAP_NAMES)
N_SIMILARITIES = 5  # to positive points, negative points, words, words beyond nothing, example
NO_SIMILARITY = -1.0


class ImageMaps(NamedTuple):
    """The image's part of the head: (B, channels_S, hS, wS) at strides 4, 8, 16, 32.

    embedding: (B, C, h8, w8), what each place means in the joint space; unit length.
    """

    at_4: Tensor
    at_8: Tensor
    at_16: Tensor
    at_32: Tensor
    embedding: Tensor


class PromptMaps(NamedTuple):
    """The prompt's part, one entry an object.

    drawn: (B, n, 6, h4, w4) in [0, 1]. previous_mask: (B, n, h4, w4) logits; has_previous:
    (B, n) bool. points: (B, n, P, 2) fractions; labels: (B, n, P). words, example: (B, n, C) unit
    vectors in the joint space; has_text, has_example: (B, n) bool. nothing: (C,) unit vector.
    queries: (B, n, q, C). proposals: (B, n, q, h8, w8) logits.
    """

    drawn: Tensor
    previous_mask: Tensor
    has_previous: Tensor
    points: Tensor
    labels: Tensor
    words: Tensor
    has_text: Tensor
    nothing: Tensor
    example: Tensor
    has_example: Tensor
    queries: Tensor
    proposals: Tensor


class Refined(NamedTuple):
    """What the head decides.

    logits: (B, n, 1 + q, h4, w4), the mask first, then a hypothesis for each query. context:
    (B, n, channels_32), what was seen as a whole. similar: (B, n, 5, h8, w8) cosines.
    """

    logits: Tensor
    context: Tensor
    similar: Tensor


class Refiner(nn.Module):
    """A small U-Net over strides 4 to 32 with the image's part precomputed."""

    def __init__(
        self,
        channels_of_res2: int,
        hidden: int,
        queries_per_object: int,
        config: RefinerConfig,
    ) -> None:
        super().__init__()
        c4, c8, c16, c32 = (
            config.channels_4,
            config.channels_8,
            config.channels_16,
            config.channels_32,
        )
        self.lateral_4 = _conv(channels_of_res2, c4, 1)
        self.image_4 = _conv(c4, c4, 3)
        self.image_8 = _conv(hidden, c8, 3)
        self.image_16 = _conv(hidden, c16, 1)
        self.image_32 = _conv(hidden, c32, 1)
        self.image_8_to_4 = _conv(hidden, c4, 1)
        self.meaning = _conv(hidden, hidden, 3)
        self.embed = nn.Conv2d(hidden, hidden, 1)
        n_drawn = N_PROMPT_MAPS + 2
        self.prompt_8 = _conv(n_drawn, c8, 3, stride=2)
        self.enter_8 = _conv(c8 + N_SIMILARITIES + queries_per_object, c8, 3)
        self.down_16 = _conv(c8, c16, 3, stride=2)
        self.down_32 = _conv(c16, c32, 3, stride=2)
        self.block_32 = _Residual(c32)
        self.context = nn.Linear(c32, c32)
        self.up_16 = nn.Conv2d(c32, c16, 1)
        self.block_16 = _Residual(c16)
        self.up_8 = nn.Conv2d(c16, c8, 1)
        self.block_8 = _Residual(c8)
        self.up_4 = nn.Conv2d(c8, c4, 1)
        self.prompt_4 = _conv(n_drawn, c4, 3)
        self.block_4 = _conv(c4, c4, 3)
        self.logits = nn.Conv2d(c4, 1, 1)
        self.weigh = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, c4 + 1))

    def encode_image(self, res2: Tensor, scales: list[Tensor]) -> ImageMaps:
        """The image's part, from the backbone's stride-4 map and the pyramid (32, 16, 8)."""
        fine = self.lateral_4(res2) + _resize_to(self.image_8_to_4(scales[2]), res2)
        at_4 = self.image_4(functional.relu(fine))
        meaning = functional.relu(self.meaning(scales[2]))
        embedding = functional.normalize(self.embed(meaning), dim=1, eps=1e-6)
        return ImageMaps(
            at_4,
            self.image_8(scales[2]),
            self.image_16(scales[1]),
            self.image_32(scales[0]),
            embedding,
        )

    def forward(self, image: ImageMaps, prompt: PromptMaps) -> Refined:
        """Refines each object's proposals."""
        batch, objects = prompt.labels.shape[:2]
        drawn = _drawn_channels(prompt)
        similar = self._similarities(image, prompt)
        hints = torch.cat([similar, torch.sigmoid(prompt.proposals.flatten(0, 1))], dim=1)
        x8 = functional.relu(self.prompt_8(drawn))
        x8 = self.enter_8(torch.cat([x8, hints], dim=1)) + _spread(image.at_8, objects)
        x8 = functional.relu(x8)
        x16 = functional.relu(self.down_16(x8) + _spread(image.at_16, objects))
        x32 = functional.relu(self.down_32(x16) + _spread(image.at_32, objects))
        x32 = self.block_32(x32)
        x32 = x32 + self.context(x32.mean((2, 3)))[:, :, None, None]
        x16 = self.block_16(x16 + _resize_to(self.up_16(x32), x16))
        x8 = self.block_8(x8 + _resize_to(self.up_8(x16), x8))
        detail = _spread(image.at_4, objects) + self.prompt_4(drawn)
        x4 = functional.relu(_resize_to(self.up_4(x8), detail) + detail)
        x4 = x4 + functional.relu(self.block_4(x4))
        context = x32.mean((2, 3)).reshape(batch, objects, -1)
        return Refined(self._logits(x4, prompt.queries), context, _by_object(similar, batch))

    def _logits(self, x4: Tensor, queries: Tensor) -> Tensor:
        """(N, c4, h4, w4) and (B, n, q, C) to (B, n, 1 + q, h4, w4)."""
        decided = _by_object(self.logits(x4), queries.shape[0])
        weights = self.weigh(queries)  # (B, n, q, c4 + 1)
        seen = _by_object(x4, queries.shape[0]).flatten(3)  # (B, n, c4, h4 w4)
        others = weights[..., :-1] @ seen + weights[..., -1:]
        return torch.cat([decided, decided + others.unflatten(3, x4.shape[-2:])], dim=2)

    def _similarities(self, image: ImageMaps, prompt: PromptMaps) -> Tensor:
        """How alike each place is to its best match under the points, to the words, the example.

        (N, 5, h8, w8) cosines; NO_SIMILARITY throughout where there is no such prompt. The fourth
        is how much more alike it is to the words than to no name at all.
        """
        batch, objects, n_points = prompt.labels.shape
        height, width = image.embedding.shape[-2:]
        sampled = sample_points(image.embedding, prompt.points)
        at_points = functional.normalize(sampled, dim=-1, eps=1e-6)
        nothing = prompt.nothing.expand_as(prompt.words)
        named = torch.stack([prompt.words, nothing, prompt.example], dim=2)
        rows = torch.cat([at_points, named], dim=2).flatten(1, 2)  # (B, n (P + 3), C)
        cosine = (rows @ image.embedding.flatten(2)).reshape(batch, objects, n_points + 3, -1)
        to_points, (words, beyond, example) = (
            cosine[:, :, :n_points],
            cosine[:, :, n_points:].unbind(2),
        )

        def best(chosen: Tensor) -> Tensor:
            return torch.where(chosen.unsqueeze(3), to_points, NO_SIMILARITY).amax(2)

        def given(known: Tensor, cosines: Tensor) -> Tensor:
            return torch.where(known.unsqueeze(2), cosines, NO_SIMILARITY)

        kinds = [
            best(prompt.labels == 1),
            best(prompt.labels == 0),
            given(prompt.has_text, words),
            given(prompt.has_text, words - beyond),
            given(prompt.has_example, example),
        ]
        return torch.stack(kinds, dim=2).reshape(batch * objects, N_SIMILARITIES, height, width)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels, 3)
        self.second = _conv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> ConvNorm:
    return ConvNorm(inputs, outputs, kernel, norm="batch", stride=stride)


def _drawn_channels(prompt: PromptMaps) -> Tensor:
    """(N, 8, h4, w4): the drawn maps, the previous mask's probability, whether there is one."""
    there = prompt.has_previous.to(prompt.drawn.dtype)[:, :, None, None, None]
    previous = torch.sigmoid(prompt.previous_mask).unsqueeze(2) * there
    known = there.expand_as(previous)
    return torch.cat([prompt.drawn, previous, known], dim=2).flatten(0, 1)


def _spread(maps: Tensor, objects: int) -> Tensor:
    """(B, C, h, w) for each of the n objects of an image: (N, C, h, w)."""
    batch, *rest = maps.shape
    return maps.unsqueeze(1).expand(batch, objects, *rest).flatten(0, 1)


def _by_object(x: Tensor, batch: int) -> Tensor:
    """(N, ...) to (B, n, ...)."""
    return x.unflatten(0, (batch, -1))


def _resize_to(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
