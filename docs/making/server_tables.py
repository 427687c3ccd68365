"""Tables of what the server can be told and tells, read from the code and from a running server."""

from __future__ import annotations

import re
import socket
import urllib.request
from argparse import _SubParsersAction
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

import seem_client
from seem_server import cli
from seem_server.app import local_server
from seem_server.commands.bench import BENCHES
from seem_server.settings import Settings
from seem_wire.errors import BY_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MIB = 1024 * 1024


def settings_table() -> str:
    """Every setting of `seem serve`: flag, default, meaning, range."""
    rows = (
        (
            f"`--{one.name.replace('_', '-')}`",
            _shown(one.default, in_bytes=one.name.endswith("_bytes")),
            _sentence(one.metadata["meaning"], one.metadata["least"], one.metadata["most"]),
        )
        for one in fields(Settings)
    )
    return table(("flag", "default", "meaning"), rows)


def errors_table() -> str:
    """Every code with which the server refuses, whose fault it is, and what it means."""
    rows = (
        (f"`{code}`", f"`{kind.__name__}`", kind.fault.value, (kind.__doc__ or "").split("\n")[0])
        for code, kind in sorted(BY_CODE.items())
    )
    return table(("code", "in Python", "whose fault", "meaning"), rows)


def commands_table() -> str:
    """Every subcommand of `seem`, with its line of help."""
    actions = cli.build_parser()._actions  # noqa: SLF001 - argparse tells its parts nowhere else
    listed = next(one for one in actions if isinstance(one, _SubParsersAction))
    rows = ((f"`seem {one.dest}`", one.help or "") for one in listed._choices_actions)  # noqa: SLF001
    return table(("command", ""), rows)


def benches_table() -> str:
    """Every benchmark of `seem bench`, with its line of help."""
    rows = ((f"`seem bench {name}`", meaning) for name, meaning in BENCHES.items())
    return table(("command", "what it measures"), rows)


def metrics_table() -> str:
    """Every metric, with its type and labels, as a server tells them after its first click."""
    text = _scraped()
    told = dict(re.findall(r"^# HELP (seem_\w+) (.*)$", text, re.MULTILINE))
    rows = (
        (f"`{name}`", kind, ", ".join(sorted(_labels(name, text))), told[name])
        for name, kind in re.findall(r"^# TYPE (seem_\w+) (\w+)$", text, re.MULTILINE)
        if not name.endswith("_created")
    )
    return table(("metric", "type", "labels", "meaning"), rows)


def _scraped() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with local_server(Settings(bundle="fake", metrics_port=port)) as address:
        _one_click(address)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            text: str = page.read().decode()
            return text


def _one_click(address: str) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    with seem_client.connect(address) as client, client.open(image) as session:
        session.click(32, 32)


def _labels(name: str, text: str) -> set[str]:
    """The labels of a metric's samples; a histogram's bounds are none of its own."""
    samples = re.findall(rf"^{name}(?:_bucket|_sum|_count)?{{(.*)}} ", text, re.MULTILINE)
    return {label for sample in samples for label in re.findall(r'(\w+)="', sample)} - {"le"}


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines
    )


def _shown(default: object, *, in_bytes: bool) -> str:
    match default:
        case "":
            return ""
        case bool():
            return "no" if not default else "yes"
        case int() if in_bytes and default:
            n_mib = default // _MIB
            return f"{n_mib} MiB" if n_mib < 1024 else f"{n_mib // 1024} GiB"  # noqa: PLR2004
        case float():
            return f"{default:g}" if default % 1 else f"{default:.0f}"
    return f"{default}"


def _sentence(meaning: str, least: float | None, most: float | None) -> str:
    span = [f"at least {least:g}"] if least else []
    span += [f"at most {most:.0f}"] if most is not None else []
    return meaning + (f" ({', '.join(span)})" if span else "")
