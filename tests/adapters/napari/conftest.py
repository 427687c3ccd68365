"""One napari for all tests of a process; what was not tested for want of it is told at the end."""

from __future__ import annotations

import pytest

from seem_server.app import local_server
from seem_server.settings import Settings


@pytest.fixture(scope="session")
def viewer():
    import napari

    one = napari.Viewer(show=False)
    yield one
    one.close()


@pytest.fixture(scope="session")
def address():
    with local_server(Settings(bundle="fake")) as one:
        yield one


@pytest.fixture
def person(viewer, address):
    from napari_screen import Person

    one = Person(viewer, address)
    yield one
    one.leave()


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", ())
    if any("adapters/napari" in one.nodeid for one in skipped):
        terminalreporter.write_line(
            "THE PLUG-IN WAS NOT TESTED IN NAPARI: install napari and Xvfb (`make test-tools`).",
            yellow=True,
            bold=True,
        )
