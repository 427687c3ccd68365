"""The command `seem`: each subcommand is a module of `seem_server.commands`.

Exit codes: 0 done, 1 failed, 2 used wrongly. What a person or program asked for goes to standard
output (with `--json` one JSON document and nothing else), everything else to standard error.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from seem_server.commands.checkup.finding import PIP
from seem_server.commands.progress import bars
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
    "doctor",
    "completion",
)

DONE, FAILED, MISUSED = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv`, the process's own if None, and gives the exit code."""
    try:
        code = _main(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has read enough, as `head` does: no more is to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code


def _main(words: list[str]) -> int:
    try:
        parser = build_parser(_wanted(words))
        _check_command(parser, words)
        arguments = parser.parse_args(words)
    except SystemExit as end:  # argparse has said what was wrong, or shown its help
        return end.code if isinstance(end.code, int) else MISUSED
    except ModuleNotFoundError as missing:
        print(f"seem {words[0]}: {_remedy(missing)}", file=sys.stderr)
        return FAILED
    return run(arguments)


def run(arguments: argparse.Namespace) -> int:
    """Runs the chosen subcommand; one of the edges where any exception becomes an exit code.

    Raises:
        BrokenPipeError: Nobody reads any more what it prints.
    """
    try:
        with bars(shown=not getattr(arguments, "json", False)):
            code: int = _module(arguments.command).run(arguments)
    except (SettingInvalid, InvalidValue) as error:
        return _say(arguments, error, MISUSED)
    except ModuleNotFoundError as missing:
        return _say(arguments, _remedy(missing), FAILED)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _say(arguments, _sentence(error), FAILED)
    except SeemError as error:
        return _say(arguments, error, FAILED)
    except KeyboardInterrupt:
        return FAILED
    except Exception as error:
        logger.exception("the command broke")
        return _say(arguments, f"{type(error).__name__}: {error}", FAILED)
    return code


def build_parser(names: Sequence[str] = SUBCOMMANDS) -> argparse.ArgumentParser:
    """The parser of the command line, with the subcommands of these names.

    Raises:
        ModuleNotFoundError: The only one needs a package that is not installed; among others, one
            that does is listed as such.
    """
    parser = argparse.ArgumentParser(
        prog="seem", description="Interactive, promptable segmentation: a photo, a click, a mask."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names:
        try:
            _module(name).add_parser(subparsers)
        except ModuleNotFoundError as missing:
            if len(names) == 1:
                raise
            subparsers.add_parser(name, help=f"(needs {missing.name}, see 'seem doctor')")
    parser.set_defaults(whole=parser)  # which one of its own commands describes to shells
    return parser


def _wanted(words: Sequence[str]) -> tuple[str, ...]:
    """The commands whose modules a command line needs.

    One alone is quicker to import, and works where what others need is not installed.
    """
    first = words[0] if words else ""
    return (first,) if first in SUBCOMMANDS and first != "completion" else SUBCOMMANDS


def _check_command(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Ends as argparse does where the first word is no command, with the one that was meant."""
    if not words or words[0].startswith("-") or words[0] in SUBCOMMANDS:
        return
    near = get_close_matches(words[0], SUBCOMMANDS, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SUBCOMMANDS)}."
    parser.error(f"there is no command {words[0]!r}; {meant}")


def _module(command: str) -> ModuleType:
    return import_module(f"seem_server.commands.{command}")


def _remedy(missing: ModuleNotFoundError) -> str:
    return (
        f"{missing.name} is not installed: {PIP} install 'seem-server[serve]'. "
        "'seem doctor' tells all that is missing."
    )


def _sentence(error: OSError) -> str:
    """What the system refused, and of which file."""
    if error.filename is None or error.strerror is None:
        return str(error)
    if isinstance(error, FileNotFoundError):
        return f"There is no file or folder {os.fspath(error.filename)!r}."
    return f"{os.fspath(error.filename)!r} cannot be used: {error.strerror}."


def _say(arguments: argparse.Namespace, error: Exception | str, code: int) -> int:
    print(f"seem {arguments.command}: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
