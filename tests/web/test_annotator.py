"""End to end: a person, Chromium, the gateway, gRPC and a server."""

from __future__ import annotations

import json

import numpy as np
import pytest
from browsing import PHOTOS, Person, annotator, changed, chromium
from made_videos import made_video
from PIL import Image

from seem_server.service.callers import line_of
from seem_wire import rle

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def url(tmp_path_factory, browser):  # noqa: ARG001  (without a browser there is nothing to serve)
    with annotator(tmp_path_factory.mktemp("served")) as (_, where):
        yield where


@pytest.fixture
def person(browser, url):
    one = Person(browser, url)
    yield one
    one.context.close()
    assert not one.complaints


@pytest.fixture
def clicked(person):
    """Somebody who opened the sample and clicked on it."""
    person.sample("cat")
    person.click(0.4, 0.5)
    person.wait_for_mask()
    return person


def until(holds):
    """Looks again until something holds."""
    for _ in range(1000):
        if holds():
            return
    raise AssertionError("it never came to hold")


def test_a_click_changes_the_pixels_and_undo_changes_them_back(person):
    person.sample("cat")
    plain = person.pixels()
    person.click(0.4, 0.5)
    person.wait_for_mask()
    masked = person.pixels()
    assert changed(plain, masked) > 5000
    person.press("Control+z")
    person.page.wait_for_selector("button[title^='Undo']:disabled")
    assert changed(plain, person.pixels()) == 0
    person.press("Control+Shift+Z")
    person.wait_for_mask()
    assert changed(masked, person.pixels()) == 0


def test_the_right_button_takes_away(clicked):
    before = clicked.area()
    clicked.click(0.43, 0.5, button="right")
    clicked.wait_for_area(lambda area: area < before)


@pytest.mark.parametrize("key", ["b", "l", "s"])
def test_boxes_lassos_and_scribbles_are_drawn(person, key):
    person.sample("cat")
    person.press(key)
    if key == "l":
        x, y = person.at(0.3, 0.3)
        person.page.mouse.move(x, y)
        person.page.mouse.down()
        for step in [(200, 0), (200, 150), (0, 150)]:
            person.page.mouse.move(x + step[0], y + step[1], steps=5)
        person.page.mouse.up()
    else:
        person.drag((0.3, 0.3), (0.6, 0.6))
    person.wait_for_mask()


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


def test_words_find_an_object(person):
    person.sample("cat")
    person.press("w")
    person.page.keyboard.type("a cat")
    person.press("Enter")
    person.wait_for_mask()


def test_everything_is_found_with_labels_and_can_be_kept(person):
    person.sample("cat")
    person.press("e")
    person.page.wait_for_selector("#segments li")
    assert person.page.locator("#segments .label").all_inner_texts()[0]
    person.page.click("#segments li:first-child button")
    person.wait_for_mask()
    assert person.page.locator("[data-object='1'] .name").input_value() == "thing"


def test_an_example_finds_what_is_like_it(clicked):
    clicked.page.click("text=Take as example")
    clicked.page.click("button:has-text('Find alike')")
    clicked.wait_for_mask(2)


def test_several_objects_have_names_and_can_be_hidden_locked_and_deleted(clicked):
    masked = clicked.pixels()
    clicked.press("n")
    clicked.page.fill("[data-object='2'] .name", "ear")
    clicked.click(0.6, 0.3)
    clicked.wait_for_mask(2)
    clicked.page.click("[aria-label='Hide ear']")
    clicked.page.click("[aria-label='Choose object 1']")
    assert changed(masked, clicked.pixels()) == 0
    clicked.page.click("[aria-label='Lock object 1']")
    clicked.click(0.5, 0.6)
    clicked.page.wait_for_selector("#notice.bad")
    assert "object 1 is locked" in clicked.says()
    clicked.page.click("[aria-label='Delete ear']")
    clicked.page.wait_for_selector("[data-object='2']", state="detached")
    clicked.page.click("button[title^='Undo']")
    clicked.wait_for_mask(2)


def test_an_object_is_undone_and_redone_along_its_own_way(clicked):
    clicked.press("n")
    clicked.click(0.6, 0.3)
    clicked.wait_for_mask(2)
    clicked.page.click("[aria-label='Undo object 1']")
    clicked.page.wait_for_selector("[data-object='1'] .facts:text-is('nothing said yet')")
    assert clicked.area(2) > 0
    assert clicked.page.locator("[aria-label='Undo object 1']").is_disabled()
    clicked.click(0.3, 0.6)  # on object 1, which leaves object 2 to be undone, and nothing to redo
    clicked.wait_for_mask(1)
    assert clicked.page.locator("[aria-label='Redo object 1']").is_disabled()
    clicked.page.click("[aria-label='Choose object 2']")
    clicked.press("z")
    clicked.page.wait_for_selector("[data-object='2'] .facts:text-is('nothing said yet')")
    clicked.press("Shift+Z")
    clicked.wait_for_mask(2)
    for _ in range(2):
        clicked.press("Control+z")
    clicked.page.wait_for_selector("button[title^='Undo']:disabled")


def test_one_object_of_all_that_were_cleared_comes_back(clicked):
    clicked.press("n")
    clicked.click(0.6, 0.3)
    clicked.wait_for_mask(2)
    clicked.page.click("button[title^='Forget all']")
    clicked.page.wait_for_selector("[data-object='1']", state="detached")
    clicked.press("Control+z")
    clicked.wait_for_mask(2)
    clicked.wait_for_mask(1)
    clicked.page.click("[aria-label='Lock object 1']")
    assert clicked.page.locator("[aria-label='Undo object 1']").is_disabled()
    clicked.page.click("[aria-label='Choose object 1']")
    clicked.press("z")
    clicked.page.wait_for_selector("#notice.bad")
    assert "locked" in clicked.says()


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


