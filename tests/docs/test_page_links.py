"""Links of the repository's files, as the site has them."""

from __future__ import annotations

import pytest

from page_links import LinkBroken, rewritten

PAGES = {"SECURITY.md": "security.md", "docs/cvat.md": "cvat.md", "README.md": "readme.md"}
THERE = {"deploy/alerts.yml", "clients/web"}


def shown(text, at="README.md"):
    return rewritten(text, at=at, pages=PAGES, exists=THERE.__contains__)


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("[a](SECURITY.md)", "README.md", "[a](security.md)"),
        ("[a](../SECURITY.md#left)", "docs/cvat.md", "[a](security.md#left)"),
        ("[a](docs/cvat.md)", "README.md", "[a](cvat.md)"),
        ("[a](#here) [b](https://x.org/y)", "README.md", "[a](#here) [b](https://x.org/y)"),
        ("[clients/web](clients/web)", "README.md", "`clients/web`"),
        ("[alerts](deploy/alerts.yml)", "README.md", "alerts (`deploy/alerts.yml`)"),
    ],
)
def test_a_link_leads_to_the_page_or_names_the_file(text, at, expected):
    assert shown(text, at) == expected


def test_code_is_left_alone():
    code = "```python\nfound[a](b)\n```"
    assert shown(f"{code}\n[a](SECURITY.md)\n{code}\n") == f"{code}\n[a](security.md)\n{code}\n"


def test_pictures_are_left_alone():
    assert shown("![a](images/a.jpg)") == "![a](images/a.jpg)"


def test_a_link_to_nothing_is_refused():
    with pytest.raises(LinkBroken, match=r"README\.md links to gone\.md"):
        shown("[a](gone.md)")
