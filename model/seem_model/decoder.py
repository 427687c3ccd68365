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
    """What was said about each object, as tokens; the spatial ones anew for each level.

    rows: (B, n, q) int64, the learned object queries that answer. text: (B, n, T, C) in the joint
    space; text_visible: (B, n, T) bool. spatial: for each level (B, n, P, C), see
    `Decoder.spatial_tokens`; spatial_visible: for each level (B, n, P) bool. previous_mask:
    (B, n, h, w) logits. memory_owners: (B, n, layers, m) int64, which of the n objects' previous
    mask each memory token looks at in each layer, from this object's point of view: its own index
    where it has the token, another's where that one has it, -1 where there is no previous mask.
    Only the first m memory tokens take part: give one, of nobody, where nothing is remembered.
    """

    rows: Tensor
    text: Tensor
    text_visible: Tensor
    spatial: list[Tensor]
    spatial_visible: list[Tensor]
    previous_mask: Tensor
    memory_owners: Tensor


class Proposals(NamedTuple):
    """What the queries say after the last layer.

    queries: (B, n, q, C) after the last norm. embeddings: (B, n, q, C), whose dot product with mask
    features is the mask. heads: the queries before the first layer and after each one.
    """

    queries: Tensor
    embeddings: Tensor
    heads: list[Tensor]


