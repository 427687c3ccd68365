"""Graphs of a few nodes, written by hand: to export real ones takes a minute."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seem_model.export_published import GRAPHS

SIDE = 64


def write_graph(file, *, gain=1.0):
    """x (rows, 64) to y: two matrix products with a rectifier between, and a small bias."""
    generator = np.random.default_rng(0)
    first = generator.standard_normal((SIDE, SIDE)) / 8
    second = gain * generator.standard_normal((SIDE, SIDE)) / 8
    weights = {"first": first, "second": second, "bias": generator.standard_normal(SIDE)}
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "second", "bias"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", SIDE])],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), file)


def write_graphs(_model, folder, *, progress=lambda _: None):
    """In place of `export_graphs`."""
    for name in GRAPHS:
        progress(name)
        write_graph(folder / name)
