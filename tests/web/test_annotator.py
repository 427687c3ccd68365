"""End to end: a person, Chromium, the gateway, gRPC and a server."""

from __future__ import annotations

import pytest
from browsing import Person, changed

pytestmark = pytest.mark.browser


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


def test_a_preview_shows_what_a_click_would_do_and_says_nothing(person):
    person.sample("cat")
    plain = person.pixels()
    person.page.mouse.move(*person.at(0.4, 0.5))
    person.wait_until(lambda: changed(plain, person.seen()) > 1000)
    assert person.page.locator("button[title^='Undo']").is_disabled()
    assert changed(plain, person.pixels()) == 0  # the pointer left


def test_a_preview_is_given_up_when_the_pointer_goes_on(person):
    person.sample("cat")
    person.page.route("**/segment", lambda _: None)  # never answered
    with person.page.expect_request("**/segment"):
        person.page.mouse.move(*person.at(0.4, 0.5))
    with person.page.expect_event("requestfailed", lambda one: one.url.endswith("/segment")):
        person.page.mouse.move(*person.at(0.5, 0.5))


def test_it_says_where_the_model_runs_and_how_long_it_took(clicked):
    assert "FAKE" in clicked.page.locator("#device").inner_text()
    assert "server" in clicked.page.locator("#latency").inner_text()


def test_a_line_helps_who_is_here_for_the_first_time_and_then_goes(browser, url):
    person = Person(browser, url, first_time=True)
    person.sample("cat")
    hint = person.page.locator("#hint")
    assert "Click" in hint.inner_text()
    person.click(0.4, 0.5)
    person.page.wait_for_selector("#hint:has-text('Right-click')")
    person.click(0.6, 0.3)
    hint.wait_for(state="detached")
    person.page.reload()
    person.wait_for_mask()
    assert hint.count() == 0
    person.context.close()
