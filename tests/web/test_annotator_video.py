"""Frames: followed, cancelled, corrected, and looked at one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from browsing import Person, annotator
from made_videos import made_video
from PIL import Image

pytestmark = pytest.mark.browser


def test_frames_are_followed_saved_and_there_after_a_reload(person, tmp_path):
    files = []
    for index in range(6):
        files.append(tmp_path / f"{index:02}.png")
        frame = np.full((96, 128, 3), 40, np.uint8)
        frame[30:60, 20 + 8 * index : 50 + 8 * index] = (250, 180, 20)
        Image.fromarray(frame).save(files[-1])
    person.open(*files)
    person.page.click("#as-video")
    person.page.wait_for_selector(".timeline output:has-text('/ 6')")
    person.page.wait_for_selector(".file:text-is('6 images')")
    person.press("b")
    person.drag(person.spot(20, 30, (128, 96)), person.spot(50, 60, (128, 96)))
    person.wait_for_mask()
    person.page.click("#follow")
    person.page.wait_for_selector(".timeline output:has-text('6 / 6')")
    person.page.wait_for_selector("#follow")
    person.page.fill("#frame", "3")
    person.page.wait_for_selector(".timeline output:has-text('4 / 6')")
    person.wait_for_mask()
    document = json.loads(person.saved("#save-coco")[0].read_text("utf-8"))
    assert len(document["images"]) == 6
    assert document["images"][2]["frame_index"] == 2
    assert {one["track_id"] for one in document["annotations"]} == {1}
    person.page.reload()
    person.page.wait_for_selector(".timeline output:has-text('4 / 6')")
    person.wait_for_mask()


def test_what_is_in_one_frame_of_a_video_is_found_and_kept(person, tmp_path):
    files = []
    for index in range(3):
        files.append(tmp_path / f"{index}.png")
        frame = np.full((96, 128, 3), 40, np.uint8)
        frame[30:60, 20 + 8 * index : 50 + 8 * index] = (250, 180, 20)
        Image.fromarray(frame).save(files[-1])
    person.open(*files)
    person.page.click("#as-video")
    person.page.wait_for_selector(".file:text-is('3 images')")
    person.page.fill("#frame", "1")
    person.page.wait_for_selector(".timeline output:has-text('2 / 3')")
    person.press("e")
    person.page.wait_for_selector("#segments li")
    person.page.click("#keep-all")
    person.wait_for_mask()
    assert {one.frame for one in person.prompts()} == {1}
    person.page.fill("#frame", "0")
    person.page.wait_for_selector(".timeline output:has-text('1 / 3')")
    assert person.page.locator("#segments").count() == 0


def test_a_video_is_followed_cancelled_and_corrected(browser, tmp_path):
    def moving(number):
        frame = np.full((96, 128, 3), 40, np.uint8)
        frame[30:60, 20 + 2 * number : 50 + 2 * number] = (250, 180, 20)
        return frame

    clip = made_video(tmp_path / "clip.mp4", 24, draw=moving)
    size = (128, 96)
    with annotator(tmp_path, flags=("--fake-decode-s", "0.25")) as (_, where):
        person = Person(browser, where)
        person.open(clip)
        person.page.wait_for_selector(".file:text-is('clip.mp4')")
        assert person.page.locator("#frame").get_attribute("max") == "23"
        person.press("b")
        person.drag(person.spot(20, 30, size), person.spot(50, 60, size))
        person.wait_for_mask()
        person.page.click("#follow")
        person.wait_until(lambda: int(person.page.locator("#frame").input_value()) >= 2)
        person.page.click("#stop")
        person.page.wait_for_selector("#follow")
        stopped_at = int(person.page.locator("#frame").input_value())
        assert 2 <= stopped_at < 23
        before = person.area()
        person.press("v")
        person.click(*person.spot(110, 80, size))  # this, too
        person.wait_for_area(lambda area: area > before)
        person.press("Control+z")
        person.wait_for_area(lambda area: area == before)
        person.context.close()
        assert not person.complaints
