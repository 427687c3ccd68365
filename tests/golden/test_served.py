"""A checkpoint of rule-made weights, converted, served and asked through the client (Focal-T).

Minutes for each wiring, most of them exporting. SEEM_GOLDEN_BUNDLES names a folder with bundles
made before by `seem convert` (`focalt_v0`, …, `--short-side 182`), to spare them.

Not here: marks of more than 512 pixels, of which the published program drew its own 512 (an
example's among them), and clicks on v1, whose rows it drew. For those the parity command injects
the recorded draws.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import seem_client
from seem_model.published import PublishedSeem
from seem_model.rule_weights import rule_tensors
from seem_model.variants import VARIANTS
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire.resample import bicubic_antialias, bilinear, to_original

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
MADE = os.environ.get("SEEM_GOLDEN_BUNDLES")
SHORT_SIDE = 182
RESIZED, PADDED, SIZE = (182, 250), (192, 256), (273, 375)
LEAST_IOU = 0.99

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no reference outputs in {GOLDEN}"),
]


def golden(name):
    return np.load(GOLDEN / f"{name}.npz")


def final(arrays, index=0):
    """The program's own mask at the picture's size."""
    bits = arrays["final_mask_bits"].reshape(-1, SIZE[0], arrays["final_mask_bits"].shape[-1])
    return np.unpackbits(bits[index], axis=-1)[:, : SIZE[1]].astype(bool)


def enlarged(arrays, last):
    """The demo's mask, which it leaves at the resized picture, at the picture's own size."""
    logits = arrays["matched_mask_logits"]
    maps = to_original(logits, padded=PADDED, resized=RESIZED, size=SIZE, last=last)
    return maps[0] > 0


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def original(column, row):
    """The point of the picture that lies in the middle of a resized pixel."""
    return (column + 0.5) * SIZE[1] / RESIZED[1], (row + 0.5) * SIZE[0] / RESIZED[0]


CLICK, CORRECTION = original(121, 71), original(41, 121)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """The recorded outputs' own vocabulary."""
    text = golden("focalt_shared/text")
    rows = text["default_text_embeddings_centered"]
    file = tmp_path_factory.mktemp("words") / "words.npz"
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.savez(file, names=text["class_names"].astype(str), embeddings=unit)
    return file


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    with torch.device("meta"):
        names = PublishedSeem(VARIANTS["focalt_v0"]).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in names.items()}
    file = tmp_path_factory.mktemp("checkpoint") / "seem_focalt.pt"
    torch.save({name: torch.from_numpy(array) for name, array in rule_tensors(shapes)}, file)
    return file


@pytest.fixture(scope="module")
def serve(request, tmp_path_factory):
    """A client of a server with this variant's bundle."""
    opened = []

    def start(variant):
        folder = Path(MADE) / variant if MADE else tmp_path_factory.mktemp("bundles") / variant
        if not MADE:
            file, words = request.getfixturevalue("checkpoint"), request.getfixturevalue("words")
            given = ["--variant", variant, "--out", str(folder), "--short-side", str(SHORT_SIDE)]
            command = [sys.executable, "-m", "seem_server.cli", "convert", str(file)]
            subprocess.run([*command, *given, "--vocabulary", str(words)], check=True)
        server = local_server(Settings(bundle=str(folder)))
        client = seem_client.connect(server.__enter__())
        opened.append((server, client))
        return client

    yield start
    for server, client in opened:
        client.close()
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def v0(serve):
    return serve("focalt_v0")


@pytest.fixture(scope="module")
def v1(serve):
    return serve("focalt_v1")


@pytest.fixture(scope="module")
def demo(serve):
    return serve("focalt_demo")


@pytest.fixture(scope="module")
def picture():
    return golden("focalt_shared/preprocess")["raw0"]


def test_two_rounds_of_clicks_on_v0(v0, picture):
    with v0.open(picture) as session:
        first = session.click(*CLICK)
        assert iou(first.mask, final(golden("focalt_v0/point"))) >= LEAST_IOU
        second = session.click(*CORRECTION, positive=False)
        assert iou(second.mask, final(golden("focalt_v0/round2_memory"))) >= LEAST_IOU
        assert np.array_equal(session.undo().mask, first.mask)


def test_a_click_on_demo(demo, picture):
    with demo.open(picture) as session:
        found = session.click(*CLICK)
    assert iou(found.mask, enlarged(golden("focalt_demo/stroke_point"), bilinear)) >= LEAST_IOU


@pytest.mark.parametrize("variant", ["focalt_v0", "focalt_v1"])
def test_words_on_v0_and_v1(request, picture, variant):
    """Its marks do not reach the recorded text's queries, so that is what the words alone say."""
    arrays = golden(f"{variant}/grounding_spatial")
    client = request.getfixturevalue(variant.removeprefix("focalt_"))
    with client.open(picture) as session:
        found = session.text(str(arrays["texts"][0]))
    assert iou(found.mask, final(arrays)) >= LEAST_IOU


def test_words_on_demo(demo, picture):
    arrays = golden("focalt_demo/text")
    with demo.open(picture) as session:
        found = session.text(str(arrays["text"][0]))
    assert iou(found.mask, enlarged(arrays, bicubic_antialias)) >= LEAST_IOU


def painted(arrays):
    """The recorded stroke, as somebody would paint it on the picture itself."""
    stroke = np.unpackbits(arrays["stroke_bits"], axis=-1)[0].astype(bool)
    row, column = (
        ((np.arange(side) + 0.5) * small / side).astype(int)
        for side, small in zip(SIZE, RESIZED, strict=True)
    )
    return stroke[row[:, None], column]


def test_a_stroke_and_words_together_on_demo(demo, picture):
    arrays = golden("focalt_demo/stroke_text")
    with demo.open(picture) as session:
        found = session.prompt(mask=painted(arrays), text=str(arrays["text"][0]))
    assert iou(found.mask, enlarged(arrays, bilinear)) >= LEAST_IOU


def test_everything_on_v1(v1, picture):
    arrays = golden("focalt_v1/none")
    recorded = arrays["panoptic_info_t0.4_o0.8"]
    with v1.open(picture) as session:
        assert session.everything() == []  # at 0.8 the made-up weights name nothing
        found = session.everything(threshold=0.4)
        instances = session.everything(kind="instance")
    assert len(found) == len(recorded) == 1
    assert found[0].is_thing is bool(recorded[0][1])
    assert iou(found[0].mask, arrays["panoptic_seg_t0.4_o0.8"] == 1) >= LEAST_IOU
    count = len(arrays["inst_scores"])
    scores = sorted((one.score for one in instances), reverse=True)[:count]
    np.testing.assert_allclose(scores, arrays["inst_scores"], atol=2e-3)
