"""The annotator in another browser than Chromium, on a dense screen."""

from __future__ import annotations

import pytest
from firefox import firefox
from sites import site

pytestmark = pytest.mark.browser

SPOT = "document.querySelector('.pixel').textContent"
FACTS = "document.querySelector('[data-object=\"1\"] .facts').textContent"
MASKED = f"document.querySelector('[data-object=\"1\"] .facts') && {FACTS}.includes('px')"
ARROW_LEFT = "\ue012"
ENTER = "\ue007"


async def test_a_person_with_firefox_clicks_corrects_undoes_and_reloads(tmp_path):
    async with firefox(tmp_path) as tab, site() as (url, _):
        await tab.go(url)
        assert await tab.js("devicePixelRatio") == 2
        await tab.wait_for("document.querySelector('#connection.open')")
        await tab.js("document.querySelector('#sample-cat').click()")
        await tab.wait_for("document.querySelector('#latency')")
        stage = "document.querySelector('#stage').getBoundingClientRect()"
        left, top = await tab.js(f"{stage}.left"), await tab.js(f"{stage}.top")
        x = round(left + await tab.js(f"{stage}.width") / 2)
        y = round(top + await tab.js(f"{stage}.height") / 2)
        await tab.click(x, y)
        await tab.wait_for(MASKED)
        spot = [int(one) for one in (await tab.js(SPOT)).split(", ")]
        assert spot == pytest.approx([225, 150], abs=1)  # the middle of 451 x 300
        before = await tab.js(FACTS)
        await tab.click(x + 30, y, button=2)
        await tab.wait_for(f"{MASKED} && {FACTS} !== {before!r}")
        await tab.js("document.querySelector(\"button[title^='Undo']\").click()")
        await tab.wait_for(f"{FACTS} === {before!r}")
        await tab.reload()
        await tab.wait_for(f"{MASKED} && {FACTS} === {before!r}")
        await tab.js("document.querySelector('#stage').focus()")
        for key in (*[ARROW_LEFT] * 12, ENTER):
            await tab.press(key)
        await tab.wait_for(f"{FACTS} !== {before!r}")
