"""The SEEM model: encode an image once, then answer prompts about it as often as wanted.

B images · n objects · C hidden width · H, W padded network input · h4 = H / 4, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.backbones import EfficientNetLite
from seem_model.decoder import N_LEVELS, Decoder, Level, PromptTokens, dot_map
from seem_model.pixel_decoder import PixelDecoder, sine_position
from seem_model.refiner import ImageMaps, PromptMaps, Refiner

if TYPE_CHECKING:
    from seem_model.config import ModelConfig


class ImageFeatures(NamedTuple):
    """All that prompts need of an image; made once, cached by whoever serves.

    levels: strides 32, 16, 8. maps: the refiner's part.
    """

    levels: list[Level]
    maps: ImageMaps


class Prompts(NamedTuple):
    """The prompts of n objects of each of B images.

    points: (B, n, P, 2) float, (x, y) in network pixels. labels: (B, n, P) float: 1 positive,
    0 negative, 2 inside a box, -1 padding. maps: (B, n, 5, h4, w4) float, `seem_wire.pixels`.
    previous_mask: (B, n, h4, w4) float, logits of the round before, zeros where there was none.
    has_previous: (B, n) float, 1 or 0. text: (B, n, T, E) float, token states of the text
    encoder. text_mask: (B, n, T) float, 1 for a token, 0 for padding.
    """

    points: Tensor
    labels: Tensor
    maps: Tensor
    previous_mask: Tensor
    has_previous: Tensor
    text: Tensor
    text_mask: Tensor


class Answers(NamedTuple):
    """What the model says of each object.

    mask_logits: (B, n, h4, w4) at stride 4, inside where > 0. iou: (B, n) predicted IoU in 0..1.
    presence: (B, n) probability that the object is in the image. semantic: (B, n, C) unit vector in
    the joint space, to be compared with embedded words. proposals: (B, n, q, h8, w8) logits.
    """

    mask_logits: Tensor
    iou: Tensor
    presence: Tensor
    semantic: Tensor
    proposals: Tensor


class Seem(nn.Module):
    """One decoder for every prompt (SEEM, Zou et al. 2023), with a dense refinement head."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.backbone = EfficientNetLite(width=config.backbone.width, depth=config.backbone.depth)
        channels = self.backbone.channels
        heads = config.decoder.heads
        self.pixel_decoder = PixelDecoder(channels, hidden, heads, config.pixel_decoder)
        self.predictor = Decoder(hidden, config.text_width, config.decoder)
        self.refiner = Refiner(
            channels[0],
            hidden,
            config.text_width,
            config.decoder.queries_per_object,
            config.refiner,
        )
        self.pooled_embed = nn.Linear(hidden, hidden)
        self.judge = nn.Sequential(
            nn.Linear(hidden * 2 + config.refiner.channels_32 + 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2),
        )
        self.logit_scale = nn.Parameter(torch.tensor(2.3))

    def encode(self, image: Tensor) -> ImageFeatures:
        """Features of (B, 3, H, W) images, normalised and zero-padded."""
        features = self.backbone(image)
        pyramid = self.pixel_decoder(features)
        levels = []
        for index in range(N_LEVELS):
            scale = pyramid.scales[index]
            size = scale.shape[-2:]
            values = scale + self.predictor.level_embed.weight[index][:, None, None]
            position = sine_position(size[0], size[1], self.config.hidden, like=scale)
            masks = functional.interpolate(pyramid.mask_features, size, mode="bilinear")
            levels.append(Level(values, values + position, masks))
        return ImageFeatures(levels, self.refiner.encode_image(features[0], pyramid.scales))

    def answer(self, image: ImageFeatures, prompts: Prompts) -> Answers:
        """One round: every prompted object's mask, from its prompts and its previous mask."""
        labels = prompts.labels
        has_previous = prompts.has_previous > 0
        text_visible = prompts.text_mask > 0
        rows, columns = prompts.maps.shape[-2:]
        extent = torch.tensor([columns, rows], dtype=labels.dtype, device=labels.device) * 4
        points = prompts.points / extent
        queries, proposals = self._propose(image, prompts, points, text_visible, has_previous)
        maps = PromptMaps(
            prompts.maps,
            prompts.previous_mask,
            has_previous,
            points,
            labels,
            sentence(prompts.text, prompts.text_mask),
            text_visible.any(-1),
            proposals,
        )
        logits, context = self.refiner(image.maps, maps)
        iou, presence, semantic = self._judge(image, queries.mean(2), context, logits)
        return Answers(logits, iou, presence, semantic, proposals)

    def _propose(
        self,
        image: ImageFeatures,
        prompts: Prompts,
        points: Tensor,
        text_visible: Tensor,
        has_previous: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The queries (B, n, q, C) and their masks (B, n, q, h8, w8)."""
        predictor = self.predictor
        labels = prompts.labels
        batch, objects = labels.shape[:2]
        rows = predictor.query_rows().expand(batch, objects, -1)
        same = [labels] * N_LEVELS
        index = torch.arange(objects, device=labels.device)[None, :]
        owner = torch.where(has_previous, index, -1)[:, :, None, None]
        tokens = PromptTokens(
            rows,
            prompts.text @ predictor.lang_proj,
            text_visible,
            predictor.spatial_tokens(image.levels, [points] * N_LEVELS, same),
            [label >= 0 for label in same],
            prompts.previous_mask,
            owner.expand(-1, -1, predictor.config.layers, predictor.config.memory_tokens),
        )
        proposals = predictor(image.levels, tokens)
        masks = dot_map(proposals.embeddings, image.levels[-1].mask_features)
        return proposals.queries, masks

    def embed_text(self, text: Tensor, text_mask: Tensor) -> Tensor:
        """Names in the joint space: (..., T, E) token states to (..., C) unit vectors."""
        return functional.normalize(
            sentence(text, text_mask) @ self.predictor.lang_proj, dim=-1, eps=1e-6
        )

    def _judge(
        self, image: ImageFeatures, query: Tensor, context: Tensor, logits: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Predicted IoU, presence and meaning of each mask, from what lies under it."""
        features = image.levels[1].values
        soft = torch.sigmoid(logits.detach())
        inside = (soft > 0.5).to(soft.dtype)
        weight = functional.avg_pool2d(soft, 4).flatten(2)  # stride 4 to 16: (B, n, S)
        pooled = weight @ features.flatten(2).transpose(1, 2)
        pooled = pooled / (weight.sum(-1, keepdim=True) + 1e-3)
        sure = (soft * inside).mean((2, 3)) / (inside.mean((2, 3)) + 1e-6)
        extent = soft.mean((2, 3)).sqrt()
        statistics = torch.stack([sure, extent], dim=-1)
        verdict = self.judge(torch.cat([query, pooled, context, statistics], dim=-1))
        joint = query @ self.predictor.class_embed + self.pooled_embed(pooled)
        semantic = functional.normalize(joint, dim=-1, eps=1e-6)
        return torch.sigmoid(verdict[..., 0]), torch.sigmoid(verdict[..., 1]), semantic


def sentence(text: Tensor, text_mask: Tensor) -> Tensor:
    """Mean of the token states, of unit length: (..., T, E) to (..., E); zeros without tokens."""
    weight = text_mask.unsqueeze(-1)
    mean = (text * weight).sum(-2) / weight.sum(-2).clamp(min=1.0)
    return functional.normalize(mean, dim=-1, eps=1e-6)
