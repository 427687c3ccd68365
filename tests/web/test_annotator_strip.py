"""Several pictures, and what one of them shows of another."""

from __future__ import annotations

import pytest
from browsing import PHOTOS, changed

pytestmark = pytest.mark.browser


def test_an_example_finds_what_is_like_it(clicked):
    clicked.page.click("text=Take as example")
    clicked.page.click("button:has-text('Find alike')")
    clicked.wait_for_mask(2)


@pytest.fixture
def several(person):
    """Somebody who opened two pictures, and clicked on the first."""
    person.open(PHOTOS / "cat.jpg", PHOTOS / "coffee.jpg")
    person.page.wait_for_selector("#strip li:nth-child(2)")
    person.page.wait_for_selector(".file:text-is('cat.jpg')")
    person.click(0.4, 0.5)
    person.wait_for_mask()
    return person


def show(person, name):
    person.page.click(f"[data-sheet='{name}'] .page")
    person.page.wait_for_selector(f".file:text-is('{name}')")


def test_each_picture_of_several_has_its_own_objects_and_history(several):
    masked, area = several.pixels(), several.area()
    show(several, "coffee.jpg")
    assert several.facts().inner_text() == "nothing said yet"
    several.click(0.5, 0.4)
    several.wait_for_mask()
    several.press("[")
    several.page.wait_for_selector(".file:text-is('cat.jpg')")
    several.wait_for_area(lambda now: now == area)
    assert changed(masked, several.pixels()) == 0
    several.press("Control+z")
    several.page.wait_for_selector("button[title^='Undo']:disabled")
    several.press("]")
    several.page.wait_for_selector(".file:text-is('coffee.jpg')")
    several.wait_for_mask()


def test_who_turns_pages_faster_than_they_open_ends_at_the_last(several):
    area = several.area()
    for key in "]][]]]":
        several.press(key)
    several.page.wait_for_selector(".file:text-is('cat.jpg')")
    several.wait_for_area(lambda now: now == area)
    for _ in range(3):
        several.page.keyboard.press("]", delay=1)
    several.page.wait_for_selector(".file:text-is('coffee.jpg')")
    several.click(0.5, 0.4)
    several.wait_for_mask()
    several.page.hover("[data-sheet='coffee.jpg']")
    several.page.click("[aria-label='Close coffee.jpg']")
    several.wait_for_area(lambda now: now == area)
    assert several.page.locator(".veil").count() == 0


def test_an_example_of_one_picture_is_found_in_another(several):
    several.page.click("text=Take as example")
    several.page.wait_for_selector("#example:text-is('object 1 of cat.jpg')")
    show(several, "coffee.jpg")
    several.page.click("button:has-text('Find alike')")
    several.wait_for_mask()
    example = several.said().example
    assert example.image.encoded == (PHOTOS / "cat.jpg").read_bytes()
    assert (example.mask.width, example.mask.height) == (451, 300)


def test_several_pictures_are_there_after_a_reload_and_can_be_closed(several):
    area = several.area()
    several.page.reload()
    several.wait_for_area(lambda now: now == area)
    show(several, "coffee.jpg")  # it was never shown
    several.click(0.5, 0.4)
    several.wait_for_mask()
    several.page.hover("[data-sheet='coffee.jpg']")
    several.page.click("[aria-label='Close coffee.jpg']")
    several.wait_for_area(lambda now: now == area)
    assert several.page.locator("#strip").count() == 0  # one picture needs no strip


def test_pictures_of_several_sizes_are_no_video(several):
    assert several.page.locator("#as-video").is_disabled()


def test_an_unreadable_one_of_several_is_told_and_the_others_are_there(person, tmp_path):
    broken = tmp_path / "a.jpg"
    broken.write_text("not a picture", "utf-8")
    person.open(broken, PHOTOS / "cat.jpg", PHOTOS / "coffee.jpg")
    person.page.wait_for_selector("#notice.bad:has-text('cannot show a.jpg')")
    person.page.wait_for_selector("#strip li:nth-child(2)")
    person.click(0.4, 0.5)
    person.wait_for_mask()
