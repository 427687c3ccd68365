from __future__ import annotations

import sys

import numpy as np
import pytest
from found import found

from seem_client.exports import to_fiftyone
from seem_wire.errors import LibraryMissing

SIZE = (10, 20)
CORNER = np.zeros(SIZE, np.bool_)
CORNER[2:6, 5:15] = True
CORNER[2, 5] = False
SEEN = [found(CORNER, 3, "cat"), found(np.zeros(SIZE, np.bool_), 4)]


@pytest.fixture(scope="module")
def fiftyone():
    why = "FiftyOne is not installed: `make test-tools` tries it"
    return pytest.importorskip("fiftyone", reason=why)


def test_boxes_are_relative_and_masks_are_those_of_the_box(fiftyone):
    (one,) = to_fiftyone(SEEN).detections
    assert isinstance(one, fiftyone.Detection)
    assert one.bounding_box == [0.25, 0.2, 0.5, 0.4]
    assert np.array_equal(one.mask, CORNER[2:6, 5:15])
    assert (one.label, one.confidence, one.index) == ("cat", 0.75, 3)


@pytest.mark.usefixtures("fiftyone")
def test_fiftyone_makes_the_very_mask_of_it():
    (one,) = to_fiftyone(SEEN).detections
    height, width = SIZE
    full = one.to_segmentation(frame_size=(width, height), target=1)
    assert np.array_equal(full.mask.astype(np.bool_), CORNER)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(LibraryMissing, match="pip install fiftyone"):
        to_fiftyone([])
