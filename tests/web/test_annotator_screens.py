"""Pixels: which one is meant, and how they are drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from browsing import Person
from PIL import Image

pytestmark = pytest.mark.browser


def test_a_box_is_where_it_was_drawn(person):
    person.sample("cat")
    person.press("b")
    person.drag((0.3, 0.3), (0.6, 0.6))
    person.wait_for_mask()
    file, _ = person.saved("#save-coco")
    x, y, width, height = json.loads(file.read_text("utf-8"))["annotations"][0]["bbox"]
    scale = (
        person.page.evaluate("parseInt(document.querySelector('.zoom output').textContent)") / 100
    )
    stage = person.page.locator("#stage").bounding_box()
    assert width == pytest.approx(stage["width"] * 0.3 / scale, abs=8)  # a cell of the model
    assert height == pytest.approx(stage["height"] * 0.3 / scale, abs=8)
    left = (stage["width"] - 451 * scale) / 2
    assert x == pytest.approx((stage["width"] * 0.3 - left) / scale, abs=8)
    assert y > 0


def test_the_wheel_zooms_and_a_click_still_hits(person):
    person.sample("cat")
    person.page.mouse.move(*person.at(0.5, 0.5))
    person.page.mouse.wheel(0, -600)
    person.click(0.5, 0.5)
    person.wait_for_mask()
    middle = person.pixels()
    assert middle.shape[0] > 0
    person.press("0")
    annotation = json.loads(person.saved("#save-coco")[0].read_text("utf-8"))["annotations"][0]
    x, _, width, _ = annotation["bbox"]
    assert x + width / 2 == pytest.approx(451 / 2, abs=3)


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_a_click_means_the_pixel_under_it_on_any_screen(browser, url, tmp_path, ratio):
    file = tmp_path / "small.png"
    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(file)
    person = Person(browser, url, device_scale_factor=ratio)
    person.open(file)
    person.page.wait_for_selector("#latency")
    for number, (x, y) in enumerate([(0.5, 0.5), (39.5, 29.5), (17.5, 4.5)], start=1):
        person.click(*person.spot(x, y, (40, 30)))
        person.wait_until(lambda n=number: len(person.prompts()) == n)
        point = person.said().points[0]
        assert (point.x, point.y) == pytest.approx((x, y), abs=0.2)  # a pixel is 8 wide
    person.context.close()


def test_a_dense_screen_has_all_its_pixels_drawn(browser, url, tmp_path):
    file = tmp_path / "board.png"
    board = (np.indices((30, 40)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(file)
    person = Person(browser, url, device_scale_factor=2)
    person.open(file)
    person.page.wait_for_selector("#latency")
    seen = person.pixels()
    box = person.page.locator("#stage").bounding_box()
    assert seen.shape[:2] == (box["height"] * 2, box["width"] * 2)
    top, left = (int(box[side] - n * 8) for side, n in (("height", 30), ("width", 40)))
    inside = seen[top + 4 : top + 476, left + 4 : left + 636]
    assert set(np.unique(inside)) == {0, 255}  # nothing is smeared
    assert np.array_equal(inside[4::16, 4::16, 0], board)
    person.context.close()
