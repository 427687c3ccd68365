"""The published SEEM models: one encoder, one decoder, every prompt and output of the program.

In SEEM's own code three groups of queries (object-, text- and spatial-queries) stand in one
sequence, but each group sees only itself and its own prompt. So here a run answers one group at a
time, for n objects at once: no prompts at all give the generic segmentation, words the referring
one, marks the interactive one, and all kinds together SEEM's composition (its demo wiring, or the
optional edges of v0 and v1). Parameter names and shapes are those of published checkpoints.

Source: SEEM (Zou et al. 2023), sections 3.2-3.4.

B images · n objects · q query rows · P prompt points · T text tokens · V tokens of an example
C = 512 · H, W padded network input · h4, w4 = H / 4, W / 4
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.backbones import DaViT, FocalNet, SamViT
from seem_model.clip_text import LanguageEncoder, LanguageSize
from seem_model.config import DecoderConfig, PixelDecoderConfig
from seem_model.decoder import N_LEVELS, Decoder, Level, PromptTokens, dot_map, sample_points
from seem_model.deformable import DeformablePixelDecoder
from seem_model.pixel_decoder import PixelDecoder, sine_position
from seem_model.variants import PUBLISHED, DaViTConfig, FocalNetConfig, Wiring

if TYPE_CHECKING:
    from seem_model.pixel_decoder import Pyramid
    from seem_model.variants import BackboneConfig, Sizes, Variant

POOLING, N_DRAWS = 0, 4
"""Points are given four times, because the published program draws its own for each purpose: for
the pooled vector, then for strides 32, 16 and 8."""

BY_MARKS, BY_TEXT, BY_EXAMPLE, BY_NOTHING = 0, 1, 2, 3
"""What the answering query is chosen by: `QueryPrompts.selector`."""

MAX_LOGIT_SCALE = 100.0
_EPS = 1e-7


class QueryFeatures(NamedTuple):
    """All that prompts need of an image. mask_features: (B, C, h4, w4)."""

    levels: list[Level]
    mask_features: Tensor


class QueryPrompts(NamedTuple):
    """The prompts of n objects of each of B images; what is absent is masked padding.

    points: (B, n, 4, P, 2) float, (x, y) of pixels of the padded input, whole numbers (the pixel's
    corner: published models sample without a half-pixel shift), one set for each draw. labels:
    (B, n, 4, P) float: 1 positive, 0 negative, -1 padding. text: (B, n, T, C) token states in the
    joint space; text_mask: (B, n, T) float; sentence: (B, n, C). examples: (B, n, 3, V, C),
    example_mask: (B, n, V) float, example_vector: (B, n, C), of `PublishedSeem.example`.
    previous_mask: (B, n, h4, w4) logits. query_rows: (B, n, q) int64 learned queries that answer.
    memory_owners: (B, n, layers, m) int64, see `decoder.PromptTokens`: 32 slots, or a single one of
    -1 without a previous mask.
    selector: (B, n) int64, BY_MARKS and its kin.
    """

    points: Tensor
    labels: Tensor
    text: Tensor
    text_mask: Tensor
    sentence: Tensor
    examples: Tensor
    example_mask: Tensor
    example_vector: Tensor
    previous_mask: Tensor
    query_rows: Tensor
    memory_owners: Tensor
    selector: Tensor


class QueryAnswers(NamedTuple):
    """What the queries say of each object.

    mask_logits: (B, n, h4, w4) of the selected query, inside where > 0. selected: (B, n) int64,
    its place among the rows. match: (B, n, q), what it was selected by. embeddings: (B, n, q, C),
    whose dot product with mask features is a mask. captions: (B, n, q, C) in the joint space, not
    normalised. pooled: (B, n, 2, C), mask features under the positive and the negative points.
    """

    mask_logits: Tensor
    selected: Tensor
    match: Tensor
    embeddings: Tensor
    captions: Tensor
    pooled: Tensor


class Head(NamedTuple):
    """What the queries say before the first layer or after one; as in `QueryAnswers`."""

    embeddings: Tensor
    captions: Tensor


class ExampleTokens(NamedTuple):
    """What another image's prompt looks like, to be found again: the referring-image prompt.

    examples: (B, n, 3, V, C) tokens by level. vector, negative_vector: (B, n, C), pooled.
    """

    examples: Tensor
    vector: Tensor
    negative_vector: Tensor


class PublishedSeem(nn.Module):
    """One published variant."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        self.backbone = _backbone(variant.backbone)
        self.sem_seg_head = _Heads(variant)

    @property
    def language(self) -> LanguageEncoder:
        """The text encoder, which published checkpoints keep inside the decoder."""
        return self.sem_seg_head.language

    def encode(self, image: Tensor) -> QueryFeatures:
        """Features of (B, 3, H, W) images, normalised and then zero-padded."""
        pyramid: Pyramid = self.sem_seg_head.pixel_decoder(self.backbone(image))
        level_embed = self._decoder.level_embed.weight
        levels = []
        for index in range(N_LEVELS):
            scale = pyramid.scales[index]
            size = scale.shape[-2:]
            values = scale + level_embed[index][:, None, None]
            position = sine_position(size[0], size[1], scale.shape[1], like=scale)
            masks = functional.interpolate(pyramid.mask_features, size, mode="bilinear")
            levels.append(Level(values, values + position, masks))
        return QueryFeatures(levels, pyramid.mask_features)

    def decode(self, features: QueryFeatures, prompts: QueryPrompts) -> QueryAnswers:
        """One round: the mask of every prompted object, and all that was considered for it."""
        return self._answers(features, prompts, self._heads(features, prompts)[-1])

    def trace(
        self, features: QueryFeatures, prompts: QueryPrompts
    ) -> tuple[QueryAnswers, list[Head]]:
        """`decode`, with what the queries said before the first layer and after each."""
        queries = self._heads(features, prompts)
        heads = [self._head(rows) for rows in queries]
        return self._answers(features, prompts, queries[-1]), heads

    def example(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> ExampleTokens:
        """The tokens of a prompt on a reference image, to be given with a prompt on another.

        points: (B, n, 4, V, 2), labels: (B, n, 4, V), as in `QueryPrompts`.
        """
        fractions = self._fractions(features, points)
        tokens = self._decoder.spatial_tokens(
            features.levels, list(fractions.unbind(2))[1:], list(labels.unbind(2))[1:]
        )
        pooled = self._pooled(features, fractions[:, :, POOLING], labels[:, :, POOLING])
        return ExampleTokens(torch.stack(tokens, dim=2), pooled[:, :, 0], pooled[:, :, 1])

    def class_logits(self, captions: Tensor, vocabulary: Tensor) -> Tensor:
        """(..., C) captions against (K, C) unit rows: (..., K), to be soft-maxed."""
        unit = captions / (captions.norm(dim=-1, keepdim=True) + _EPS)
        return self.language.logit_scale.exp() * (unit @ vocabulary.transpose(0, 1))

    @property
    def _decoder(self) -> Decoder:
        decoder: Decoder = self.sem_seg_head.predictor
        return decoder

    def _heads(self, features: QueryFeatures, prompts: QueryPrompts) -> list[Tensor]:
        """The queries (B, n, q, C), normed, before the first layer and after each."""
        points = self._fractions(features, prompts.points).unbind(2)[1:]
        labels = prompts.labels.unbind(2)[1:]
        spatial = self._decoder.spatial_tokens(features.levels, list(points), list(labels))
        seen = prompts.example_mask > 0
        levels = range(N_LEVELS)
        tokens = PromptTokens(
            prompts.query_rows,
            prompts.text,
            prompts.text_mask > 0,
            [torch.cat([spatial[i], prompts.examples[:, :, i]], dim=2) for i in levels],
            [torch.cat([labels[i] >= 0, seen], dim=2) for i in levels],
            prompts.previous_mask,
            prompts.memory_owners,
        )
        heads: list[Tensor] = self._decoder(features.levels, tokens).heads
        return heads

    def _head(self, queries: Tensor) -> Head:
        return Head(self._decoder.mask_embed(queries), queries @ self._decoder.class_embed)

    def _answers(
        self, features: QueryFeatures, prompts: QueryPrompts, queries: Tensor
    ) -> QueryAnswers:
        head = self._head(queries)
        points = self._fractions(features, prompts.points[:, :, POOLING])
        pooled = self._pooled(features, points, prompts.labels[:, :, POOLING])
        match = self._match(head, prompts, pooled[:, :, 0])
        selected = match.argmax(2)
        place = selected[:, :, None, None].expand(-1, -1, 1, head.embeddings.shape[3])
        masks = dot_map(head.embeddings.gather(2, place), features.mask_features).squeeze(2)
        return QueryAnswers(masks, selected, match, head.embeddings, head.captions, pooled)

    def _fractions(self, features: QueryFeatures, points: Tensor) -> Tensor:
        """Network pixels as fractions of the padded input."""
        rows, columns = features.mask_features.shape[-2:]
        extent = torch.tensor([columns, rows], dtype=points.dtype, device=points.device) * 4
        return points / extent

    def _pooled(self, features: QueryFeatures, points: Tensor, labels: Tensor) -> Tensor:
        """(B, n, 2, C): the mean of the mask features under positive and under negative points."""
        samples = sample_points(features.mask_features, points)  # (B, n, P, C)
        empty = -1.0 if self.variant.wiring is Wiring.V1 else 0.0
        means = []
        for label in (1, 0):
            weight = (labels == label).to(samples.dtype).unsqueeze(2)  # (B, n, 1, P)
            count = weight.sum(3)
            mean = (weight @ samples).squeeze(2) / count.clamp(min=1.0)
            means.append(torch.where(count > 0, mean, empty))
        return torch.stack(means, dim=2)

    def _match(self, head: Head, prompts: QueryPrompts, pooled: Tensor) -> Tensor:
        """How well each query answers each object's prompt: (B, n, q)."""
        selector = prompts.selector.unsqueeze(2)
        vector = torch.where(selector == BY_EXAMPLE, prompts.example_vector, pooled)
        by_vector = (head.embeddings @ vector.unsqueeze(3)).squeeze(3)
        caption = head.captions / (head.captions.norm(dim=-1, keepdim=True) + _EPS)
        sentence = prompts.sentence / (prompts.sentence.norm(dim=-1, keepdim=True) + _EPS)
        scale = self.language.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
        by_text = scale * (caption @ sentence.unsqueeze(3)).squeeze(3)
        match = torch.where(selector == BY_TEXT, by_text, by_vector)
        return torch.where(selector == BY_NOTHING, torch.zeros_like(match), match)


class _Heads(nn.Module):
    """A module of its own, because published parameter names have its level."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        channels, sizes = list(variant.backbone.channels), variant.sizes
        self.pixel_decoder: nn.Module
        if variant.deformable:
            self.pixel_decoder = DeformablePixelDecoder(
                channels,
                sizes.hidden,
                heads=sizes.heads,
                layers=sizes.encoder_layers,
                feedforward=sizes.feedforward // 2,
            )
        else:
            fpn = PixelDecoderConfig(sizes.encoder_layers, sizes.feedforward)
            self.pixel_decoder = PixelDecoder(channels, sizes.hidden, sizes.heads, fpn)
        self.predictor = Decoder(sizes.hidden, 0, _decoder_config(variant))
        language = LanguageEncoder(
            LanguageSize(
                n_ids=sizes.text_ids,
                width=sizes.hidden,
                depth=sizes.text_layers,
                heads=sizes.heads,
                joint_width=sizes.hidden,
            )
        )
        self.predictor.lang_encoder = language

    @property
    def language(self) -> LanguageEncoder:
        """The text encoder, inside the decoder."""
        language: LanguageEncoder = self.predictor.get_submodule("lang_encoder")  # type: ignore[assignment]
        return language


def _decoder_config(variant: Variant) -> DecoderConfig:
    return DecoderConfig(
        layers=variant.sizes.decoder_layers,
        heads=variant.sizes.heads,
        feedforward=variant.sizes.feedforward,
        object_queries=variant.sizes.object_queries,
        queries_per_object=variant.queries_per_object,
        memory_tokens=variant.sizes.memory_tokens,
        queries_see_text=True,
        memory=variant.has_memory,
        memory_moves=variant.has_memory,
        folded=variant.wiring is Wiring.V1,
    )


def _backbone(config: BackboneConfig) -> nn.Module:
    if isinstance(config, FocalNetConfig):
        return FocalNet(config)
    if isinstance(config, DaViTConfig):
        return DaViT(config)
    return SamViT(config)


def prompts_of_nothing(
    features: QueryFeatures,
    *,
    objects: int = 1,
    rows: Tensor | None = None,
    sizes: Sizes = PUBLISHED,
) -> QueryPrompts:
    """Prompts that say nothing, one padded entry of each kind: the generic segmentation.

    `rows`: which learned queries answer; all of them where None.
    """
    like = features.mask_features
    batch, hidden, height, width = like.shape
    grid = (batch, objects)
    if rows is None:
        rows = torch.arange(sizes.object_queries, device=like.device)

    def zeros(*shape: int) -> Tensor:
        return like.new_zeros(*grid, *shape)

    owners = torch.full((*grid, sizes.decoder_layers, 1), -1, device=like.device)
    return QueryPrompts(
        points=zeros(N_DRAWS, 1, 2),
        labels=zeros(N_DRAWS, 1) - 1,
        text=zeros(1, hidden),
        text_mask=zeros(1),
        sentence=zeros(hidden),
        examples=zeros(N_LEVELS, 1, hidden),
        example_mask=zeros(1),
        example_vector=zeros(hidden),
        previous_mask=zeros(height, width),
        query_rows=rows.expand(*grid, -1),
        memory_owners=owners,
        selector=torch.full(grid, BY_NOTHING, device=like.device),
    )
