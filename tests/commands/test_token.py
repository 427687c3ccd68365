from __future__ import annotations

import json
import re

from seem_server import cli
from seem_server.service.callers import Caller, read_callers


def test_a_token_is_told_once_and_its_line_lets_it_in(capsys):
    assert cli.main(["token", "acme", "--subject", "ann"]) == cli.DONE
    printed = capsys.readouterr()
    token = re.search(r": (\S+)$", printed.err.strip())[1]
    assert read_callers(printed.out).with_token(token) == Caller("acme", "ann")
    assert token not in printed.out


def test_a_program_gets_token_and_line_in_one_document(capsys):
    assert cli.main(["token", "acme", "--json"]) == cli.DONE
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert read_callers(told["line"]).with_token(told["token"]) == Caller("acme", "token")
    assert printed.err == ""


def test_no_two_are_the_same(capsys):
    for _ in range(2):
        cli.main(["token", "acme"])
    assert len(set(capsys.readouterr().out.splitlines())) == 2


def test_a_tenant_that_cannot_stand_in_the_file_is_wrong_use(capsys):
    assert cli.main(["token", "a b"]) == cli.MISUSED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "'a b' is no name" in printed.err
