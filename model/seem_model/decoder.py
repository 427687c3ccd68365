"""The SEEM decoder: object queries that see their own prompt tokens, and memory of a mask.

Source: SEEM (Zou et al. 2023), sections 3.2-3.4, wired as v1 (each object apart from the others)
but deterministic: the query rows of an object are fixed and spread evenly over the learned object
queries, and every object has all memory tokens to itself. Because objects never see each other,
they are a batch dimension here, not a block-diagonal mask.

B images · n objects of an image · q queries · T text tokens · P prompt points · m memory tokens
C hidden width · h, w a level's rows and columns · S = h w
Levels are 0, 1, 2: strides 32, 16, 8. Parameter names are those of published checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.attention import MultiheadAttention

if TYPE_CHECKING:
    from seem_model.config import DecoderConfig

N_LEVELS = 3


class Level(NamedTuple):
    """One pyramid level, ready to be attended; made once for each image.

    values: (B, C, h, w) features plus level embedding. keys: (B, C, h, w), `values` plus sine
    position. mask_features: (B, C, h, w), the mask features at this level's size (bilinear
    resizing commutes with the dot product, so a query's mask at this size is a dot product here).
    """

    values: Tensor
    keys: Tensor
    mask_features: Tensor


class PromptTokens(NamedTuple):
    """What was said about each object.

    points: (B, n, P, 2), (x, y) as fractions of the padded network input. labels: (B, n, P),
    1 positive, 0 negative, 2 inside a box, -1 padding. text: (B, n, T, C) in the joint space;
    text_visible: (B, n, T) bool. previous_mask: (B, n, h, w) logits; has_previous: (B, n) bool.
    """

    points: Tensor
    labels: Tensor
    text: Tensor
    text_visible: Tensor
    previous_mask: Tensor
    has_previous: Tensor


class Proposals(NamedTuple):
    """queries: (B, n, q, C) after the last layer's norm. logits: (B, n, q, h, w) at level 2."""

    queries: Tensor
    logits: Tensor


