from __future__ import annotations

import sys

import numpy as np
import pytest
from found import found

from seem_client.exports import to_supervision
from seem_wire.errors import LibraryMissing

SIZE = (6, 8)
SQUARE = np.zeros(SIZE, np.bool_)
SQUARE[1:4, 2:7] = True
DOT = np.zeros(SIZE, np.bool_)
DOT[5, 0] = True
SEEN = [found(SQUARE, 3, "cat"), found(np.zeros(SIZE, np.bool_), 4, "dog"), found(DOT, 9)]


@pytest.fixture(scope="module")
def supervision():
    why = "supervision is not installed: it is in the extra `test`"
    return pytest.importorskip("supervision", reason=why)


def test_boxes_masks_scores_and_names_are_those_of_the_objects_that_are_seen(supervision):
    detections = to_supervision(SEEN)
    assert isinstance(detections, supervision.Detections)
    assert detections.xyxy.tolist() == [[2, 1, 7, 4], [0, 5, 1, 6]]
    assert np.array_equal(detections.mask, [SQUARE, DOT])
    assert detections.confidence.tolist() == [0.75, 0.75]
    assert detections.class_id.tolist() == [0, 1]
    assert detections["class_name"].tolist() == ["cat", "object"]
    assert detections.area.tolist() == [15, 1]
    assert detections.tracker_id is None


@pytest.mark.usefixtures("supervision")
def test_class_ids_can_be_those_of_a_list_and_objects_keep_theirs():
    detections = to_supervision(SEEN, classes=["object", "cat"], tracked=True)
    assert detections.class_id.tolist() == [1, 0]
    assert detections.tracker_id.tolist() == [3, 9]


def test_its_annotators_draw_them(supervision):
    picture = np.zeros((*SIZE, 3), np.uint8)
    annotator = supervision.MaskAnnotator(color_lookup=supervision.ColorLookup.INDEX)
    drawn = annotator.annotate(picture.copy(), to_supervision(SEEN))
    assert (drawn.any(axis=2) == (SQUARE | DOT)).all()


@pytest.mark.usefixtures("supervision")
def test_nothing_found_is_no_detections():
    assert len(to_supervision([])) == 0


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(LibraryMissing, match="pip install supervision"):
        to_supervision([])
