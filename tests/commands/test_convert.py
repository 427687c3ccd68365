from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from seem_server import cli
from seem_server.commands import convert

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="converting needs the `model` extra"
)
COMMAND = ["convert", "seem.pt", "--out", "mine"]


def parsed(*argv):
    return cli.build_parser().parse_args([*COMMAND, *argv])


def options_of(parser):
    return {
        string: (action.nargs, action.default, action.required)
        for action in parser._actions
        for string in action.option_strings or [action.dest]
    }


@needs_torch
def test_the_options_are_those_of_the_command_that_does_the_work():
    from seem_model.convert import build_parser

    subparsers = argparse.ArgumentParser().add_subparsers()
    convert.add_parser(subparsers)
    assert options_of(subparsers.choices["convert"]) == options_of(build_parser())


@needs_torch
def test_what_was_said_is_passed_on():
    from seem_model.convert import build_parser

    said = parsed("--variant=focalt_v1", "--precision=fp16", "--short-side=182", "--force")
    passed = build_parser().parse_args(convert.command_line(said))
    assert (str(passed.checkpoint), str(passed.out)) == ("seem.pt", "mine")
    assert (passed.variant, passed.precision) == ("focalt_v1", "fp16")
    assert (passed.short_side, passed.long_side) == (182, None)
    assert (passed.force, passed.accept, passed.json) == (True, False, False)


def test_a_name_like_an_option_stays_a_name():
    said = cli.build_parser().parse_args(["convert", "--out=-o", "--", "--seem.pt"])
    assert convert.command_line(said)[-2:] == ["--", "--seem.pt"]
    assert "--out=-o" in convert.command_line(said)


def test_without_torch_it_is_told_what_to_install(capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    assert cli.main(COMMAND) == cli.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert "pip install 'seem-server[serve,model]'" in said.err


@needs_torch
@pytest.mark.parametrize(
    ("options", "code"), [([], cli.FAILED), (["--variant", "focalt_v2"], cli.MISUSED)]
)
def test_the_exit_code_and_the_reason_are_those_of_the_work(tmp_path, options, code):
    done = subprocess.run(
        [sys.executable, "-m", "seem_server.cli", *COMMAND, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert "seem convert: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_killed_work_is_a_failure(capsys, monkeypatch):
    monkeypatch.setattr(convert, "NEEDED", ())
    monkeypatch.setattr(convert, "_run", lambda _: -signal.SIGKILL)
    assert cli.main(COMMAND) == cli.FAILED
    assert "killed by signal 9; it may have taken all memory" in capsys.readouterr().err


def test_who_ends_the_command_ends_the_work(tmp_path):
    mark = tmp_path / "began"
    work = f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep(60)"

    def terminate():
        while not mark.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=terminate).start()
    with pytest.raises(KeyboardInterrupt):
        convert._run([sys.executable, "-c", work])
    assert signal.getsignal(signal.SIGTERM) == before
