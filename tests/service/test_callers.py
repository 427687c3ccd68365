from __future__ import annotations

import hashlib

import pytest

from seem_server.service.callers import Caller, line_of, make_token, read_callers
from seem_wire.errors import InvalidValue

TOKEN = "a-token"  # noqa: S105
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
FILE = f"""
# who may call
acme  ann       sha256:{DIGEST}   # her desk
acme  laptop-3  certificate:laptop-3.acme.example
"""
ANN, LAPTOP = Caller("acme", "ann"), Caller("acme", "laptop-3")


def test_a_token_and_a_certificate_each_name_their_caller():
    callers = read_callers(FILE)
    assert callers.with_token(TOKEN) == ANN
    assert callers.with_certificate(["other", "laptop-3.acme.example"]) == LAPTOP


@pytest.mark.parametrize("token", ["", "a-toke", "a-token ", DIGEST, f"sha256:{DIGEST}", "ä"])
def test_what_is_not_exactly_the_token_is_nobodys(token):
    assert read_callers(FILE).with_token(token) is None


def test_an_unknown_certificate_is_nobodys():
    assert read_callers(FILE).with_certificate(["laptop-4.acme.example"]) is None
    assert read_callers("").with_certificate(["x"]) is None


def test_every_token_is_compared_and_in_constant_time(monkeypatch):
    compared = []
    callers = read_callers("\n".join(line_of("acme", f"n{i}", f"token {i}") for i in range(5)))
    monkeypatch.setattr(
        "hmac.compare_digest", lambda one, other: compared.append(one) or one == other
    )
    assert callers.with_token("token 0") == Caller("acme", "n0")
    assert len(compared) == 5


@pytest.mark.parametrize(
    "line",
    [
        "acme ann",
        f"acme ann {TOKEN}",
        f"acme ann sha256:{DIGEST[:-1]}",
        f"acme ann sha256:{DIGEST} more",
        f"ac/me ann sha256:{DIGEST}",
        "acme ann certificate:",
        f"rival rob sha256:{DIGEST}",
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_its_number_and_never_repeated(line):
    with pytest.raises(InvalidValue, match="Line 5 ") as caught:
        read_callers(f"{FILE}{line}")
    assert "ann" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_made_token_has_256_bits_and_lets_in_by_its_line():
    tokens = {make_token() for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) == 43 for token in tokens)
    token = tokens.pop()
    line = line_of("acme", "ann@example", token)
    assert token not in line
    assert read_callers(line).with_token(token) == Caller("acme", "ann@example")


@pytest.mark.parametrize("name", ["", "a b", "#", "../x", "x" * 65, "ä"])
def test_a_name_that_could_not_be_read_back_is_refused(name):
    with pytest.raises(InvalidValue, match="is no name"):
        line_of(name, "ann", TOKEN)


def test_what_is_known_of_tokens_is_not_shown():
    assert DIGEST not in repr(read_callers(FILE))
    assert repr(bytes.fromhex(DIGEST)) not in repr(read_callers(FILE))
