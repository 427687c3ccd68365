"""Without a mouse, and without seeing all of it."""

from __future__ import annotations

import numpy as np
import pytest
from accessibility import FOCUS, PALE

pytestmark = pytest.mark.browser


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


@pytest.mark.parametrize("key", ["s", "l"])
def test_lines_are_drawn_corner_by_corner_with_keys(person, key):
    person.sample("cat")
    person.press(key)
    person.page.focus("#stage")
    for keys in (
        "ArrowLeft",
        "Space",
        "Shift+ArrowRight",
        "Space",
        "ArrowUp",
        "Space",
        "Backspace",
    ):
        person.press(keys)
    for keys in ("Shift+ArrowDown", "Control+ArrowDown", "Enter"):
        person.press(keys)
    person.wait_for_mask()
    line = person.said().scribbles[0] if key == "s" else person.said().lassos[0]
    corners = np.reshape(line.xy, (-1, 2))
    assert len(corners) == 3
    assert not line.negative
    (right, _), (_, down) = corners[1] - corners[0], corners[2] - corners[1]
    assert right > 10
    assert down > 10


def test_the_cross_tells_where_it_is_and_goes_by_single_pixels(person):
    person.sample("cat")
    person.page.focus("#stage")
    person.press("Control+ArrowRight")
    where = person.page.locator("#where")
    assert where.inner_text() == "226, 150: no object"
    person.press("Control+ArrowLeft")
    person.press("Enter")
    person.wait_for_mask()
    person.wait_until(lambda: where.inner_text() == "225, 150: object 1")
    point = person.said().points[0]
    assert (point.x, point.y) == (225.5, 150)


def test_a_list_is_one_stop_and_arrows_go_on_in_it(clicked):
    clicked.press("n")
    clicked.page.focus("[aria-label='Choose object 1']")
    clicked.press("ArrowDown")
    clicked.press("Enter")
    clicked.page.wait_for_selector("[aria-label='Choose object 2'][aria-pressed='true']")
    clicked.page.focus(".tools button:first-child")
    clicked.press("ArrowDown")
    clicked.press("Space")
    clicked.page.wait_for_selector(".tool-box")
    assert clicked.page.locator(".tools [tabindex='0']").count() == 1


def test_whatever_has_the_focus_shows_it(clicked):
    clicked.page.evaluate("document.activeElement.blur()")
    seen = []
    for _ in range(30):
        clicked.press("Tab")
        seen.append(clicked.page.evaluate(FOCUS))
    assert all(shows for _, shows in seen if _ != "BODY")
    assert {"CANVAS", "BUTTON", "INPUT", "SELECT"} <= {name for name, _ in seen}


def test_all_text_can_be_read_on_its_ground(clicked):
    clicked.press("e")
    clicked.page.wait_for_selector("#segments li")
    assert clicked.page.evaluate(PALE) == []
    clicked.press("?")
    clicked.page.wait_for_selector("dialog")
    assert clicked.page.evaluate(PALE) == []


def test_what_happens_is_told_to_who_does_not_see_it(clicked):
    told = clicked.page.locator(".unseen[role='status']").first.inner_text()
    assert told.startswith("object 1: ")
    assert "px" in told
    assert clicked.page.locator(".notices[aria-live='polite']").count() == 1
