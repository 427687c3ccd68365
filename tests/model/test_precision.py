from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from small_graphs import SIDE, write_graph

from seem_model.precision import Precision, lower

FULL = 2 * SIDE * SIDE


@pytest.fixture
def lowered(tmp_path):
    def make(precision, **options):
        write_graph(tmp_path / "whole.onnx", **options)
        lower(tmp_path / "whole.onnx", tmp_path / "lower.onnx", precision)
        return tmp_path / "lower.onnx"

    return make


def run(file):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((5, SIDE)).astype(np.float32)
    return session.run(None, {"x": x})[0]


def weights_of(file, kind):
    graph = onnx.load(file).graph
    return sum(int(np.prod(w.dims)) for w in graph.initializer if w.data_type == kind)


def test_float32_stays_as_it_was(lowered, tmp_path):
    file = lowered(Precision.FP32)
    assert file.read_bytes() == (tmp_path / "whole.onnx").read_bytes()


def test_float16_stores_large_weights_in_half_and_computes_as_before(lowered, tmp_path):
    file = lowered(Precision.FP16)
    assert weights_of(file, TensorProto.FLOAT16) == FULL
    assert weights_of(file, TensorProto.FLOAT) == SIDE  # the bias
    np.testing.assert_allclose(run(file), run(tmp_path / "whole.onnx"), atol=5e-3)
    assert run(file).dtype == np.float32


@pytest.mark.parametrize("gain", [1e9, 1e-9])
def test_a_weight_that_float16_cannot_hold_stays(lowered, tmp_path, gain):
    file = lowered(Precision.FP16, gain=gain)
    assert weights_of(file, TensorProto.FLOAT16) == SIDE * SIDE
    expected = run(tmp_path / "whole.onnx")
    assert np.abs(run(file) - expected).max() < 5e-3 * np.abs(expected).max()


def test_int8_multiplies_whole_numbers(lowered, tmp_path):
    file = lowered(Precision.INT8)
    assert weights_of(file, TensorProto.INT8) >= FULL  # and the scales' zeros
    assert weights_of(file, TensorProto.FLOAT) < FULL / 10
    assert [n.op_type for n in onnx.load(file).graph.node].count("MatMulInteger") == 2
    expected = run(tmp_path / "whole.onnx")
    assert np.abs(run(file) - expected).max() < 0.05 * np.abs(expected).max()


def test_what_was_lowered_is_all_that_is_left_of_it(lowered):
    assert sorted(path.name for path in lowered(Precision.INT8).parent.iterdir()) == [
        "lower.onnx",
        "whole.onnx",
    ]
