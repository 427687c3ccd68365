"""The pixel decoder of SEEM: an FPN whose coarsest level passes a transformer encoder.

Source: SEEM (Zou et al. 2023) after MaskFormer's transformer-encoder FPN (Cheng et al. 2021).
B batch · C hidden width · h, w a feature map's rows and columns
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.attention import MultiheadAttention
from seem_model.group_norm import GroupNorm

if TYPE_CHECKING:
    from seem_model.config import PixelDecoderConfig


class Pyramid(NamedTuple):
    """What the pixel decoder gives: maps of width C.

    scales: the maps of stride 32, 16 and 8. mask_features: (B, C, h, w) at the mask stride.
    """

    scales: list[Tensor]
    mask_features: Tensor


class PixelDecoder(nn.Module):
    """Backbone maps of strides 4, 8, 16, 32 to a pyramid of one width."""

    def __init__(
        self, channels: list[int], hidden: int, heads: int, config: PixelDecoderConfig
    ) -> None:
        super().__init__()
        self.input_proj = nn.Conv2d(channels[3], hidden, 1)
        self.transformer = _Encoder(hidden, heads, config)
        self.layer_4 = ConvNorm(hidden, hidden, 3, norm=config.norm)
        self.lateral_levels = (3, 2, 1) if config.mask_stride == 4 else (3, 2)
        for level in self.lateral_levels:
            adapter = ConvNorm(channels[level - 1], hidden, 1, norm=config.norm)
            self.add_module(f"adapter_{level}", adapter)
            self.add_module(f"layer_{level}", ConvNorm(hidden, hidden, 3, norm=config.norm))
        kernel = config.mask_kernel
        self.mask_features = nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2)

    def forward(self, features: list[Tensor]) -> Pyramid:
        """`features`: the backbone's four maps, finest first."""
        y = functional.relu(self.layer_4(self.transformer(self.input_proj(features[3]))))
        levels = [y]
        for level in self.lateral_levels:
            lateral = self.get_submodule(f"adapter_{level}")(features[level - 1])
            y = lateral + functional.interpolate(y, size=lateral.shape[-2:], mode="nearest")
            y = functional.relu(self.get_submodule(f"layer_{level}")(y))
            levels.append(y)
        return Pyramid(levels[:3], self.mask_features(y))


class ConvNorm(nn.Conv2d):
    """A convolution without bias that keeps its size, then a norm; no activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        norm: Literal["group", "batch"],
        stride: int = 1,
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = GroupNorm(32, outputs) if norm == "group" else nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h / stride, w / stride)."""
        y: Tensor = self.norm(super().forward(x))
        return y


class _Encoder(nn.Module):
    """Self-attention over all positions of a map, with sine positions."""

    def __init__(self, hidden: int, heads: int, config: PixelDecoderConfig) -> None:
        super().__init__()
        self.encoder = _Layers(hidden, heads, config)

    def forward(self, x: Tensor) -> Tensor:
        batch, hidden, rows, columns = x.shape
        tokens = x.flatten(2).transpose(1, 2)  # (B, h w, C)
        position = sine_position(rows, columns, hidden, like=x).flatten(1).transpose(0, 1)
        tokens = self.encoder(tokens, position)
        return tokens.transpose(1, 2).reshape(batch, hidden, rows, columns)


class _Layers(nn.Module):
    """A module of its own, because published parameter names have its level."""

    def __init__(self, hidden: int, heads: int, config: PixelDecoderConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _EncoderLayer(hidden, heads, config.feedforward) for _ in range(config.encoder_layers)
        )

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens, position)
        return tokens


class _EncoderLayer(nn.Module):
    def __init__(self, hidden: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(hidden, heads)
        self.linear1 = nn.Linear(hidden, feedforward)
        self.linear2 = nn.Linear(feedforward, hidden)
        self.norm1 = nn.LayerNorm(hidden)
        self.norm2 = nn.LayerNorm(hidden)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        located = x + position
        x = self.norm1(x + self.self_attn(located, located, x))
        y: Tensor = self.norm2(x + self.linear2(functional.relu(self.linear1(x))))
        return y


def sine_position(rows: int, columns: int, channels: int, *, like: Tensor) -> Tensor:
    """Sine position of every cell of a map: (channels, rows, columns), y first, then x.

    Source: DETR (Carion et al. 2020), section A.4, normalised to 2 pi, eps 1e-6.
    """
    half = channels // 2
    index = torch.arange(half, device=like.device)
    period = 10000.0 ** (2 * torch.div(index, 2, rounding_mode="floor").to(like.dtype) / half)

    def encode(n: int) -> Tensor:
        steps = torch.arange(1, n + 1, device=like.device).to(like.dtype)
        angle = (steps / (n + 1e-6) * (2 * math.pi))[:, None] / period  # (n, half)
        return torch.where(index % 2 == 0, angle.sin(), angle.cos())

    down = encode(rows).transpose(0, 1)[:, :, None].expand(half, rows, columns)
    across = encode(columns).transpose(0, 1)[:, None, :].expand(half, rows, columns)
    return torch.cat([down, across])
