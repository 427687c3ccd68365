from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from seem_model import tighten as module
from seem_model.tighten import main, tighten, tighten_bundle
from seem_server.runtime.bundle import read_bundle
from seem_wire.errors import OutputTaken

BUNDLES = Path(module.__file__).parent / "bundles"
X = np.random.default_rng(0).standard_normal((2, 3, 6, 4)).astype(np.float32)
BY_SIZE = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def graph(nodes, given, taken=("b", 3, "2*r", "2*c"), **constants):
    found = [numpy_helper.from_array(np.array(v), name) for name, v in constants.items()]
    made = helper.make_graph(nodes, "g", [value("x", *taken)], [value("y", *given)], found)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def resizing(*given, taken=("b", 3, "2*r", "2*c"), by=(1, 1, 2, 2)):
    """A map resized to its own size times something, as the exporter says it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Mul", ["shape", "by"], ["sizes"]),
        helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], "resize", **BY_SIZE),
    ]
    return graph(nodes, given, taken, by=np.int64(by))


def measuring(axis):
    node = helper.make_node("ReduceL2", ["x", "axes"], ["y"], "length", keepdims=1)
    given = ("b", 1, "2*r", "2*c") if axis == 1 else ("b", 3, "2*r", 1)
    return graph([node], given, axes=np.int64([axis]))


def answer(model):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": X})[0]


def steps(model):
    return [node.op_type for node in model.graph.node]


def test_a_resize_by_a_known_share_says_so_and_its_size_is_not_computed():
    model = resizing("b", 3, "4*r", "4*c")
    before = answer(model)
    tighten(model)
    assert steps(model) == ["Resize"]
    assert [one.name for one in model.graph.initializer] == ["resize_scales"]
    np.testing.assert_allclose(answer(model), before, atol=1e-6)


def test_a_resize_to_the_same_size_is_none():
    model = resizing("b", 3, "2*r", "2*c", by=(1, 1, 1, 1))
    tighten(model)
    assert steps(model) == ["Identity"]
    np.testing.assert_array_equal(answer(model), X)


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        (("b", 3, "h", "w"), ("b", 3, "r", "c")),
        (("b", 3, "r + 1", "c"), ("b", 3, "2*r + 2", "2*c")),
        (("b", 3, "r", "c"), ("b", 3, "r", 7)),
    ],
)
def test_a_resize_by_a_share_that_depends_stays(taken, given):
    model = resizing(*given, taken=taken)
    before = steps(model)
    tighten(model)
    assert steps(model) == before


def test_lengths_along_channels_are_summed_by_a_convolution():
    model = measuring(axis=1)
    before = answer(model)
    tighten(model)
    assert steps(model) == ["Mul", "Conv", "Sqrt"]
    np.testing.assert_allclose(answer(model), before, rtol=1e-6)


def test_lengths_along_the_last_axis_stay():
    model = measuring(axis=3)
    tighten(model)
    assert steps(model) == ["ReduceL2"]


def test_a_bundle_keeps_all_but_its_graphs(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(BUNDLES / "tiny", old)
    onnx.save(resizing("b", 3, "4*r", "4*c"), old / "prompt_decoder.onnx")
    tighten_bundle(old, new, force=False)
    made = read_bundle(new)  # which compares hashes
    assert steps(onnx.load(made.path("prompt_decoder.onnx"))) == ["Resize"]
    for name in ("image_encoder.onnx", "text_encoder.onnx", "tokenizer.json", "vocabulary.npy"):
        assert made.path(name).read_bytes() == (old / name).read_bytes()
    assert json.loads((new / "bundle.json").read_text())["provenance"]["graphs"] == module.COMMAND


def test_a_bundle_is_not_replaced_unless_that_is_said(tmp_path, capsys, monkeypatch):
    command = ["tighten", str(BUNDLES / "tiny"), "--out", str(tmp_path / "new")]
    monkeypatch.setattr(sys, "argv", command)
    main()
    assert capsys.readouterr().out == f"{tmp_path / 'new'}\n"
    with pytest.raises(OutputTaken):
        main()
    monkeypatch.setattr(sys, "argv", [*command, "--force"])
    main()


@pytest.mark.parametrize("name", ["lite", "tiny"])
@pytest.mark.parametrize("file", ["image_encoder.onnx", "prompt_decoder.onnx"])
def test_what_is_shipped_is_tight(name, file):
    model = onnx.load(BUNDLES / name / file)
    before = steps(model)
    tighten(model)
    assert steps(model) == before
    assert all(len(one.input) < 4 for one in model.graph.node if one.op_type == "Resize")
