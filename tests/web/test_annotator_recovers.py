"""Reloads, lost servers and sessions, and what cannot be used."""

from __future__ import annotations

import json

import pytest
from browsing import PHOTOS, Person, annotator, changed

from seem_server.service.callers import line_of

pytestmark = pytest.mark.browser


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


def test_names_colours_locks_and_hiding_are_there_after_a_reload(clicked):
    clicked.page.fill("[data-object='1'] .name", "cat")
    clicked.page.fill("[aria-label='Colour of cat']", "#123456")
    clicked.page.click("[aria-label='Lock cat']")
    clicked.page.click("[aria-label='Hide cat']")
    clicked.page.reload()
    clicked.wait_for_mask()
    assert clicked.page.locator("[aria-label='Unlock cat'][aria-pressed='true']").count() == 1
    assert clicked.page.locator("[aria-label='Show cat'][aria-pressed='true']").count() == 1
    assert clicked.page.locator("[aria-label='Colour of cat']").input_value() == "#123456"


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
