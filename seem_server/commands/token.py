"""`seem token`: a token for a tenant, and the line that lets it in."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from seem_server.service.callers import line_of, make_token

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "token",
        help="make a token with which a tenant may call",
        description="Makes a token. It is told once, on standard error; the line for the file of "
        "--tokens-file, which holds only its SHA-256, goes to standard output: "
        "seem token acme >> tokens.txt",
    )
    parser.add_argument("tenant", metavar="TENANT", help="on whose behalf it is used")
    parser.add_argument(
        "--subject", default="token", metavar="NAME", help="who uses it, for the log"
    )
    parser.add_argument(
        "--json", action="store_true", help="print token and line as one JSON document"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints; gives the exit code.

    Raises:
        InvalidValue: A name cannot stand in the file.
    """
    token = make_token()
    line = line_of(arguments.tenant, arguments.subject, token)
    if arguments.json:
        print(json.dumps({"token": token, "line": line}))
        return 0
    print(f"token (told only now): {token}", file=sys.stderr)
    print(line)
    return 0
