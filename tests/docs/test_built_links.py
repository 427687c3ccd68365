"""Links of a built site: what a person or a browser would miss is told."""

from __future__ import annotations

import pytest

from built_links import broken_links


@pytest.fixture
def site(tmp_path):
    (tmp_path / "b.html").write_text('<h2 id="here">B</h2>', "utf-8")
    (tmp_path / "a.png").write_bytes(b"")

    def write(html):
        (tmp_path / "a.html").write_text(html, "utf-8")
        return broken_links(tmp_path)

    return write


@pytest.mark.parametrize(
    "html",
    [
        '<a href="b.html">',
        '<a href="b.html#here">',
        '<a href="https://example.org">',
        '<img src="a.png">',
        '<p id="x"><a href="#x">',
    ],
)
def test_what_is_there_is_right(site, html):
    assert site(html) == []


@pytest.mark.parametrize(
    "html",
    [
        '<a href="c.html">',
        '<a href="b.html#gone">',
        '<a href="#gone">',
        '<img src="b.png">',
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
    ],
)
def test_what_is_not_there_or_comes_from_elsewhere_is_told(site, html):
    (told,) = site(html)
    assert told.startswith("a.html ")
