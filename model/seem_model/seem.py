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
from seem_model.refiner import ImageMaps, PromptMaps, Refined, Refiner

if TYPE_CHECKING:
    from seem_model.config import ModelConfig


N_STATISTICS = 8


class ImageFeatures(NamedTuple):
    """All that prompts need of an image; made once, cached by whoever serves.

    levels: strides 32, 16, 8. maps: the refiner's part.
    """

    levels: list[Level]
    maps: ImageMaps


class Prompts(NamedTuple):
    """The prompts of n objects of each of B images.

    points: (B, n, P, 2) float, (x, y) in network pixels. labels: (B, n, P) float: 1 positive,
    0 negative, 2 inside a box, -1 padding. maps: (B, n, 6, h4, w4) float, `seem_wire.pixels`.
    previous_mask: (B, n, h4, w4) float, logits of the round before, zeros where there was none.
    has_previous: (B, n) float, 1 or 0. text: (B, n, T, E) float, token states of the text
    encoder. text_mask: (B, n, T) float, 1 for a token, 0 for padding. example: (B, n, C), mean
    meaning of the places shown elsewhere, unit length; has_example: (B, n) float, 1 or 0.
    """

    points: Tensor
    labels: Tensor
    maps: Tensor
    previous_mask: Tensor
    has_previous: Tensor
    text: Tensor
    text_mask: Tensor
    example: Tensor
    has_example: Tensor


class Answers(NamedTuple):
    """What the model says of each object.

    mask_logits: (B, n, 1 + q, h4, w4) at stride 4, inside where > 0: the mask that answers all that
    was said, then q hypotheses of what an ambiguous prompt may have meant. iou: (B, n, 1 + q)
    predicted IoU of each in 0..1. presence: (B, n) probability that the object is in the image.
    semantic: (B, n, 1 + q, C) unit vectors in the joint space, to be compared with embedded words.
    proposals: (B, n, q, h8, w8) logits.
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
            config.decoder.queries_per_object,
            config.refiner,
        )
        self.pooled_embed = nn.Linear(hidden, hidden)
        self.example_proj = nn.Linear(hidden, hidden)
        self.no_name = nn.Parameter(torch.randn(hidden))
        self.judge = nn.Sequential(
            nn.Linear(hidden * 2 + config.refiner.channels_32 + N_STATISTICS, hidden),
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
            self.embed_text(prompts.text, prompts.text_mask),
            text_visible.any(-1),
            self.nothing(),
            prompts.example,
            prompts.has_example > 0,
            queries,
            proposals,
        )
        refined = self.refiner(image.maps, maps)
        iou, presence, semantic = self._judge(image, queries, refined)
        return Answers(refined.logits, iou, presence, semantic, proposals)

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
        shown = self.example_proj(prompts.example).unsqueeze(2)
        words = torch.cat([prompts.text @ predictor.lang_proj, shown], dim=2)
        words_visible = torch.cat([text_visible, prompts.has_example.unsqueeze(2) > 0], dim=2)
        rows = predictor.query_rows().expand(batch, objects, -1)
        same = [labels] * N_LEVELS
        index = torch.arange(objects, device=labels.device)[None, :]
        owner = torch.where(has_previous, index, -1)[:, :, None, None]
        tokens = PromptTokens(
            rows,
            words,
            words_visible,
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
        return self.in_joint_space(sentence(text, text_mask))

    def in_joint_space(self, sentences: Tensor) -> Tensor:
        """Sentences (..., E) to (..., C) unit vectors."""
        return functional.normalize(sentences @ self.predictor.lang_proj, dim=-1, eps=1e-6)

    def nothing(self) -> Tensor:
        """What a place means that no name is for: (C,) unit vector."""
        return functional.normalize(self.no_name, dim=0)

    def _judge(
        self, image: ImageFeatures, queries: Tensor, refined: Refined
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Predicted IoU, presence and meaning of each mask, from what lies under it.

        queries: (B, n, q, C). Returns (B, n, 1 + q), (B, n), (B, n, 1 + q, C).
        """
        speaking = torch.cat([queries.mean(2, keepdim=True), queries], dim=2)
        soft = torch.sigmoid(refined.logits.detach())
        at_16 = _pooled(image.levels[1].values, functional.avg_pool2d(soft.flatten(0, 1), 4), soft)
        weight_8 = functional.avg_pool2d(soft.flatten(0, 1), 2)
        meaning = _pooled(image.maps.embedding, weight_8, soft)
        statistics = _statistics(soft, weight_8, refined.similar)
        context = refined.context.unsqueeze(2).expand(-1, -1, soft.shape[2], -1)
        verdict = self.judge(torch.cat([speaking, at_16, context, statistics], dim=-1))
        joint = speaking @ self.predictor.class_embed + self.pooled_embed(at_16) + meaning
        semantic = functional.normalize(joint, dim=-1, eps=1e-6)
        verdict = torch.sigmoid(verdict)
        return verdict[..., 0], verdict[:, :, 0, 1], semantic


def _pooled(features: Tensor, weight: Tensor, soft: Tensor) -> Tensor:
    """Mean of (B, C, h, w) under weights (B n, k, h, w): (B, n, k, C)."""
    batch, objects, k = soft.shape[:3]
    flat = weight.reshape(batch, objects * k, -1)
    mean = flat @ features.flatten(2).transpose(1, 2) / (flat.sum(-1, keepdim=True) + 1e-3)
    return mean.reshape(batch, objects, k, -1)


def _statistics(soft: Tensor, weight: Tensor, similar: Tensor) -> Tensor:
    """What an eye would look at: how sure and large each mask is, how well it fits the words.

    soft: (B, n, k, h4, w4); weight: (B n, k, h8, w8); similar: (B, n, 5, h8, w8). Returns
    (B, n, k, N_STATISTICS).
    """
    batch, objects, k = soft.shape[:3]
    inside = (soft > 0.5).to(soft.dtype)
    sure = (soft * inside).mean((3, 4)) / (inside.mean((3, 4)) + 1e-6)
    extent = soft.mean((3, 4)).sqrt()
    told = similar[:, :, 2:].flatten(3).transpose(2, 3)  # (B, n, h8 w8, 3): words, beyond, example
    flat = weight.reshape(batch, objects, k, -1)
    under = flat @ told / (flat.sum(-1, keepdim=True) + 1e-3)
    most = told.amax(2, keepdim=True).expand_as(under)
    return torch.cat([sure.unsqueeze(3), extent.unsqueeze(3), under, most], dim=3)


def sentence(text: Tensor, text_mask: Tensor) -> Tensor:
    """Mean of the token states, of unit length: (..., T, E) to (..., E); zeros without tokens."""
    weight = text_mask.unsqueeze(-1)
    mean = (text * weight).sum(-2) / weight.sum(-2).clamp(min=1.0)
    return functional.normalize(mean, dim=-1, eps=1e-6)
