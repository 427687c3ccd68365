"""A browser and who sits before it; what was not tested for want of one is told at the end."""

from __future__ import annotations

import pytest
from browsing import Person, annotator, chromium


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


def pytest_terminal_summary(terminalreporter):
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", ())
        if "test_annotator" in report.nodeid
    ]
    if skipped:
        terminalreporter.write_line(
            "THE ANNOTATOR WAS NOT TESTED IN A BROWSER: install Chromium and playwright "
            "(`make test-tools`).",
            yellow=True,
            bold=True,
        )
