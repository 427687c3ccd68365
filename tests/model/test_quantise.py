from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from seem_model import quantise as module
from seem_model.quantise import in_bytes, main, network_input, quantise_bundle
from seem_model.tighten import map_shapes
from seem_server.engine.preprocess import prepare, to_input
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.onnx_backend import open_backend
from seem_wire.errors import InvalidValue

BUNDLES = Path(module.__file__).parent / "bundles"
TINY = BUNDLES / "tiny"
ENCODER = "image_encoder.onnx"
RNG = np.random.default_rng(0)


def photo(file, height=128, width=160):
    soft = Image.fromarray(RNG.integers(0, 256, (8, 10, 3), np.uint8))
    soft.resize((width, height), Image.Resampling.BICUBIC).save(file)
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("photos")
    for number in range(6):
        photo(made / f"{number}.png")
    (made / "notes.txt").write_text("no photo")
    return made


@pytest.fixture(scope="module")
def quantised(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundles") / "new"
    quantise_bundle(TINY, sorted(folder.glob("*.png")), out, force=False)
    return out


def features(bundle, image):
    session = onnxruntime.InferenceSession(bundle / ENCODER, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})


def test_it_is_a_bundle_that_runs_and_tells_what_became_of_it(quantised):
    made = read_bundle(quantised)
    backend = open_backend(made, provider="cpu", n_threads=1)  # which tries all of it
    assert backend.manifest.model_id.startswith("seem-tiny-int8@")
    told = json.loads((quantised / "bundle.json").read_text())
    assert told["provenance"]["encoder"] == f"{module.COMMAND}, 6 images"
    assert told["precision"].endswith("image encoder mostly int8")


def test_the_encoder_tells_nearly_the_same(quantised, folder):
    spec = read_bundle(TINY).manifest
    pixels = np.asarray(Image.open(folder / "3.png"))
    image = to_input(prepare(pixels, spec), spec)
    for exact, near in zip(features(TINY, image), features(quantised, image), strict=True):
        assert 0 < np.linalg.norm(near - exact) < 0.2 * np.linalg.norm(exact)


def test_the_decoder_and_the_texts_are_the_same_bytes(quantised):
    for name in ("prompt_decoder.onnx", "text_encoder.onnx", "vocabulary.npy"):
        assert (quantised / name).read_bytes() == (TINY / name).read_bytes()


@pytest.mark.parametrize("bundle", ["lite", "tiny"])
def test_what_is_fine_and_what_is_told_stays_in_floats(bundle):
    graph = onnx.load(BUNDLES / bundle / ENCODER).graph
    names, shapes = set(in_bytes(graph)), map_shapes(graph)
    chosen = [node for node in graph.node if node.name in names]
    assert not {"16*s72", "8*s72"} & {shapes[node.output[0]][2] for node in chosen}
    assert {node.op_type for node in chosen} <= {"Conv", "Clip", "Add", "Relu"}
    kernels = {one.name: tuple(one.dims) for one in graph.initializer}
    told = {one.name for one in graph.output}
    heads = [node for node in graph.node if told & set(node.output) and node.op_type == "Conv"]
    assert heads
    assert all(kernels[n.input[1]][2:] == (3, 3) for n in heads if n.name in names)


def test_in_lite_most_convolutions_are_in_bytes():
    graph = onnx.load(BUNDLES / "lite" / ENCODER).graph
    convolutions = {node.name for node in graph.node if node.op_type == "Conv"}
    assert len(convolutions & set(in_bytes(graph))) == 61
    assert len(convolutions) == 79


def test_other_backbones_are_refused():
    graph = onnx.load(TINY / "text_encoder.onnx").graph
    with pytest.raises(InvalidValue, match="our own models"):
        in_bytes(graph)


def test_images_enter_as_the_server_has_them(tmp_path):
    file, spec = photo(tmp_path / "a.png", 100, 161), read_bundle(TINY).manifest
    told = json.loads((TINY / "bundle.json").read_text())["image"]
    served = to_input(prepare(np.asarray(Image.open(file)), spec), spec)
    np.testing.assert_allclose(network_input(file, told), served, atol=1e-6)


def test_some_of_a_folders_photos_are_looked_at(folder, tmp_path, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "quantise_bundle", lambda *said, **_: seen.extend(said[1]))
    command = ["quantise", str(TINY), "--images", str(folder), "--out", str(tmp_path / "new")]
    monkeypatch.setattr(sys, "argv", [*command, "--count", "3"])
    main()
    assert [file.name for file in seen] == ["0.png", "2.png", "4.png"]
    assert capsys.readouterr().out == f"{tmp_path / 'new'}\n"


def test_without_images_nothing_is_made(tmp_path):
    with pytest.raises(InvalidValue, match=r"\.jpg"):
        quantise_bundle(TINY, [], tmp_path / "new", force=False)
    assert not list(tmp_path.iterdir())