class Decoder(nn.Module):
    """Prompted objects to mask proposals. `text_width` 0: texts come in the joint space."""

    def __init__(self, hidden: int, text_width: int, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer_cross_attention_layers = nn.ModuleList(
            _CrossAttention(hidden, config.heads, folded=config.folded)
            for _ in range(config.layers)
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
        if text_width:
            self.lang_proj = nn.Parameter(_matmul_parameter(text_width, hidden))
        # (sic) the published spelling
        self.mask_sptial_embed = nn.ParameterList(
            _matmul_parameter(hidden, hidden) for _ in range(N_LEVELS)
        )
        self.pn_indicator = nn.Embedding(config.point_kinds, hidden)
        self.spatial_featured = nn.Embedding(config.memory_tokens, hidden)
        self.spatial_embed = nn.Embedding(config.memory_tokens, hidden)

    def forward(self, levels: list[Level], prompts: PromptTokens) -> Proposals:
        """Answers every prompted object with a proposal for each of its query rows."""
        n_queries, n_memory = prompts.rows.shape[2], self._n_memory(prompts)
        content, position = self._initial_tokens(prompts)
        memory_visible = _memory_visibility(prompts, levels) if self.config.memory else []
        memory = torch.arange(n_memory) + n_queries + prompts.text.shape[2]
        crossing = torch.cat([torch.arange(n_queries), memory]).to(content.device)
        heads = [self.decoder_norm(content[:, :, :n_queries])]
        for index in range(self.config.layers):
            level = levels[index % N_LEVELS]
            seen = self._own_mask(heads[-1], level)
            if self.config.memory:
                remembered = memory_visible[index % N_LEVELS].expand(-1, -1, n_memory, -1)
                seen = torch.cat([seen, remembered], dim=2)
            cross = self.transformer_cross_attention_layers[index]
            updated = cross(content[:, :, crossing], position[:, :, crossing], level, seen)
            text = content[:, :, n_queries : content.shape[2] - n_memory]
            content = torch.cat([updated[:, :, :n_queries], text, updated[:, :, n_queries:]], 2)
            content = self._among_themselves(index, content, position, prompts)
            heads.append(self.decoder_norm(content[:, :, :n_queries]))
        return Proposals(heads[-1], self.mask_embed(heads[-1]), heads)

    def _among_themselves(
        self, index: int, content: Tensor, position: Tensor, prompts: PromptTokens
    ) -> Tensor:
        """Self-attention and feed-forward of one layer: (B, n, q + T + m, C)."""
        attend = self.transformer_self_attention_layers[index]
        spatial = prompts.spatial[index % N_LEVELS]
        content = attend(content, position, spatial, self._visibility(prompts, index))
        content = self.transformer_ffn_layers[index](content)
        if self.config.memory_moves:
            owners = prompts.memory_owners[:, :, index]
            content = _hand_over(content, owners, content.shape[2] - owners.shape[2])
        return content

    def spatial_tokens(
        self, levels: list[Level], points: list[Tensor], labels: list[Tensor]
    ) -> list[Tensor]:
        """The features under the prompt's points: for each level (B, n, P, C).

        points: for each level (B, n, P, 2), (x, y) as fractions of the padded input. labels: for
        each level (B, n, P): 1 positive, 0 negative, 2 inside a box, -1 padding.
        """
        indicator = self.pn_indicator.weight[self._indicator_rows()]
        return [
            sample_points(level.values, xy) @ self.mask_sptial_embed[index]
            + indicator[label.clamp(min=0).long()]
            for index, (level, xy, label) in enumerate(zip(levels, points, labels, strict=True))
        ]

    def query_rows(self) -> Tensor:
        """Which learned object queries answer a prompted object: evenly spread, always the same."""
        n = self.config.queries_per_object
        step = self.config.object_queries / n
        rows = [int((row + 0.5) * step) for row in range(n)]
        return torch.tensor(rows, device=self.query_feat.weight.device)

    def _indicator_rows(self) -> list[int]:
        """Rows of the sign indicator by label; published ones have positive first."""
        return [1, 0] if self.config.point_kinds == 2 else [0, 1, 2]

    def _initial_tokens(self, prompts: PromptTokens) -> tuple[Tensor, Tensor]:
        """Content and position of [queries | text | memory]: (B, n, q + T + m, C) each."""
        content = [self.query_feat.weight[prompts.rows], prompts.text]
        position = [self.query_embed.weight[prompts.rows], prompts.text]
        if self.config.memory:
            n_memory = self._n_memory(prompts)
            shape = (*prompts.rows.shape[:2], -1, -1)
            content.append(self.spatial_featured.weight[:n_memory].expand(shape))
            position.append(self.spatial_embed.weight[:n_memory].expand(shape))
        return torch.cat(content, dim=2), torch.cat(position, dim=2)

    def _n_memory(self, prompts: PromptTokens) -> int:
        return prompts.memory_owners.shape[3] if self.config.memory else 0

    def _visibility(self, prompts: PromptTokens, layer: int) -> Tensor:
        """Who may attend whom: rows [queries | text | memory], columns the same + spatial."""
        batch, objects, n_queries = prompts.rows.shape
        n_memory = self._n_memory(prompts)
        text, points = prompts.text_visible, prompts.spatial_visible[layer % N_LEVELS]
        index = torch.arange(objects, device=text.device)[None, :, None]
        memory = prompts.memory_owners[:, :, layer] == index  # (B, n, m)
        if not self.config.memory:
            memory = memory[:, :, :0]
        own = torch.ones_like(prompts.rows, dtype=torch.bool)

        def rows(count: int, *columns: Tensor) -> Tensor:
            row = torch.cat(columns, dim=2).unsqueeze(2)
            return row.expand(batch, objects, count, row.shape[3])

        nothing = torch.zeros_like
        seen_text = text if self.config.queries_see_text else nothing(text)
        kinds = [
            rows(n_queries, own, seen_text, memory, points),
            rows(text.shape[2], own, text, nothing(memory), nothing(points)),
        ]
        if self.config.memory:
            kinds.append(rows(n_memory, nothing(own), nothing(text), memory, nothing(points)))
        return torch.cat(kinds, dim=2)

    def _own_mask(self, queries: Tensor, level: Level) -> Tensor:
        """Where the present mask of each query, normed, is on: (B, n, q, S) bool."""
        return _opened(dot_map(self.mask_embed(queries), level.mask_features).flatten(3) >= 0)


def sample_points(features: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples (B, n, P, C) of (B, C, h, w) at fractions (B, n, P, 2) of the input.

    Column = x (w - 1), row = y (h - 1), as SEEM samples its prompts (no half-pixel shift).
    """
    batch, objects, n_points = points.shape[:3]
    grid = points.reshape(batch, 1, objects * n_points, 2) * 2 - 1
    samples = functional.grid_sample(features, grid, align_corners=True)  # (B, C, 1, n P)
    return samples.squeeze(2).transpose(1, 2).reshape(batch, objects, n_points, -1)


def dot_map(embeddings: Tensor, features: Tensor) -> Tensor:
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


def _hand_over(content: Tensor, owners: Tensor, first: int) -> Tensor:
    """Memory tokens, last in (B, n, L, C), in the state that their owner (B, n, m) left them in."""
    kept, memory = content[:, :, :first], content[:, :, first:]
    own = torch.arange(content.shape[1], device=owners.device)[None, :, None]
    source = torch.where(owners < 0, own, owners).unsqueeze(3).expand_as(memory)
    return torch.cat([kept, memory.gather(1, source)], dim=2)


def _opened(visible: Tensor) -> Tensor:
    """Rows that may see nothing may see everything."""
    return visible | ~visible.any(-1, keepdim=True)


def _matmul_parameter(inputs: int, outputs: int) -> Tensor:
    return torch.randn(inputs, outputs) * inputs**-0.5


class _CrossAttention(nn.Module):
    def __init__(self, hidden: int, heads: int, *, folded: bool) -> None:
        super().__init__()
        self.multihead_attn = MultiheadAttention(hidden, heads)
        self.norm = nn.LayerNorm(hidden)
        self.folded = folded

    def forward(self, rows: Tensor, position: Tensor, level: Level, visible: Tensor) -> Tensor:
        values = level.values.flatten(2).transpose(1, 2)
        keys = level.keys.flatten(2).transpose(1, 2)
        attend = self.multihead_attn.attend_map
        attended = attend(rows + position, keys, values, visible, folded=self.folded)
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