class Decoder(nn.Module):
    """Prompted objects to mask proposals."""

    def __init__(self, hidden: int, text_width: int, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer_cross_attention_layers = nn.ModuleList(
            _CrossAttention(hidden, config.heads) for _ in range(config.layers)
        )
        self.transformer_self_attention_layers = nn.ModuleList(
            _SelfAttention(hidden, config.heads) for _ in range(config.layers)
        )
        self.transformer_ffn_layers = nn.ModuleList(
            _Feedforward(hidden, config.feedforward) for _ in range(config.layers)
        )
        self.decoder_norm = nn.LayerNorm(hidden)
        self.query_feat = nn.Embedding(config.object_queries, hidden)
        self.query_embed = nn.Embedding(config.object_queries, hidden)
        self.level_embed = nn.Embedding(N_LEVELS, hidden)
        self.mask_embed = _MaskEmbedding(hidden)
        self.class_embed = nn.Parameter(_matmul_parameter(hidden, hidden))
        self.lang_proj = nn.Parameter(_matmul_parameter(text_width, hidden))
        # (sic) the published spelling
        self.mask_sptial_embed = nn.ParameterList(
            _matmul_parameter(hidden, hidden) for _ in range(N_LEVELS)
        )
        self.pn_indicator = nn.Embedding(config.point_kinds, hidden)
        self.spatial_featured = nn.Embedding(config.memory_tokens, hidden)
        self.spatial_embed = nn.Embedding(config.memory_tokens, hidden)

    def forward(self, levels: list[Level], prompts: PromptTokens) -> Proposals:
        """Answers every prompted object with `queries_per_object` mask proposals."""
        batch, objects = prompts.labels.shape[:2]
        n_queries = self.config.queries_per_object
        content, position = self._initial_tokens(prompts, batch, objects)
        visible = self._visibility(prompts, batch, objects)
        memory_visible = _memory_visibility(prompts, levels)
        crossing = self._crossing_rows(content.shape[2])
        for index in range(self.config.layers):
            level = levels[index % N_LEVELS]
            seen = self._own_mask(content[:, :, :n_queries], level)
            remembered = memory_visible[index % N_LEVELS]
            remembered = remembered.expand(-1, -1, self.config.memory_tokens, -1)
            seen = torch.cat([seen, remembered], dim=2)
            cross = self.transformer_cross_attention_layers[index]
            updated = cross(content[:, :, crossing], position[:, :, crossing], level, seen)
            middle = content[:, :, n_queries : -self.config.memory_tokens]
            content = torch.cat([updated[:, :, :n_queries], middle, updated[:, :, n_queries:]], 2)
            spatial = self._spatial_tokens(prompts, level, index % N_LEVELS)
            content = self.transformer_self_attention_layers[index](
                content, position, spatial, visible
            )
            content = self.transformer_ffn_layers[index](content)
        queries = self.decoder_norm(content[:, :, :n_queries])
        return Proposals(queries, _dot_map(self.mask_embed(queries), levels[-1].mask_features))

    def query_rows(self) -> Tensor:
        """Which learned object queries answer a prompted object: evenly spread, always the same."""
        n = self.config.queries_per_object
        step = self.config.object_queries / n
        return torch.tensor([int((row + 0.5) * step) for row in range(n)])

    def _initial_tokens(
        self, prompts: PromptTokens, batch: int, objects: int
    ) -> tuple[Tensor, Tensor]:
        """Content and position of [queries | text | memory]: (B, n, q + T + m, C) each."""
        rows = self.query_rows()

        def spread(tokens: Tensor) -> Tensor:
            return tokens.expand(batch, objects, *tokens.shape)

        content = [spread(self.query_feat.weight[rows]), prompts.text]
        position = [spread(self.query_embed.weight[rows]), prompts.text]
        content.append(spread(self.spatial_featured.weight))
        position.append(spread(self.spatial_embed.weight))
        return torch.cat(content, dim=2), torch.cat(position, dim=2)

    def _crossing_rows(self, n_rows: int) -> Tensor:
        """The rows that attend the image: queries and memory, not the text between them."""
        first = torch.arange(self.config.queries_per_object)
        last = torch.arange(self.config.memory_tokens) + (n_rows - self.config.memory_tokens)
        return torch.cat([first, last])

    def _visibility(self, prompts: PromptTokens, batch: int, objects: int) -> Tensor:
        """Who may attend whom: rows [queries | text | memory], columns the same + points."""
        n_text, n_points = prompts.text.shape[2], prompts.labels.shape[2]

        def row(*, queries: bool, text: Tensor, memory: Tensor, points: Tensor) -> Tensor:
            own = torch.ones_like(memory) if queries else torch.zeros_like(memory)
            own = own.expand(batch, objects, self.config.queries_per_object)
            remembered = memory.expand(batch, objects, self.config.memory_tokens)
            return torch.cat([own, text, remembered, points], dim=2).unsqueeze(2)

        text, points = prompts.text_visible, prompts.labels >= 0
        memory = prompts.has_previous.unsqueeze(2)
        no_text, no_points = torch.zeros_like(text), torch.zeros_like(points)
        no_memory = torch.zeros_like(memory)
        seen_text = text if self.config.queries_see_text else no_text
        n_columns = self.config.queries_per_object + n_text + self.config.memory_tokens + n_points
        query_rows = row(queries=True, text=seen_text, memory=memory, points=points)
        text_rows = row(queries=True, text=text, memory=no_memory, points=no_points)
        memory_rows = row(queries=False, text=no_text, memory=memory, points=no_points)
        return torch.cat(
            [
                query_rows.expand(batch, objects, self.config.queries_per_object, n_columns),
                text_rows.expand(batch, objects, n_text, n_columns),
                memory_rows.expand(batch, objects, self.config.memory_tokens, n_columns),
            ],
            dim=2,
        )

    def _own_mask(self, queries: Tensor, level: Level) -> Tensor:
        """Where each query's present mask is on, (B, n, q, S) bool; everywhere if nowhere."""
        logits = _dot_map(self.mask_embed(self.decoder_norm(queries)), level.mask_features)
        return _opened(logits.flatten(3) >= 0)

    def _spatial_tokens(self, prompts: PromptTokens, level: Level, index: int) -> Tensor:
        """The features under the prompt's points, (B, n, P, C), made anew for each layer."""
        tokens = sample_points(level.values, prompts.points) @ self.mask_sptial_embed[index]
        return tokens + self.pn_indicator(prompts.labels.clamp(min=0).long())


def sample_points(features: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples (B, n, P, C) of (B, C, h, w) at fractions (B, n, P, 2) of the input.

    Column = x (w - 1), row = y (h - 1), as SEEM samples its prompts (no half-pixel shift).
    """
    batch, objects, n_points = points.shape[:3]
    grid = points.reshape(batch, 1, objects * n_points, 2) * 2 - 1
    samples = functional.grid_sample(features, grid, align_corners=True)  # (B, C, 1, n P)
    return samples.squeeze(2).transpose(1, 2).reshape(batch, objects, n_points, -1)


def _dot_map(embeddings: Tensor, features: Tensor) -> Tensor:
    """(B, n, q, C) . (B, C, h, w) = (B, n, q, h, w)."""
    batch, objects, rows, width = embeddings.shape
    flat = embeddings.reshape(batch, objects * rows, width) @ features.flatten(2)
    return flat.reshape(batch, objects, rows, *features.shape[-2:])


def _memory_visibility(prompts: PromptTokens, levels: list[Level]) -> list[Tensor]:
    """Where the previous mask is on, for each level: (B, n, 1, S) bool."""
    shown = []
    for level in levels:
        size = level.values.shape[-2:]
        resized = functional.interpolate(prompts.previous_mask, size, mode="bilinear")
        shown.append(_opened(resized.flatten(2).unsqueeze(2) >= 0))
    return shown


def _opened(visible: Tensor) -> Tensor:
    """Rows that may see nothing may see everything."""
    return visible | ~visible.any(-1, keepdim=True)


def _matmul_parameter(inputs: int, outputs: int) -> Tensor:
    return torch.randn(inputs, outputs) * inputs**-0.5


class _CrossAttention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.multihead_attn = MultiheadAttention(hidden, heads)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, rows: Tensor, position: Tensor, level: Level, visible: Tensor) -> Tensor:
        values = level.values.flatten(2).transpose(1, 2)
        keys = level.keys.flatten(2).transpose(1, 2)
        attended = self.multihead_attn.attend_map(rows + position, keys, values, visible)
        y: Tensor = self.norm(rows + attended)
        return y


class _SelfAttention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(hidden, heads)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, rows: Tensor, position: Tensor, spatial: Tensor, visible: Tensor) -> Tensor:
        """`spatial` tokens are keys and values only; their position is their own value."""
        located = rows + position
        keys = torch.cat([located, spatial + spatial], dim=2)
        values = torch.cat([rows, spatial], dim=2)
        y: Tensor = self.norm(rows + self.self_attn(located, keys, values, visible))
        return y


class _Feedforward(nn.Module):
    def __init__(self, hidden: int, feedforward: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(hidden, feedforward)
        self.linear2 = nn.Linear(feedforward, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x + self.linear2(functional.relu(self.linear1(x))))
        return y


class _MaskEmbedding(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        y: Tensor = self.layers[-1](x)
        return y
