from __future__ import annotations

import pytest

from seem_server.web.origins import is_welcome


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8080", "localhost:8080"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("https://192.0.2.7", "192.0.2.7"),
    ],
)
def test_a_page_of_the_gateway_itself_is_welcome(origin, host):
    assert is_welcome(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "localhost:8080"),  # no browser, or one that will not tell
        ("null", "localhost:8080"),  # a sandboxed page, or a file
        ("http://evil.example", "localhost:8080"),
        ("http://localhost:3000", "localhost:8080"),  # another program on this machine
        ("http://evil.example:8080", "evil.example:8080"),  # a name that was made to point here
        ("http://localhost.evil.example:8080", "localhost.evil.example:8080"),
        ("ftp://localhost:8080", "localhost:8080"),
        ("http://[::1", "[::1"),
        ("http://localhost:8080", None),
    ],
)
def test_any_other_page_is_not(origin, host):
    assert not is_welcome(origin, host)


def test_a_name_is_welcome_once_the_operator_lists_it():
    named = {"https://annotate.example.org"}
    assert is_welcome("https://annotate.example.org", "gateway:8080", named)
    assert not is_welcome("http://annotate.example.org", "gateway:8080", named)
