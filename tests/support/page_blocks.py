"""The code of a Markdown page, and how it is run: in order, in one folder, as a reader would.

    ```sh, ```bash     run as a whole; the first command that fails ends it
    ```console         each line after "$ " is run, and must print what stands below it (any
                       number where one stands; "..." is anything)
    ```python          run in one interpreter a page, so that names last; `await` is right
    <!-- first, python: ... -->    what the reader has by then, and the page need not show; or sh
    <!-- not run: why -->          above a block that cannot be run here

The folder looks like a fresh clone in which `make` has installed all, except that

- a command that serves goes on beside the page, until that ends or another of its kind begins;
- the usual ports are free ones of this machine;
- `pip install` installs nothing: it refuses an extra that we do not have.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = Path(__file__).parent / "page_blocks_parts"

RUN = {"sh": "sh", "bash": "sh", "console": "console", "python": "python"}
SHOWN_ONLY = {"", "text", "yaml", "xml", "json", "toml", "proto"}
"""Languages of blocks that are no code to be run."""

PORTS = ("50051", "50052", "6379", "8010", "8070", "8080", "8443", "9090", "9464", "9901", "9902")

LACKING = 69
"""How a program ends that is not installed here."""

PROGRAMS = ("envoy", "redis-server")
"""Those of others that pages have run."""

PATIENCE_S = 240
"""How long a block may take."""

_PIECE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$"
    r"|^<!-- first, (?P<first>python|sh):\n(?P<given>.*?)^-->$"
    r"|^ *<!-- not run: (?P<reason>[^\n]+?) -->\n+"
    r"(?P<skipped>(?P<deep> *)```\w+\n.*?^(?P=deep)```)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page's code."""

    page: str
    line: int
    kind: str
    """"sh", "console" or "python"; "" is not run."""
    code: str
    reason: str = ""
    """Why it isn't run."""


class BlockFailed(AssertionError):
    """A block did not do what its page says."""


def blocks_of(path):
    """All blocks of the page at `path`, in order."""
    text = path.read_text("utf-8")
    return [
        _block(found, os.path.relpath(path, ROOT), text[: found.start()].count("\n") + 1)
        for found in _PIECE.finditer(text)
        if found["language"] not in SHOWN_ONLY
    ]


def _block(found, page, line):
    if found["reason"]:
        return Block(page, line, "", found["skipped"], found["reason"])
    if found["first"]:
        return Block(page, line, found["first"], found["given"])
    return Block(page, line, RUN[found["language"]], textwrap.dedent(found["code"]))


class ProgramMissing(Exception):
    """A page has something run that is not installed here."""


class Reader:
    """Who follows a page in a folder of his own."""

    def __init__(self, folder):
        self.folder = folder
        self._ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        self._python = None
        _furnish(folder)
        for name in ("Makefile", "deploy/envoy/envoy.yaml", "deploy/envoy/tls.yaml"):
            (folder / name).write_text(self._here((ROOT / name).read_text("utf-8")))
        # To the make that runs the tests, and not for those that pages call.
        told = {"MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "ARGS", "VENV", "PYTHON"}
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in told},
            "PATH": f"{folder / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(
                str(ROOT / one) for one in ("", "model", "clients/python", "protos")
            ),
            "HOME": str(folder / "home"),
            "XDG_STATE_HOME": str(folder / "home/state"),
            "SEEM_PORT": self._ports["50051"],
            "SEEM_SERVICES": str(folder / ".services"),
        }

    def follow(self, block):
        """Runs it.

        Raises:
            BlockFailed: It failed.
            ProgramMissing: It needs a program that is not here.
        """
        code, name = self._here(block.code), f"{block.page}:{block.line}"
        if block.kind == "python":
            self._say(code, name)
        elif block.kind == "console":
            for command, expected in _typed(code):
                printed = self._run(command, name)
                if not _alike(expected, printed):
                    raise BlockFailed(f"{name}: {command}\nprinted\n{printed}\nand not\n{expected}")
        else:
            self._run(code, name)

    def close(self):
        """Ends what still runs."""
        if self._python is not None:
            self._python.stdin.close()
            self._python.wait(20)
            self._python.stdout.close()
        for kept in (self.folder / ".services").iterdir():
            with suppress(ProcessLookupError):
                os.kill(int(kept.read_text("ascii")), signal.SIGKILL)

    def _here(self, text):
        for usual, port in self._ports.items():
            text = re.sub(rf"(?<![\d.]){usual}\b", port, text)
        return text

    def _run(self, code, name):
        shell = ["bash", "-euo", "pipefail", "-c", code]
        try:
            done = subprocess.run(
                shell,
                cwd=self.folder,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired as error:
            raise BlockFailed(f"{name} went on for {PATIENCE_S} s:\n{code}") from error
        if done.returncode == LACKING:
            raise ProgramMissing(f"{name}: {done.stderr}")
        if done.returncode:
            raise BlockFailed(f"{name}:\n{code}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def _say(self, code, name):
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, PARTS / "interpreter.py"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        print(json.dumps([code, name]), file=self._python.stdin, flush=True)
        error = json.loads(self._python.stdout.readline())
        if error:
            raise BlockFailed(f"{name}:\n{code}\n{error}")


@contextmanager
def reading(folder):
    """A reader, who ends what he began."""
    reader = Reader(folder)
    try:
        yield reader
    finally:
        reader.close()


def _furnish(folder):
    """Makes the folder a clone in which all is installed."""
    (folder / "deploy/envoy").mkdir(parents=True)  # whose ports are the reader's own
    for name in ("clients", "docs", "model", "protos", "pyproject.toml", "tests"):
        (folder / name).symlink_to(ROOT / name)
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("home", ".services"):
        (folder / name).mkdir()
    for name in ("seem", "pip"):
        script = f'#!/bin/sh\nexec "{sys.executable}" "{PARTS / name}.py" "$@"\n'
        (programs / name).write_text(script)
    for name in PROGRAMS:
        script = f'#!/bin/sh\nexec "{sys.executable}" "{PARTS}/service.py" {name} "$@"\n'
        (programs / name).write_text(script)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    for made in (".installed-serve", ".installed-all"):
        (folder / ".venv" / made).touch()


def _free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _typed(code):
    """Each command of a console's block, with what it prints."""
    for typed in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, expected = typed.partition("\n")
        yield command, expected


def _alike(expected, printed):
    loosely = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    told = [re.sub(r"\d+(?:\.\d+)?", "0", text) for text in (expected, printed)]
    return doctest.OutputChecker().check_output(*told, loosely)
