"""The shipped tiny bundle against the model it came from, at sizes it was not traced with.

A failure after a change to the model means that the bundle is stale: make it again with
`python -m seem_model.export tiny --out model/seem_model/bundles/tiny`.
"""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from seem_model import export
from seem_model.config import TINY
from seem_model.seem import Prompts

SHIPPED = Path(export.__file__).parent / "bundles" / "tiny"


def source(model, encoder, things=export.NAMES_OF_RANDOM_WEIGHTS, stuff=("sky",)):
    return export.Source(model, encoder, things, stuff, {}, export.Thresholds())


@pytest.fixture(scope="module")
def exported(tiny, letters, tmp_path_factory):
    """A bundle made now: tracing takes half a minute."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    export.write_bundle(source(tiny, letters), folder, version="1.2.3")
    return folder


@pytest.fixture(scope="module")
def sessions():
    names = ("image_encoder", "prompt_decoder", "text_encoder")
    cpu = ["CPUExecutionProvider"]
    return {n: onnxruntime.InferenceSession(SHIPPED / f"{n}.onnx", providers=cpu) for n in names}


def random_prompts(batch, objects, points, tokens, height, width):
    torch.manual_seed(batch + objects)
    empty = export.empty_prompts(batch, objects, points, tokens, height, width, TINY)
    return Prompts(
        torch.rand_like(empty.points) * torch.tensor([width, height]),
        torch.randint(-1, 3, empty.labels.shape).float(),
        torch.rand_like(empty.maps),
        torch.randn_like(empty.previous_mask),
        torch.randint(0, 2, empty.has_previous.shape).float(),
        torch.randn_like(empty.text),
        torch.randint(0, 2, empty.text_mask.shape).float(),
        torch.nn.functional.normalize(torch.randn_like(empty.example), dim=-1),
        torch.randint(0, 2, empty.has_example.shape).float(),
    )


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 96, 160), (1, 160, 32)])
def test_the_image_encoder_equals_torch(tiny, sessions, shape):
    batch, height, width = shape
    image = torch.randn(batch, 3, height, width)
    with torch.inference_mode():
        expected = export.ImageEncoderGraph(tiny)(image)
    actual = sessions["image_encoder"].run(None, {"image": image.numpy()})
    for name, theirs, ours in zip(export.FEATURE_NAMES, actual, expected, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 3, 7, 2), (2, 2, 20, 1), (1, 1, 64, 9)])
def test_the_prompt_decoder_equals_torch(tiny, sessions, sizes):
    height, width = 96, 160
    prompts = random_prompts(*sizes, height, width)
    with torch.inference_mode():
        features = tiny.encode(torch.randn(sizes[0], 3, height, width))
        expected = tiny.answer(features, prompts)
        flat = [t for level in features.levels for t in level] + list(features.maps)
    feeds = dict(zip(export.FEATURE_NAMES, flat, strict=True)) | prompts._asdict()
    actual = sessions["prompt_decoder"].run(None, {k: v.numpy() for k, v in feeds.items()})
    for name, theirs in zip(export.ANSWER_NAMES, actual, strict=True):
        np.testing.assert_allclose(theirs, getattr(expected, name), atol=1e-4, err_msg=name)


@pytest.mark.parametrize("text", ["a", "zebra", "the left one"])
def test_the_text_encoder_keeps_its_meaning_in_int8(letters, sessions, text):
    expected, _ = letters.encode([text])
    ids = np.array([letters.tokenizer.encode(text).ids])
    feeds = {"ids": ids, "mask": np.ones_like(ids)}
    (actual,) = sessions["text_encoder"].run(["states"], feeds)
    cosine = torch.cosine_similarity(torch.from_numpy(actual), expected, dim=-1)
    assert cosine.min() > 0.99


@pytest.mark.parametrize("text", ["a", "zebra", "the left one"])
def test_the_text_encoder_puts_a_sentence_where_torch_does(tiny, letters, sessions, text):
    with torch.inference_mode():
        expected = tiny.embed_text(*letters.encode([text]))
    ids = np.array([letters.tokenizer.encode(text).ids])
    feeds = {"ids": ids, "mask": np.ones_like(ids)}
    (actual,) = sessions["text_encoder"].run(["sentence"], feeds)
    assert torch.cosine_similarity(torch.from_numpy(actual), expected).item() > 0.99
    np.testing.assert_allclose(np.linalg.norm(actual, axis=1), 1, atol=1e-5)


def test_the_manifest_names_every_file_with_its_hash():
    manifest = json.loads((SHIPPED / "bundle.json").read_text())
    assert set(manifest["files"]) == {file.name for file in SHIPPED.iterdir()} - {"bundle.json"}
    for name, entry in manifest["files"].items():
        content = (SHIPPED / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_the_vocabulary_has_a_unit_row_a_name_and_nothing_last(tiny):
    rows = np.load(SHIPPED / "vocabulary.npy")
    manifest = json.loads((SHIPPED / "bundle.json").read_text())
    names = manifest["vocabulary"]["names"]
    assert names[-1] == export.NOTHING
    assert set(export.NAMES_OF_RANDOM_WEIGHTS) < set(names)
    assert rows.shape == (len(names), 16)
    np.testing.assert_allclose(rows[-1], tiny.nothing().detach(), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def manifest_of(source, folder, monkeypatch):
    """What a bundle says of itself, made without its graphs."""
    for graph in ("image_encoder", "prompt_decoder", "text_encoder"):
        monkeypatch.setattr(export, f"export_{graph}", lambda *_: None)
    export.write_bundle(source, folder, version="1")
    return json.loads((folder / "bundle.json").read_text())


def test_without_names_a_bundle_still_knows_nothing(tiny, letters, tmp_path, monkeypatch):
    manifest = manifest_of(source(tiny, letters, (), ()), tmp_path / "tiny", monkeypatch)
    assert manifest["vocabulary"]["names"] == [export.NOTHING]
    assert manifest["everything"]["n_things"] == 0
    assert np.load(tmp_path / "tiny" / "vocabulary.npy").shape == (1, 16)


def test_things_come_before_stuff_and_nothing_last(tiny, letters, tmp_path, monkeypatch):
    named = source(tiny, letters, ("cat", "dog"), ("sky",))
    manifest = manifest_of(named, tmp_path / "tiny", monkeypatch)
    assert manifest["vocabulary"]["names"] == ["cat", "dog", "sky", export.NOTHING]
    assert manifest["everything"]["n_things"] == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_bundle_tells_nothing_of_the_machine_that_made_it(exported):
    home = re.compile(rb"/(?:home|root|work|tmp|usr)/")
    assert not [file.name for file in exported.iterdir() if home.search(file.read_bytes())]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_shipped_tiny_bundle_is_what_the_export_makes(exported):
    made, shipped = (
        {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.glob("*.onnx")}
        for folder in (exported, SHIPPED)
    )
    assert made == shipped


def test_an_export_that_breaks_leaves_the_old_bundle(tiny, letters, tmp_path, monkeypatch):
    old = tmp_path / "tiny"
    old.mkdir()
    (old / "bundle.json").write_text("old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "export_image_encoder", full_disk)
    with pytest.raises(OSError, match="No space"):
        export.write_bundle(source(tiny, letters), old, version="2")
    assert (old / "bundle.json").read_text() == "old"
