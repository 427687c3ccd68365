from __future__ import annotations

import pytest

from seem_server.web.origins import is_welcome


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8010", "localhost:8010"),
        ("http://127.0.0.1:8010", "127.0.0.1:8010"),
        ("http://[::1]:8010", "[::1]:8010"),
        ("https://192.0.2.7", "192.0.2.7"),
    ],
)
def test_a_page_of_the_gateway_itself_is_welcome(origin, host):
    assert is_welcome(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "localhost:8010"),  # no browser, or one that will not tell
        ("null", "localhost:8010"),  # a sandboxed page, or a file
        ("http://evil.example", "localhost:8010"),
        ("http://localhost:3000", "localhost:8010"),  # another program on this machine
        ("http://evil.example:8010", "evil.example:8010"),  # a name that was made to point here
        ("http://localhost.evil.example:8010", "localhost.evil.example:8010"),
        ("ftp://localhost:8010", "localhost:8010"),
        ("http://[::1", "[::1"),
        ("http://localhost:8010", None),
    ],
)
def test_any_other_page_is_not(origin, host):
    assert not is_welcome(origin, host)


def test_a_name_is_welcome_once_the_operator_lists_it():
    named = {"https://annotate.example.org"}
    assert is_welcome("https://annotate.example.org", "gateway:8010", named)
    assert not is_welcome("http://annotate.example.org", "gateway:8010", named)
