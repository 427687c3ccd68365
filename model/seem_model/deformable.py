"""The pixel decoder of SEEM's SAM-ViT models: deformable attention over three scales.

Source: Deformable DETR (Zhu et al. 2021), as the pixel decoder of Mask2Former (Cheng et al. 2022).
B batch · C hidden width · h, w a map's rows and columns · L maps (strides 32, 16, 8)
S positions of all maps, one map after another · G heads · P points sampled by a head in a map
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.group_norm import GroupNorm
from seem_model.pixel_decoder import ConvNorm, Pyramid, sine_position

_LEVELS = 3
_POINTS = 4


class DeformablePixelDecoder(nn.Module):
    """Backbone maps of strides 4, 8, 16, 32 to a pyramid of one width."""

    def __init__(
        self,
        channels: list[int],
        hidden: int = 512,
        *,
        heads: int = 8,
        layers: int = 6,
        feedforward: int = 1024,
    ) -> None:
        super().__init__()
        self.input_proj = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, hidden, 1), GroupNorm(32, hidden))
            for inputs in channels[:0:-1]
        )
        self.transformer = _Encoder(hidden, heads, layers, feedforward)
        self.adapter_1 = ConvNorm(channels[0], hidden, 1, norm="group")
        self.layer_1 = ConvNorm(hidden, hidden, 3, norm="group")
        self.mask_features = nn.Conv2d(hidden, hidden, 1)

    def forward(self, features: list[Tensor]) -> Pyramid:
        """`features`: the backbone's four maps, finest first."""
        coarse = features[:0:-1]  # strides 32, 16, 8
        maps = self.transformer(
            [project(x) for project, x in zip(self.input_proj, coarse, strict=True)]
        )
        lateral = self.adapter_1(features[0])
        y = lateral + functional.interpolate(
            maps[-1], size=lateral.shape[-2:], mode="bilinear", align_corners=False
        )
        return Pyramid(maps, self.mask_features(functional.relu(self.layer_1(y))))


class _Encoder(nn.Module):
    """Layers over the positions of all maps at once."""

    def __init__(self, hidden: int, heads: int, layers: int, feedforward: int) -> None:
        super().__init__()
        self.level_embed = nn.Parameter(torch.zeros(_LEVELS, hidden))
        self.encoder = _Layers(hidden, heads, layers, feedforward)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        sizes = [(x.shape[2], x.shape[3]) for x in maps]
        tokens = torch.cat([x.flatten(2) for x in maps], 2).transpose(1, 2)  # (B, S, C)
        positions = [
            sine_position(*size, tokens.shape[2], like=tokens).flatten(1).transpose(0, 1) + level
            for size, level in zip(sizes, self.level_embed, strict=True)
        ]
        centres = torch.cat([_cell_centres(*size, like=tokens) for size in sizes])
        tokens = self.encoder(tokens, torch.cat(positions), centres, sizes)
        parts = tokens.transpose(1, 2).split([h * w for h, w in sizes], 2)
        return [part.unflatten(2, size) for part, size in zip(parts, sizes, strict=True)]


class _Layers(nn.Module):
    """A module of its own, because published parameter names have its level."""

    def __init__(self, hidden: int, heads: int, layers: int, feedforward: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(hidden, heads, feedforward) for _ in range(layers))

    def forward(
        self, tokens: Tensor, position: Tensor, centres: Tensor, sizes: list[tuple[int, int]]
    ) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens, position, centres, sizes)
        return tokens


class _Layer(nn.Module):
    def __init__(self, hidden: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_attn = DeformableAttention(hidden, heads)
        self.linear1 = nn.Linear(hidden, feedforward)
        self.linear2 = nn.Linear(feedforward, hidden)
        self.norm1 = nn.LayerNorm(hidden)
        self.norm2 = nn.LayerNorm(hidden)

    def forward(
        self, x: Tensor, position: Tensor, centres: Tensor, sizes: list[tuple[int, int]]
    ) -> Tensor:
        x = self.norm1(x + self.self_attn(x + position, centres, x, sizes))
        y: Tensor = self.norm2(x + self.linear2(functional.relu(self.linear1(x))))
        return y


class DeformableAttention(nn.Module):
    """Each row gathers a few points of every map, at offsets that it predicts itself."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.sampling_offsets = nn.Linear(hidden, heads * _LEVELS * _POINTS * 2)
        self.attention_weights = nn.Linear(hidden, heads * _LEVELS * _POINTS)
        self.value_proj = nn.Linear(hidden, hidden)
        self.output_proj = nn.Linear(hidden, hidden)

    def forward(
        self, queries: Tensor, centres: Tensor, values: Tensor, sizes: list[tuple[int, int]]
    ) -> Tensor:
        """Rows (B, R, C) look around `centres` (R, 2) in the maps `values` (B, S, C).

        centres: (x, y), 0 and 1 at a map's outer edges. Points outside of a map count as zero.
        """
        batch, rows, width = queries.shape
        grid = (batch, rows, self.heads, _LEVELS, _POINTS)
        offsets = self.sampling_offsets(queries).reshape(*grid, 2).permute(3, 0, 2, 1, 4, 5)
        weights = self.attention_weights(queries).reshape(batch, rows, self.heads, -1).softmax(-1)
        weights = weights.reshape(grid).permute(3, 0, 2, 1, 4)  # (L, B, G, R, P)
        maps = self.value_proj(values).transpose(1, 2).split([h * w for h, w in sizes], 2)
        origin = (2 * centres - 1)[:, None]  # as grid_sample counts: -1 and 1 at the edges
        mixed = torch.zeros_like(queries).reshape(batch * self.heads, -1, rows)
        for level, (h, w) in enumerate(sizes):
            places = origin + offsets[level].flatten(0, 1) * queries.new_tensor([2 / w, 2 / h])
            sampled = functional.grid_sample(
                maps[level].reshape(batch * self.heads, -1, h, w), places, align_corners=False
            )  # (B G, C / G, R, P)
            mixed = mixed + (sampled * weights[level].flatten(0, 1)[:, None]).sum(-1)
        y: Tensor = self.output_proj(mixed.reshape(batch, width, rows).transpose(1, 2))
        return y


def _cell_centres(rows: int, columns: int, *, like: Tensor) -> Tensor:
    """(x, y) of every cell's centre, row by row: (rows columns, 2), 0 and 1 at the edges."""
    y = (torch.arange(rows, device=like.device).to(like.dtype) + 0.5) / rows
    x = (torch.arange(columns, device=like.device).to(like.dtype) + 0.5) / columns
    across = x.expand(rows, columns)
    return torch.stack([across, y[:, None].expand(rows, columns)], -1).flatten(0, 1)
