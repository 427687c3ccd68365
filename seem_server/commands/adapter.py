"""`seem adapter NAME`: an annotation tool's protocol on one side, a Seem server on the other."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

# One line each: the name, and its module of `seem_server.commands`.
ADAPTERS = {
    "label-studio": "label_studio",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command, and one below it for each adapter."""
    parser = subparsers.add_parser("adapter", help="serve an annotation tool")
    adapters = parser.add_subparsers(dest="adapter", required=True, metavar="NAME")
    for name in ADAPTERS:
        _module(name).add_parser(adapters)


def run(arguments: argparse.Namespace) -> int:
    """Runs the adapter; gives the exit code."""
    code: int = _module(arguments.adapter).run(arguments)
    return code


def _module(name: str) -> ModuleType:
    return import_module(f"seem_server.commands.{ADAPTERS[name]}")
