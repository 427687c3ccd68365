"""DaViT (Ding et al. 2022): attention within windows, then among channels, in turns.

Maps travel channels-last between the layers.
B batch · H, W image pixels (multiples of 32) · h, w a map's rows and columns · C width
N positions · G heads or channel groups · d their width
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from seem_model.backbones.channels_last import Convolution

if TYPE_CHECKING:
    from seem_model.variants import DaViTConfig

_HEAD_WIDTH = 32
_STRIDES = (4, 2, 2, 2)


class DaViT(nn.Module):
    """(B, 3, H, W), normalised, to four maps at strides 4, 8, 16 and 32; no norm at the end."""

    def __init__(self, config: DaViTConfig) -> None:
        super().__init__()
        self.channels = list(config.channels)
        inputs = [3, *self.channels[:-1]]
        self.convs = nn.ModuleList(
            _Embedding(inputs[i], self.channels[i], config.kernels[i], _STRIDES[i], padding=padding)
            for i, padding in enumerate(config.paddings)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_Pair(width, config.window) for _ in range(depth)))
            for width, depth in zip(config.channels, config.depths, strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of strides 4, 8, 16, 32: a list of (B, channels[i], h, w)."""
        x = image.permute(0, 2, 3, 1)
        features = []
        for embedding, blocks in zip(self.convs, self.blocks, strict=True):
            x = blocks(embedding(x))
            features.append(x.permute(0, 3, 1, 2))
        return features


class _Embedding(nn.Module):
    """A strided convolution; the first stage norms what comes out, the others what goes in."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, *, padding: int
    ) -> None:
        super().__init__()
        self.first = stride == 4
        self.proj = Convolution(inputs, outputs, kernel, stride=stride, padding=padding)
        self.norm = nn.LayerNorm(outputs if self.first else inputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, inputs) to (B, h / stride, w / stride, outputs)."""
        y: Tensor = self.norm(self.proj(x)) if self.first else self.proj(self.norm(x))
        return y


class _Pair(nn.Sequential):
    """A block over positions and a block over channels."""

    def __init__(self, width: int, window: int) -> None:
        spatial, channel = (
            ("spatial_block", _block("window_attn", _WindowAttention(width, window), width)),
            ("channel_block", _block("channel_attn", _ChannelAttention(width), width)),
        )
        super().__init__(OrderedDict((spatial, channel)))


def _block(name: str, attention: nn.Module, width: int) -> nn.Sequential:
    parts = (
        ("conv1", _Residual(_Depthwise(width))),
        (name, _Residual(attention, nn.LayerNorm(width))),
        ("conv2", _Residual(_Depthwise(width))),
        ("ffn", _Residual(_Feedforward(width), nn.LayerNorm(width))),
    )
    return nn.Sequential(OrderedDict(parts))


class _Residual(nn.Module):
    def __init__(self, fn: nn.Module, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.fn(x if self.norm is None else self.norm(x))
        return y


class _Depthwise(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dw = Convolution(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dw(x)
        return y


class _Feedforward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[tuple[str, nn.Module]] = [
            ("fc1", nn.Linear(width, 4 * width)),
            ("gelu", nn.GELU()),
            ("fc2", nn.Linear(4 * width, width)),
        ]
        self.net = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y


class _WindowAttention(nn.Module):
    """Attention within windows of `window` x `window` positions, without relative positions.

    The map is padded with zeros at its right and bottom; padding is attended like the rest.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = width // _HEAD_WIDTH, window
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        batch, rows, columns, width = x.shape
        size = self.window
        down, across = (rows + size - 1) // size, (columns + size - 1) // size
        x = functional.pad(x, (0, 0, 0, size * across - columns, 0, size * down - rows))
        grid = (batch, down, size, across, size)
        qkv = self.qkv(x).reshape(*grid, 3, self.heads, _HEAD_WIDTH)
        qkv = qkv.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(5, 6)  # (3, B, down, across, G, N, d)
        q, k, v = qkv.unbind()
        weights = (q / math.sqrt(_HEAD_WIDTH) @ k.transpose(-1, -2)).softmax(-1)
        y = (weights @ v).unflatten(4, (size, size)).permute(0, 1, 4, 2, 5, 3, 6)
        y = y.reshape(batch, down * size, across * size, width)
        return self.proj(y[:, :rows, :columns])


class _ChannelAttention(nn.Module):
    """Attention among the channels of a group, over all positions: d x d weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.groups = width // _HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        batch, rows, columns, width = x.shape
        qkv = self.qkv(x).reshape(batch, rows * columns, 3, self.groups, _HEAD_WIDTH)
        q, k, v = qkv.permute(2, 0, 3, 4, 1).unbind()  # (B, G, d, N)
        scale = (rows * columns) ** -0.5
        weights = (q * scale @ k.transpose(-1, -2)).softmax(-1)  # (B, G, d, d)
        mixed = (weights @ v).reshape(batch, width, rows, columns)
        y: Tensor = self.proj(mixed.permute(0, 2, 3, 1))
        return y
