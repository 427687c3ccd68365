"""What is saved is what was drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from browsing import PHOTOS
from PIL import Image

from seem_wire import rle

pytestmark = pytest.mark.browser


def test_what_is_saved_is_what_the_server_drew(clicked):
    annotation = json.loads(clicked.saved("#save-coco")[0].read_text("utf-8"))["annotations"][0]
    height, width = annotation["segmentation"]["size"]
    mask = rle.decode(rle.Rle(height, width, annotation["segmentation"]["counts"]))
    with Image.open(PHOTOS / "cat.jpg") as photo:
        assert (width, height) == photo.size
    assert mask.sum() == annotation["area"] == clicked.area()
    png, name = clicked.saved("#save-png")
    assert name == "cat-masks.png"
    with Image.open(png) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), mask.astype(np.uint8))
    polygons = json.loads(clicked.saved("#save-polygons")[0].read_text("utf-8"))
    assert polygons["objects"][0]["polygons"][0]["outline"]
