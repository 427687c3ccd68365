"""A real Chromium before a real server, and what a person does in it."""

from __future__ import annotations

import io
import shutil
import socket
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from served_process import serving

from seem_wire.v1 import seem_pb2 as pb

PHOTOS = Path(__file__).parents[2] / "clients/demo/photos"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
LAPTOP = {"width": 1366, "height": 768}
PATIENCE_MS = 20_000


@contextmanager
def annotator(folder, *, bundle="fake", flags=()):
    """`seem serve --web-port` in a process of its own, and the annotator's URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ("--web-port", str(port), "--log-level", "error", *flags)
    with serving(folder, bundle=bundle, flags=flags) as server:
        yield server, f"http://localhost:{port}"


@contextmanager
def chromium():
    """A headless Chromium; the test is skipped, and says why, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make test-tools")
    if CHROMIUM is None:
        pytest.skip("NO CHROMIUM, the annotator is not tested: make test-tools")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Person:
    """Who sits before a page. What goes wrong on it ends up in `complaints`."""

    def __init__(self, browser, url, *, first_time=False, **screen):
        screen = {"viewport": LAPTOP, **screen}
        self.context = browser.new_context(accept_downloads=True, **screen)
        if not first_time:
            self.context.add_init_script("localStorage.setItem('seem-seen', 'yes')")
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.commands = []
        self.page.on("websocket", lambda one: one.on("framesent", self._hear))
        self.page.goto(url)
        self.page.wait_for_selector("#connection.open")

    def _hear(self, payload):
        if isinstance(payload, bytes):  # the first frame is text: who asks
            self.commands.append(pb.Command.FromString(payload))

    def prompts(self):
        """What the page said of objects."""
        return [one.prompt for one in self.commands if one.WhichOneof("kind") == "prompt"]

    def said(self):
        """What it said last of one."""
        return self.prompts()[-1].objects[0]

    def wait_until(self, holds):
        """Looks again until something holds."""
        for _ in range(PATIENCE_MS // 20):
            if holds():
                return
            self.page.wait_for_timeout(20)
        raise AssertionError("it never came to hold")

    def open(self, *files):
        with self.page.expect_file_chooser() as chooser:
            self.page.click("text=Open…")
        chooser.value.set_files([str(file) for file in files])
        self.page.wait_for_selector(".zoom")

    def sample(self, name):
        self.page.click(f"#sample-{name}")
        self.page.wait_for_selector("#latency")

    def at(self, across, down):
        """A place on the screen, by shares of the picture's area on it."""
        box = self.page.locator("#stage").bounding_box()
        return box["x"] + box["width"] * across, box["y"] + box["height"] * down

    def spot(self, x, y, size):
        """Where a pixel of a picture of `size` (width, height) is while all of it is in view."""
        box = self.page.locator("#stage").bounding_box()
        scale = min((box["width"] - 48) / size[0], (box["height"] - 48) / size[1], 8)
        left, top = (
            (box[side] - n * scale) / 2 for side, n in zip(("width", "height"), size, strict=True)
        )
        return (left + x * scale) / box["width"], (top + y * scale) / box["height"]

    def click(self, across, down, **options):
        self.page.mouse.click(*self.at(across, down), **options)

    def drag(self, start, end, **options):
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down(**options)
        for share in (0.25, 0.5, 0.75, 1):
            steps = [s + (e - s) * share for s, e in zip(start, end, strict=True)]
            self.page.mouse.move(*self.at(*steps))
        self.page.mouse.up(**options)

    def facts(self, object_id=1):
        """What the list says of an object, once it says something."""
        return self.page.locator(f"[data-object='{object_id}'] .facts")

    def wait_for_mask(self, object_id=1):
        self.page.wait_for_selector(f"[data-object='{object_id}'] .facts:has-text('px')")

    def area(self, object_id=1):
        text = self.facts(object_id).inner_text()
        return int(text.split(" px")[0].split("· ")[-1].replace(",", ""))

    def wait_for_area(self, wanted, object_id=1):
        """Until the area is what `wanted` is true of."""
        self.wait_until(
            lambda: " px" in self.facts(object_id).inner_text() and wanted(self.area(object_id))
        )

    def pixels(self):
        """The picture as it is on the screen, uint8 (H, W, 3)."""
        self.page.mouse.move(5, 400)  # no preview
        self.page.wait_for_timeout(80)  # a frame is drawn
        return self.seen()

    def seen(self):
        """The same, with what a resting pointer brings up."""
        image = Image.open(io.BytesIO(self.page.locator("#stage").screenshot()))
        return np.asarray(image.convert("RGB")).astype(int)

    def press(self, keys):
        self.page.keyboard.press(keys)

    def says(self):
        return self.page.locator("#notice").inner_text()

    def saved(self, button):
        with self.page.expect_download() as download:
            self.page.click(button)
        return Path(download.value.path()), download.value.suggested_filename


def changed(before, after):
    """How many pixels differ visibly."""
    return int((np.abs(before - after).max(axis=2) > 8).sum())
