"""FocalNet (Yang et al. 2022) in the two flavours of SEEM's published models.

Maps travel channels-last between the layers.
B batch · H, W image pixels (multiples of 32) · h, w a map's rows and columns · C width
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from seem_model.backbones.channels_last import Convolution

if TYPE_CHECKING:
    from seem_model.variants import FocalNetConfig


class FocalNet(nn.Module):
    """(B, 3, H, W), normalised, to four maps at strides 4, 8, 16 and 32."""

    def __init__(self, config: FocalNetConfig) -> None:
        super().__init__()
        self.channels = list(config.channels)
        stem_padding = 3 if config.depthwise else 2
        self.patch_embed = _Embedding(3, config.width, 7, stride=4, padding=stem_padding)
        self.layers = nn.ModuleList()
        for stage, width in enumerate(self.channels):
            self.layers.append(_Stage(config, width, config.depths[stage], last=stage == 3))
            self.add_module(f"norm{stage}", nn.LayerNorm(width))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of strides 4, 8, 16, 32: a list of (B, channels[i], h, w)."""
        x = self.patch_embed(image.permute(0, 2, 3, 1))
        features = []
        for number, stage in enumerate(self.layers):
            x = stage(x)
            features.append(self.get_submodule(f"norm{number}")(x).permute(0, 3, 1, 2))
            if number < 3:  # the next stage starts from the map before its norm
                x = stage.get_submodule("downsample")(x)
        return features


class _Embedding(nn.Module):
    """A strided convolution, then a norm: (B, h, w, inputs) to (B, h / s, w / s, outputs)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int, padding: int
    ) -> None:
        super().__init__()
        self.proj = Convolution(inputs, outputs, kernel, stride=stride, padding=padding)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.proj(x))
        return y


class _Stage(nn.Module):
    """Blocks of one width. Holds the way down to the next stage too, but does not go it."""

    def __init__(self, config: FocalNetConfig, width: int, depth: int, *, last: bool) -> None:
        super().__init__()
        block = _DepthwiseBlock if config.depthwise else _Block
        self.blocks = nn.Sequential(*(block(width, config.focal_levels) for _ in range(depth)))
        if not last:
            self.downsample = _Embedding(width, 2 * width, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        y: Tensor = self.blocks(x)
        return y


class _Block(nn.Module):
    """SEEM's Large flavour: the norms stand on the branches."""

    def __init__(self, width: int, focal_levels: int) -> None:
        super().__init__()
        self.modulation = _Modulation(width, focal_levels)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        layers: list[tuple[str, nn.Module]] = [
            ("fc1", nn.Linear(width, 4 * width)),
            ("gelu", nn.GELU()),
            ("fc2", nn.Linear(4 * width, width)),
        ]
        self.mlp = nn.Sequential(OrderedDict(layers))
        self.gamma_1 = nn.Parameter(torch.ones(width))
        self.gamma_2 = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        x = x + self.gamma_1 * self.norm1(self.modulation(x))
        return x + self.gamma_2 * self.norm2(self.mlp(x))


class _DepthwiseBlock(_Block):
    """SEEM's Tiny flavour: a 3x3 convolution before each branch, norms after the residual sum."""

    def __init__(self, width: int, focal_levels: int) -> None:
        super().__init__(width, focal_levels)
        self.dw1 = Convolution(width, width, 3, padding=1, groups=width)
        self.dw2 = Convolution(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        x = x + self.dw1(x)
        x = self.norm1(x + self.gamma_1 * self.modulation(x))
        x = x + self.dw2(x)
        y: Tensor = self.norm2(x + self.gamma_2 * self.mlp(x))
        return y


class _Modulation(nn.Module):
    """Focal modulation: every position is scaled by contexts of growing size, each gated."""

    def __init__(self, width: int, focal_levels: int) -> None:
        super().__init__()
        self.width, self.focal_levels = width, focal_levels
        self.f = nn.Linear(width, 2 * width + focal_levels + 1)
        self.h = nn.Conv2d(width, width, 1)
        self.proj = nn.Linear(width, width)
        self.focal_layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, size, padding=size // 2, groups=width, bias=False),
                nn.GELU(),
            )
            for size in range(3, 3 + 2 * focal_levels, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same shape."""
        mapped = self.f(x).permute(0, 3, 1, 2)
        query, context, gates = mapped.split([self.width, self.width, self.focal_levels + 1], 1)
        *local_gates, global_gate = (gates / (self.focal_levels + 1)).split(1, 1)
        total: Tensor | float = 0.0
        for layer, gate in zip(self.focal_layers, local_gates, strict=True):
            context = layer(context)
            total = total + context * gate
        total = total + functional.gelu(context.mean((2, 3), keepdim=True)) * global_gate
        y: Tensor = self.proj((query * self.h(total)).permute(0, 2, 3, 1))
        return y
