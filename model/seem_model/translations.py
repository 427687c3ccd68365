"""Operators as ONNX Runtime knows to fuse them, where the exporter writes them another way."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from onnxscript import opset18 as op

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _gelu(x: Any, approximate: str = "none") -> Any:
    """Halved at the end. Halved before, it stays five operators, each a pass over the map."""
    if approximate != "none":
        raise NotImplementedError(f"no model here uses GELU by {approximate}")
    gate = op.Add(op.Erf(op.Div(x, _like(x, math.sqrt(2)))), _like(x, 1.0))
    return op.Mul(op.Mul(x, gate), _like(x, 0.5))


def _like(x: Any, number: float) -> Any:
    constant: Any = op.Constant(value_float=number)
    return op.CastLike(constant, x)


TRANSLATIONS: Mapping[Callable[..., Any], Callable[..., Any]] = MappingProxyType(
    {torch.ops.aten.gelu.default: _gelu}
)
"""For `custom_translation_table` of `torch.onnx.export`."""