def test_a_reload_goes_on_where_it_was(clicked):
    masked, area = clicked.pixels(), clicked.area()
    clicked.page.reload()
    clicked.wait_for_mask()
    assert clicked.area() == area
    assert changed(masked, clicked.pixels()) == 0
    clicked.click(0.6, 0.4)
    clicked.wait_for_area(lambda now: now > area)
    clicked.press("Control+z")
    clicked.wait_for_area(lambda now: now == area)
    clicked.press("Control+z")  # also what was said before the reload
    clicked.page.wait_for_selector("button[title^='Undo']:disabled")


def test_everything_a_mouse_does_a_keyboard_does(person):
    person.sample("cat")
    person.page.focus("#stage")
    for key in ("ArrowLeft", "Enter"):
        person.press(key)
    person.wait_for_mask()
    before = person.area()
    for key in ("Shift+ArrowRight", "Shift+Enter"):
        person.press(key)
    person.wait_for_area(lambda area: area < before)
    person.press("n")
    person.press("b")
    for key in ("Enter", *["Shift+ArrowDown"] * 5, *["Shift+ArrowRight"] * 5, "Enter"):
        person.press(key)
    person.wait_for_mask(2)


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


def test_a_preview_shows_what_a_click_would_do_and_says_nothing(person):
    person.sample("cat")
    plain = person.pixels()
    person.page.mouse.move(*person.at(0.4, 0.5))
    until(lambda: changed(plain, person.seen()) > 1000)
    assert person.page.locator("button[title^='Undo']").is_disabled()
    assert changed(plain, person.pixels()) == 0  # the pointer left


def test_a_file_that_is_no_picture_is_told(person, tmp_path):
    file = tmp_path / "notes.jpg"
    file.write_text("not a picture", "utf-8")
    with person.page.expect_file_chooser() as chooser:
        person.page.click("text=Open…")
    chooser.value.set_files(str(file))
    person.page.wait_for_selector("#notice.bad")
    assert "cannot show notes.jpg" in person.says()


def test_a_refused_prompt_is_told_in_the_servers_words(person):
    person.sample("cat")
    person.click(0.4, 0.5, button="right")
    person.page.wait_for_selector("#notice.bad")
    assert "negative" in person.says().lower() or "not" in person.says()
    assert person.page.locator("button[title^='Undo']").is_disabled()


def test_it_says_where_the_model_runs_and_how_long_it_took(clicked):
    assert "FAKE" in clicked.page.locator("#device").inner_text()
    assert "server" in clicked.page.locator("#latency").inner_text()


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


def test_a_server_that_comes_back_is_gone_on_with(browser, tmp_path):
    with annotator(tmp_path) as (server, where):
        person = Person(browser, where)
        person.sample("cat")
        person.click(0.4, 0.5)
        person.wait_for_mask()
        area = person.area()
        server.kill()
        person.page.wait_for_selector("#away:has-text('cannot be reached')")
        person.click(0.6, 0.3)  # said while nobody listens
        server.start()
        person.wait_for_area(lambda now: now > area)
        assert person.page.locator("#connection.open").count() == 1
        person.context.close()


def test_a_session_that_the_server_forgot_begins_anew_with_the_same_picture(browser, tmp_path):
    with annotator(tmp_path) as (server, where):
        person = Person(browser, where)
        person.sample("cat")
        person.click(0.4, 0.5)
        person.wait_for_mask()
        server.kill()
        for file in tmp_path.glob("sessions.sqlite*"):
            file.unlink()
        server.start()
        person.page.wait_for_selector("#notice.bad:has-text('the picture is open again')")
        assert person.facts().inner_text() == "nothing said yet"
        person.click(0.4, 0.5)
        person.wait_for_mask()
        person.context.close()
        assert not person.complaints


def test_a_session_that_was_taken_over_can_be_taken_back(clicked):
    copied = clicked.page.evaluate("sessionStorage.getItem('seem-session')")
    url = clicked.page.url
    other = clicked.context.new_page()
    other.add_init_script(f"sessionStorage.setItem('seem-session', {json.dumps(copied)})")
    other.goto(url)
    other.wait_for_selector("[data-object='1'] .facts:has-text('px')")
    clicked.page.wait_for_selector("text=Open somewhere else")
    other.close()
    clicked.page.click("text=Take it back")
    clicked.page.wait_for_selector("#connection.open")
    clicked.click(0.6, 0.3)
    clicked.wait_for_area(lambda area: area > 0)


def test_a_server_that_wants_a_token_is_given_one(browser, tmp_path):
    callers = tmp_path / "callers"
    callers.write_text(line_of("acme", "ann", "secret-token") + "\n", "utf-8")
    with annotator(tmp_path, flags=("--tokens-file", str(callers))) as (_, where):
        page = browser.new_page()
        page.goto(where)
        page.fill("#token", "wrong")
        page.press("#token", "Enter")
        page.wait_for_selector("#connection.locked")
        page.fill("#token", "secret-token")
        page.press("#token", "Enter")
        page.wait_for_selector("#connection.open")
        assert "secret-token" not in page.url
        page.close()


def test_the_shipped_model_cuts_out_the_cat(browser, tmp_path):
    with annotator(tmp_path, bundle="lite") as (_, where):
        person = Person(browser, where)
        person.open(PHOTOS / "cat.jpg")
        person.page.wait_for_selector("#latency")
        person.click(0.4, 0.5)
        person.wait_for_mask()
        assert person.area() > 60_000
        assert "CPU" in person.page.locator("#device").inner_text()
        person.context.close()


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
        until(lambda: int(person.page.locator("#frame").input_value()) >= 2)
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
