from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seem_server import cli
from seem_server.commands import info
from seem_wire import errors


@pytest.fixture
def breaking(monkeypatch):
    """Makes `seem info` raise what it is given."""

    def breaks(error):
        def run(_):
            raise error

        monkeypatch.setattr(info, "run", run)
        return cli.main(["info"])

    return breaks


def walked(parser, words=()):
    """Every command and subcommand as its words, with its parser."""
    if words:
        yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, one in action.choices.items():
                yield from walked(one, (*words, name))


WALKED = {" ".join(words): parser for words, parser in walked(cli.build_parser())}
WITHOUT_JSON = {"evaluate", "adapter", "completion"}
"""The first two only lead to others; the last prints a script."""


def test_the_walk_meets_every_command():
    assert {words.split()[0] for words in WALKED} == set(cli.SUBCOMMANDS)
    assert {"evaluate text", "adapter cvat", "bench load"} <= set(WALKED)


def test_the_readmes_table_has_every_command_in_its_order():
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert tuple(re.findall(r"^\| `seem (\w+)", text, re.MULTILINE)) == cli.SUBCOMMANDS


@pytest.mark.parametrize("words", WALKED)
def test_every_command_has_its_help_and_names_itself(words, capsys):
    assert cli.main([*words.split(), "--help"]) == cli.DONE
    assert f"usage: seem {words}" in capsys.readouterr().out


@pytest.mark.parametrize("words", WALKED)
def test_every_command_says_what_it_does(words):
    assert WALKED[words].description


@pytest.mark.parametrize("words", WALKED)
def test_an_option_that_no_command_has_is_misuse(words, capsys):
    assert cli.main([*words.split(), "--wings"]) == cli.MISUSED
    assert "usage: seem" in capsys.readouterr().err


@pytest.mark.parametrize("words", WALKED)
def test_every_command_prints_json(words):
    options = {one for action in WALKED[words]._actions for one in action.option_strings}
    assert ("--json" in options) is (words not in WITHOUT_JSON)


@pytest.mark.parametrize("argv", [[], ["fly"], ["info", "--wings"], ["serve", "--port", "x"]])
def test_wrong_use_is_told_on_standard_error(argv, capsys):
    assert cli.main(argv) == cli.MISUSED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage: seem" in printed.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidValue("Bad address."), cli.MISUSED),
        (errors.Overloaded("Full."), cli.FAILED),
        (FileNotFoundError("photo.jpg"), cli.FAILED),
        (ZeroDivisionError("oh"), cli.FAILED),
        (KeyboardInterrupt(), cli.FAILED),
    ],
)
def test_what_goes_wrong_becomes_an_exit_code(breaking, error, code, capsys):
    assert breaking(error) == code
    assert capsys.readouterr().out == ""


def test_an_error_says_which_command_failed_and_what_to_do(breaking, capsys):
    breaking(errors.Overloaded("Full."))
    assert capsys.readouterr().err == "seem info: Full. Try again after retry_after_ms.\n"


def test_an_error_of_the_program_names_its_kind(breaking, capsys):
    breaking(ZeroDivisionError("oh"))
    assert "seem info: ZeroDivisionError: oh" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(2, "No such file", "cat.jpg"), "There is no file or folder 'cat.jpg'."),
        (PermissionError(13, "Denied", Path("out")), "'out' cannot be used: Denied."),
        (OSError("Can't listen."), "Can't listen."),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_a_sentence(breaking, error, told, capsys):
    breaking(error)
    assert capsys.readouterr().err == f"seem info: {told}\n"


@pytest.mark.parametrize("words", [["info", "tiny"], ["token", "acme", "--json"]])
def test_whoever_stops_reading_ends_a_command_quietly(words):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "seem_server", *words]
    with os.fdopen(writing) as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (cli.FAILED, b"")


def test_a_bad_setting_is_wrong_use(capsys, monkeypatch):
    monkeypatch.setenv("SEEM_PORT", "http")
    assert cli.main(["serve"]) == cli.MISUSED
    assert "SEEM_PORT" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "meant"), [("segmnt", "segment"), ("evalute", "evaluate")])
def test_a_command_that_was_mistyped_is_told_the_one_that_was_meant(typed, meant, capsys):
    assert cli.main([typed, "--json"]) == cli.MISUSED
    assert f"there is no command {typed!r}; did you mean {meant!r}?" in capsys.readouterr().err


def test_a_command_whose_package_is_missing_says_what_to_install_and_hinders_no_other(
    monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "seem_server.commands.evaluate", None)  # not importable
    assert cli.main(["evaluate", "text", "folder"]) == cli.FAILED
    assert "seem-server[serve]" in capsys.readouterr().err
    assert cli.main(["info", "--help"]) == cli.DONE
    assert cli.main(["--help"]) == cli.DONE
    assert "see 'seem doctor'" in capsys.readouterr().out


def test_it_runs_as_a_module_too():
    done = subprocess.run(
        [sys.executable, "-m", "seem_server.cli", "info", "nope"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (cli.FAILED, "")
    assert "'nope' is no shipped bundle" in done.stderr
