"""`seem completion SHELL`: the script with which a shell completes `seem`."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from seem_server.runtime.bundle import shipped_bundles
from seem_server.runtime.load import Provider
from seem_server.settings import LEVELS
from seem_server.telemetry.logs import LogFormat
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")

_FOLDERS = {"DIR"}
_FILES = {"FILE", "PNG", "FILE.mp4", "FILE.json", "FILE.png", "CERT", "KEY", "CA", "CHECKPOINT"}
_FILE_ARGUMENTS = {"image", "source", "dataset"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "completion",
        help="print what makes a shell complete this command",
        description="Prints the script with which a shell completes 'seem'. Switch it on with "
        'eval "$(seem completion bash)" in ~/.bashrc; with eval "$(seem completion zsh)" in '
        "~/.zshrc, after compinit; or with seem completion fish | source in "
        "~/.config/fish/config.fish.",
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell's")


def run(arguments: argparse.Namespace) -> int:
    """Prints; gives the exit code."""
    print(script(arguments.whole, arguments.shell))
    return 0


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """What a shell of SHELLS is to read to complete what `parser` takes, which this changes.

    Raises:
        InvalidValue: What writes such scripts is not installed.
    """
    try:
        import shtab  # noqa: PLC0415  (comes with `serve`)
    except ModuleNotFoundError as missing:
        raise InvalidValue("Completion needs shtab: pip install 'seem-server[serve]'.") from missing
    words = {
        "bundle": list(shipped_bundles()),
        "provider": [one.value for one in Provider],
        "log_level": list(LEVELS),
        "log_format": [one.value for one in LogFormat],
    }
    for action in _actions(parser):
        action.choices = action.choices or words.get(action.dest)
        if action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in _FILES or action.dest in _FILE_ARGUMENTS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        if action.metavar is not None:  # shtab writes it as it is, and quotes or colons break zsh
            action.metavar = re.sub(r"[^\w.|]+", " ", "".join(action.metavar)).strip()
    told: str = shtab.complete(parser, shell)
    return told


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument of all subcommands, which are described by one line each."""
    for action in parser._actions:  # noqa: SLF001  (argparse shows them nowhere else)
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  (as above)
            yield action
            continue
        for listed in action._choices_actions:  # noqa: SLF001  (as above)
            action.choices[listed.dest].description = listed.help
        for one in action.choices.values():
            yield from _actions(one)
