"""Panoptic, semantic and instance output of the published program, from its own decoder outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seem_wire import rle, segments

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
THINGS = frozenset(range(80))
AT_A_HALF = 2  # pixels whose sigmoid is 0.5 but for the last digit of resizing
SETS = ["focalt_v1/postproc", "focalt_v1/none", "davitd3_v1/none"]

pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no reference outputs in {GOLDEN}")


def golden(name):
    arrays = np.load(GOLDEN / f"{name}.npz")
    logits = arrays["pred_logits"][0]
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    masks = segments.Enlarged(
        arrays["pred_masks"][0].astype(np.float32),
        padded=(192, 256),
        resized=(182, 250),
        size=(273, 375),
    )
    return arrays, weights / weights.sum(axis=1, keepdims=True), masks


def whole(masks):
    return np.stack([masks[query] for query in range(len(masks.logits))])


@pytest.mark.parametrize(
    ("name", "threshold", "overlap", "suffix"),
    [
        ("focalt_v1/postproc", 0.8, 0.8, "_t0.8"),
        ("focalt_v1/postproc", 0.4, 0.8, "_t0.4"),
        ("focalt_v1/none", 0.8, 0.8, "_t0.8_o0.8"),
        ("focalt_v1/none", 0.4, 0.8, "_t0.4_o0.8"),
        ("focalt_v1/none", 0.2, 0.5, "_t0.2_o0.5"),
        ("davitd3_v1/none", 0.4, 0.8, "_t0.4_o0.8"),
        ("davitd3_v1/none", 0.2, 0.5, "_t0.2_o0.5"),
    ],
)
def test_panoptic_maps_and_segments_are_those_of_the_program(name, threshold, overlap, suffix):
    arrays, probabilities, masks = golden(name)
    ids, found = segments.panoptic(probabilities, masks, THINGS, threshold, overlap)
    differing = np.count_nonzero(ids != arrays[f"panoptic_seg{suffix}"])
    assert differing <= AT_A_HALF
    expected = arrays[f"panoptic_info{suffix}"].reshape(-1, 3).tolist()
    assert [[one.id, one.is_thing, one.label] for one in found] == expected
    assert [one.area for one in found] == [int((ids == one.id).sum()) for one in found]


@pytest.mark.parametrize("name", SETS)
def test_the_likeliest_names_are_equal(name):
    arrays, probabilities, masks = golden(name)
    full = whole(masks)
    scores = segments.semantic_scores(probabilities, full[:, ::16, ::16])
    np.testing.assert_allclose(scores, arrays["sem_seg_s16"], atol=1e-4)
    differing = segments.semantic(probabilities, full) != arrays["sem_seg_argmax"]
    assert np.count_nonzero(differing) <= AT_A_HALF


@pytest.mark.parametrize("name", SETS)
def test_instances_are_equal(name):
    arrays, probabilities, masks = golden(name)
    found = segments.instances(probabilities, masks, THINGS)
    scores = [one.score for one in found]
    np.testing.assert_allclose(scores, arrays["inst_scores"], atol=1e-5)
    sure = arrays["inst_scores"] > 0  # those without a pixel are all equal: in any order
    labels, areas = np.array([(one.label, one.area) for one in found]).reshape(-1, 2).T
    np.testing.assert_array_equal(labels[sure], arrays["inst_classes"][sure])
    assert sorted(labels) == sorted(arrays["inst_classes"])
    assert abs(areas[sure] - arrays["inst_area"][sure]).max(initial=0) <= AT_A_HALF


def test_the_masks_of_instances_are_equal():
    arrays, probabilities, masks = golden("focalt_v1/postproc")
    found = segments.instances(probabilities, masks, THINGS)
    expected = np.unpackbits(arrays["inst_masks_top8"], axis=-1)[..., :375].astype(bool)
    for one, mask in zip(found, expected[:7], strict=False):
        assert np.count_nonzero(rle.decode(one.mask) != mask) <= AT_A_HALF
