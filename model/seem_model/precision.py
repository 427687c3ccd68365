"""The weights of an exported graph in fewer bits.

FP16 halves what is stored; the graph widens each weight back when it is loaded, so that it computes
in float32, on any device, with activations that cannot overflow. INT8 does that too, and has matrix
products multiply whole numbers: weights of each output channel, and activations of each run, are
scaled to 8 bits.
"""

from __future__ import annotations

import logging
import shutil
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

if TYPE_CHECKING:
    from pathlib import Path


class Precision(StrEnum):
    """How weights are stored."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


LEAST_WEIGHTS = 256
"""Smaller tensors stay in float32: norms, biases, constants."""

_TINIEST = 2.0**-24
_NARROW = "_fp16"


def lower(source: Path, target: Path, precision: Precision) -> None:
    """Writes the graph in `source`, which is in float32, to `target` with fewer bits."""
    if precision is Precision.INT8:
        quantise(source, target)
        narrow(target, target)
    elif precision is Precision.FP16:
        narrow(source, target)
    else:
        shutil.copyfile(source, target)


def narrow(source: Path, target: Path) -> None:
    """Stores the graph's weights in float16, but for those that would not survive it."""
    model = onnx.load(source)
    graph = model.graph
    widened = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < LEAST_WEIGHTS or not _survives(values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + _NARROW))
        stored, label = [name + _NARROW], f"{name}_widened"
        widened.append(helper.make_node("Cast", stored, [name], label, to=TensorProto.FLOAT))
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, target)


def quantise(source: Path, target: Path) -> None:
    """Has matrix products with a weight in them multiply 8-bit numbers."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises a preprocessing that the exporter has done
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    finally:
        logger.setLevel(level)


def _survives(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bool:
    """Whether no value overflows float16, and none that counts falls below what it can tell."""
    largest = float(np.abs(values).max())
    return _TINIEST * 2**10 < largest < float(np.finfo(np.float16).max)
