"""The image encoder of SAM (Kirillov et al. 2023) under a simple feature pyramid.

The pyramid follows ViTDet (Li et al. 2022): four maps out of the one of stride 16.
B batch · S the image's side in pixels · h, w the map's rows and columns · C width
n positions along a window's side · N = n n · G heads · d their width
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.group_norm import GroupNorm

if TYPE_CHECKING:
    from seem_model.variants import SamViTConfig

_PATCH = 16
_NORM_EPS = 1e-6
_ROWS_AT_ONCE = 512


class SamViT(nn.Module):
    """(B, 3, S, S), normalised, S as configured, to four maps at strides 4, 8, 16 and 32."""

    def __init__(self, config: SamViTConfig) -> None:
        super().__init__()
        self.channels = list(config.channels)
        side = config.image_side // _PATCH
        self.patch_embed = _Embedding(config.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, config.width))
        self.blocks = nn.Sequential(
            *(
                _Block(config, window=side if number in config.global_blocks else config.window)
                for number in range(config.depth)
            )
        )
        self.neck = _Neck(config.width, config.channels)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of strides 4, 8, 16, 32: a list of (B, channels[i], h, w)."""
        x = self.blocks(self.patch_embed(image) + self.pos_embed)
        features: list[Tensor] = self.neck(x.permute(0, 3, 1, 2))
        return features


class _Embedding(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, _PATCH, _PATCH)

    def forward(self, image: Tensor) -> Tensor:
        y: Tensor = self.proj(image).permute(0, 2, 3, 1)
        return y


class _Block(nn.Module):
    """`window`: positions along a side of what attends together; the map's own side for all."""

    def __init__(self, config: SamViTConfig, *, window: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=_NORM_EPS)
        self.attn = _Attention(config.width, config.heads, window)
        self.norm2 = nn.LayerNorm(config.width, eps=_NORM_EPS)
        self.mlp = _Feedforward(config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class _Attention(nn.Module):
    """Attention within square windows, with decomposed relative positions.

    The map is padded with zeros at its right and bottom; padding is attended like the rest.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * window - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * window - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        _, rows, columns, width = x.shape
        size = self.window
        down, across = -(-rows // size), -(-columns // size)
        x = functional.pad(x, (0, 0, 0, across * size - columns, 0, down * size - rows))
        qkv = self.qkv(x).reshape(-1, down, size, across, size, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(5, 0, 1, 3, 6, 2, 4, 7).unbind()  # (B, down, across, G, n, n, d)
        y = self._attend(self._locate_queries(q), self._locate_keys(k), v.flatten(4, 5))
        y = y.unflatten(4, (size, size)).permute(0, 1, 4, 2, 5, 3, 6)
        y = y.reshape(-1, down * size, across * size, width)
        return self.proj(y[:, :rows, :columns])

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """A part of the rows at a time: all logits of a large map would be a gigabyte."""
        keys = k.transpose(-1, -2)
        parts = [(part @ keys).softmax(-1) @ v for part in q.split(_ROWS_AT_ONCE, -2)]
        return torch.cat(parts, -2)

    def _locate_queries(self, q: Tensor) -> Tensor:
        """Scaled rows, then what a key's row and column add to their logits: (..., N, d + 2 n).

        Beside keys that say where they are, one product gives logits with positions: several
        times faster than adding two broadcast terms to as many logits.
        """
        by_row = q @ _by_offset(self.rel_pos_h, self.window).transpose(1, 2)
        to_columns = _by_offset(self.rel_pos_w, self.window).transpose(1, 2)
        by_column = (q.transpose(-2, -3) @ to_columns).transpose(-2, -3)
        return torch.cat([q / math.sqrt(q.shape[-1]), by_row, by_column], -1).flatten(4, 5)

    def _locate_keys(self, k: Tensor) -> Tensor:
        """Keys, then their row and their column as unit vectors: (..., N, d + 2 n)."""
        n = self.window
        unit = torch.eye(n, dtype=k.dtype, device=k.device)
        place = torch.cat([unit[:, None].expand(n, n, n), unit.expand(n, n, n)], -1)
        return torch.cat([k, place.expand(*k.shape[:-1], 2 * n)], -1).flatten(4, 5)


def _by_offset(table: Tensor, side: int) -> Tensor:
    """(2 n - 1, d) by offset to (n queries, n keys, d)."""
    steps = torch.arange(side, device=table.device)
    return table[steps[:, None] - steps + (side - 1)]


class _Feedforward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, 4 * width)
        self.lin2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.lin2(functional.gelu(self.lin1(x)))
        return y


class _Neck(nn.Module):
    """One map of stride 16 to four; a norm has all channels in one group."""

    def __init__(self, width: int, channels: tuple[int, int, int, int]) -> None:
        super().__init__()
        wide, coarse = max(channels[1], width // 2), max(channels[3], 2 * width)
        self.down_4 = nn.Sequential(
            nn.ConvTranspose2d(width, wide, 2, 2),
            GroupNorm(1, wide),
            nn.GELU(),
            nn.ConvTranspose2d(wide, wide // 2, 2, 2),
            GroupNorm(1, wide // 2),
            *_last(wide // 2, channels[0]),
        )
        self.down_8 = nn.Sequential(
            nn.ConvTranspose2d(width, wide, 2, 2),
            GroupNorm(1, wide),
            *_last(wide, channels[1]),
        )
        self.down_16 = nn.Sequential(*_last(width, channels[2]))
        self.down_32 = nn.Sequential(
            nn.Conv2d(width, coarse, 2, 2),
            GroupNorm(1, coarse),
            *_last(coarse, channels[3]),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.down_4(x), self.down_8(x), self.down_16(x), self.down_32(x)]


def _last(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 1), GroupNorm(1, outputs), nn.GELU()
