"""The pictures of docs/annotator.md, taken from the page as it is.

SEEM_SCREENSHOTS=docs/images python -m pytest tests/web/test_screenshots.py -m slow
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from browsing import PHOTOS, Person, annotator
from made_videos import made_video
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOST_BYTES = 250_000
COLOURS = 256


@pytest.fixture
def folder(tmp_path):
    """Where the pictures go; nowhere, unless it is said."""
    named = Path(os.environ.get("SEEM_SCREENSHOTS", tmp_path / "images"))
    named.mkdir(parents=True, exist_ok=True)
    return named


@pytest.fixture(scope="module")
def lite(tmp_path_factory, browser):  # noqa: ARG001  (without a browser there is nothing to serve)
    with annotator(tmp_path_factory.mktemp("served"), bundle="lite") as (_, where):
        yield where


@pytest.fixture
def person(browser, lite):
    one = Person(browser, lite, viewport={"width": 1180, "height": 680})
    yield one
    one.context.close()
    assert not one.complaints


def taken(person, file):
    """Writes what the page shows, in few colours."""
    person.page.mouse.move(5, 400)  # no preview
    person.page.wait_for_timeout(200)  # what was said last is drawn
    image = Image.open(io.BytesIO(person.page.screenshot())).convert("RGB")
    image.quantize(COLOURS).save(file, optimize=True)
    assert file.stat().st_size < MOST_BYTES


def test_a_click_and_its_mask(person, folder):
    person.sample("cat")
    person.click(0.4, 0.5)
    person.wait_for_mask()
    person.page.fill("[data-object='1'] .name", "cat")
    person.page.evaluate("document.activeElement.blur()")
    taken(person, folder / "annotator.png")


def test_everything(person, folder):
    person.open(*(PHOTOS / f"{name}.jpg" for name in ("astronaut", "cat", "coffee", "pagoda")))
    person.page.wait_for_selector("#strip li:nth-child(4)")
    person.page.wait_for_selector("#latency")
    person.press("e")
    person.page.wait_for_selector("#segments li:nth-child(2)")
    taken(person, folder / "annotator-everything.png")


def test_a_video_that_is_followed(person, folder, tmp_path):
    with Image.open(PHOTOS / "coffee.jpg") as photo:
        pixels = np.asarray(photo)
    clip = made_video(
        tmp_path / "coffee.mp4", 16, draw=lambda n: pixels[40:360, 10 * n : 10 * n + 440]
    )
    person.open(clip)
    person.page.wait_for_selector(".file:text-is('coffee.mp4')")
    person.click(0.56, 0.25)
    person.wait_for_mask()
    person.page.click("#follow")
    person.page.wait_for_selector(".timeline output:has-text('16 / 16')")
    person.page.wait_for_selector("#follow")
    person.page.fill("#frame", "9")
    person.page.wait_for_selector(".timeline output:has-text('10 / 16')")
    taken(person, folder / "annotator-video.png")
