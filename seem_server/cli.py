"""The command `seem`: each subcommand is a module of `seem_server.commands`.

Exit codes: 0 done, 1 failed, 2 used wrongly. What a person or program asked for goes to standard
output (with `--json` one JSON document and nothing else), everything else to standard error.
"""

from __future__ import annotations

import argparse
import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from seem_server.settings import SettingInvalid
from seem_wire.errors import InvalidValue, SeemError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

logger = logging.getLogger(__name__)

SUBCOMMANDS = (
    "serve",
    "segment",
    "track",
    "evaluate",
    "bench",
    "adapter",
    "web",
    "convert",
    "info",
    "health",
    "token",
)

DONE, FAILED, MISUSED = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv`, the process's own if None, and gives the exit code."""
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what was wrong, or shown its help
        return end.code if isinstance(end.code, int) else MISUSED
    return run(arguments)


def run(arguments: argparse.Namespace) -> int:
    """Runs the chosen subcommand; one of the edges where any exception becomes an exit code."""
    try:
        code: int = _module(arguments.command).run(arguments)
    except (SettingInvalid, InvalidValue) as error:
        return _say(arguments, error, MISUSED)
    except (SeemError, OSError) as error:
        return _say(arguments, error, FAILED)
    except KeyboardInterrupt:
        return FAILED
    except Exception as error:
        logger.exception("the command broke")
        return _say(arguments, f"{type(error).__name__}: {error}", FAILED)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="seem", description="Interactive, promptable segmentation: a photo, a click, a mask."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in SUBCOMMANDS:
        _module(name).add_parser(subparsers)
    return parser


def _module(command: str) -> ModuleType:
    return import_module(f"seem_server.commands.{command}")


def _say(arguments: argparse.Namespace, error: Exception | str, code: int) -> int:
    print(f"seem {arguments.command}: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
