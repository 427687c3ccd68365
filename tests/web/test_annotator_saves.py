"""What is saved is what was drawn, as other programs read it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from browsing import PHOTOS
from PIL import Image
from pycocotools.coco import COCO

pytestmark = pytest.mark.browser


@pytest.fixture
def two(clicked):
    """Somebody who has two objects, which overlap; the second has a hole."""
    clicked.page.fill("[data-object='1'] .name", "cat")
    clicked.page.evaluate("document.activeElement.blur()")
    clicked.press("n")
    clicked.press("b")
    clicked.drag((0.3, 0.3), (0.7, 0.8))
    clicked.wait_for_mask(2)
    before = clicked.area(2)
    clicked.press("v")
    clicked.click(0.55, 0.6, button="right")
    clicked.wait_for_area(lambda area: area < before, 2)
    return clicked


def masks_of(two):
    """By object, as pycocotools reads them from the saved file."""
    coco = COCO(str(two.saved("#save-coco")[0]))
    return [coco.annToMask(one).astype(bool) for one in coco.loadAnns(coco.getAnnIds())]


def test_coco_says_of_each_mask_what_is_true_of_it(two):
    coco = COCO(str(two.saved("#save-coco")[0]))
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == ["cat", "thing"]
    (image,) = coco.loadImgs(coco.getImgIds())
    with Image.open(PHOTOS / "cat.jpg") as photo:
        assert (image["file_name"], image["width"], image["height"]) == ("cat.jpg", *photo.size)
    for object_id, one in enumerate(coco.loadAnns(coco.getAnnIds()), start=1):
        mask = coco.annToMask(one)
        rows, columns = np.nonzero(mask)
        left, top = columns.min(), rows.min()
        size = [columns.max() + 1 - left, rows.max() + 1 - top]
        assert one["bbox"] == [left, top, *size]
        assert one["area"] == mask.sum() == two.area(object_id)


def test_what_nobody_named_is_called_as_the_model_calls_it(two):
    two.page.fill("[data-object='2'] .name", "object 2")
    (first, second) = json.loads(two.saved("#save-polygons")[0].read_text("utf-8"))["objects"]
    assert (first["name"], second["name"]) == ("cat", "thing")
    two.page.fill("[data-object='2'] .name", "ear")
    (_, second) = json.loads(two.saved("#save-polygons")[0].read_text("utf-8"))["objects"]
    assert second["name"] == "ear"


def test_a_png_has_each_objects_number_and_the_lower_where_they_overlap(two):
    first, second = masks_of(two)
    png, name = two.saved("#save-png")
    assert name == "cat-masks.png"
    assert (first & second).any()
    with Image.open(png) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), np.where(first, 1, np.where(second, 2, 0)))


def test_polygons_filled_and_with_their_holes_cut_out_are_the_masks(two):
    document = json.loads(two.saved("#save-polygons")[0].read_text("utf-8"))
    size = document["width"], document["height"]
    holes = 0
    for mask, one in zip(masks_of(two), document["objects"], strict=True):
        drawn = np.zeros(size[::-1], bool)
        for polygon in one["polygons"]:
            inside = filled(polygon["outline"], size)
            holes += len(polygon["holes"])
            for hole in polygon["holes"]:
                inside &= ~filled(hole, size)
            drawn |= inside
        assert np.array_equal(drawn, mask)
    assert holes > 0


def filled(loop, size):
    """The pixels whose centres a loop along pixel edges goes around."""
    crossed = np.zeros((size[1], size[0] + 1), bool)  # by a vertical edge on a pixel's left
    for (x0, y0), (x1, y1) in zip(loop, [*loop[1:], loop[0]], strict=True):
        if x0 == x1:
            crossed[min(y0, y1) : max(y0, y1), x0] ^= True
    return np.logical_xor.accumulate(crossed, axis=1)[:, :-1]
