"""The engine's own steps on the reference outputs: resizing, final masks and segments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seem_server.engine.findings import Names, segment
from seem_server.engine.postprocess import draw_published
from seem_server.engine.preprocess import lay_out, prepare
from seem_server.runtime.backend import Findings, Selector
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import (
    EverythingSpec,
    Filter,
    QueriesSpec,
    Rounding,
    ShortSide,
    Vocabulary,
    Wiring,
)
from seem_wire import rle
from seem_wire.types import SegmentKind

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"
FACTS = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
LOGIT_SCALE = float(np.exp(4.8))  # of the rule-made weights

pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"the reference outputs are not at {GOLDEN}"
)


def manifest(short=182, long=1333, filter_=Filter.BICUBIC):
    rule = ShortSide(short, long, Rounding.FLOOR)
    image = replace(MANIFEST.image, resize=rule, filter=filter_, divisor=32, **FACTS)
    decoder = QueriesSpec(Wiring.V0, tuple(range(101)), 101, 32, 9, 512)
    return replace(MANIFEST, image=image, decoder=decoder)


def golden(name):
    return np.load(GOLDEN / f"{name}.npz")


def unpacked(bits, width):
    return np.unpackbits(bits, axis=-1)[..., :width].astype(bool)


@pytest.fixture(scope="module")
def pictures():
    return golden("focalt_shared/preprocess")


@pytest.mark.parametrize("index", [0, 1])
def test_pictures_are_resized_as_the_reference_resized_them(pictures, index):
    prepared = prepare(pictures[f"raw{index}"], manifest())
    np.testing.assert_array_equal(prepared.pixels, pictures[f"resized{index}"])


def test_larger_sizes_too(pictures):
    prepared = prepare(pictures["raw0"], manifest(512, 1 << 12))
    assert prepared.layout.resized == tuple(pictures["resized512_shape"][:2])
    np.testing.assert_array_equal(prepared.pixels[::8, ::8], pictures["resized512_s8"])
    capped = prepare(pictures["raw_100x300"], manifest(800, 1333))
    np.testing.assert_array_equal(capped.pixels[::16, ::16], pictures["resize800_s16"])


@pytest.mark.parametrize("case", ["point", "point_posneg", "box", "mask", "scribble"])
@pytest.mark.parametrize("variant", ["focalt_v0", "focalt_v1", "davitd3_v1"])
def test_a_clicks_final_mask_is_the_references(variant, case):
    answer = golden(f"{variant}/{case}")
    layout = lay_out((273, 375), manifest())
    drawn = draw_published(answer["prev_mask_out"][0, 0], layout, 0.0, Selector.MARKS)
    final = unpacked(answer["final_mask_bits"][0, 0], 375)
    assert np.count_nonzero(rle.decode(drawn.rle) != final) <= 2


@pytest.mark.parametrize("text", [0, 1])
def test_a_named_objects_final_mask_is_the_references(text):
    answer = golden("focalt_v1/grounding")
    layout = lay_out((273, 375), manifest())
    drawn = draw_published(answer["matched_masks"][text], layout, 0.0, Selector.TEXT)
    final = unpacked(answer["final_mask_bits"][text], 375)
    assert np.count_nonzero(rle.decode(drawn.rle) != final) <= 2


# --- everything


@pytest.fixture(scope="module")
def names():
    texts = golden("focalt_shared/text")
    vocabulary = Vocabulary(
        tuple(map(str, texts["class_names"])),
        LOGIT_SCALE,
        texts["default_text_embeddings_centered"].astype(np.float32),
    )
    return Names.of_bundle(vocabulary, SPEC)


SPEC = EverythingSpec(threshold=0.8, overlap=0.8, n_things=80, instances=100)


@pytest.fixture(scope="module")
def found(names):
    """The reference's masks, and vectors that give the reference's class logits."""
    answer = golden("focalt_v1/none")
    vectors, *_ = np.linalg.lstsq(names.embeddings, answer["pred_logits"][0].T / LOGIT_SCALE)
    return Findings(answer["pred_masks"][0], vectors.T.astype(np.float32))


def segments(found, names, kind, threshold=None):
    layout = lay_out((273, 375), manifest())
    return segment(found, layout, names, SPEC, kind=kind, threshold=threshold)


@pytest.mark.parametrize("threshold", [0.8, 0.4])
def test_panoptic_segments_are_the_references(found, names, threshold):
    answer = golden("focalt_v1/none")
    painted = np.zeros((273, 375), np.uint8)
    got = segments(found, names, SegmentKind.PANOPTIC, threshold)
    for one in got:
        painted[rle.decode(one.rle)] = one.object_id
    assert np.count_nonzero(painted != answer[f"panoptic_seg_t{threshold}_o0.8"]) <= 2
    listed = answer[f"panoptic_info_t{threshold}_o0.8"].reshape(-1, 3)
    assert [names.names.index(one.label) for one in got] == listed[:, 2].astype(int).tolist()


def test_semantic_names_are_the_references(found, names):
    answer = golden("focalt_v1/none")["sem_seg_argmax"]
    for one in segments(found, names, SegmentKind.SEMANTIC):
        expected = answer == names.names.index(one.label)
        assert np.count_nonzero(rle.decode(one.rle) != expected) <= 2


def test_instances_are_the_references(found, names):
    answer = golden("focalt_v1/none")
    got = segments(found, names, SegmentKind.INSTANCE)
    assert [names.names.index(one.label) for one in got] == answer["inst_classes"].tolist()
    np.testing.assert_allclose([one.score for one in got], answer["inst_scores"], atol=1e-4)
    for one, bits in zip(got, answer["inst_masks_top5"], strict=False):
        assert np.count_nonzero(rle.decode(one.rle) != unpacked(bits, 375)) <= 2
