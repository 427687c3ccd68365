"""Tables made of the code: they have all of it, and each row says something."""

from __future__ import annotations

from dataclasses import fields

import server_tables
from seem_server import cli
from seem_server.cli import SUBCOMMANDS
from seem_server.settings import Settings
from seem_wire.errors import BY_CODE


def rows_of(table):
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_every_setting_has_its_row():
    rows = rows_of(server_tables.settings_table())
    assert [row[0] for row in rows] == [
        f"`--{one.name.replace('_', '-')}`" for one in fields(Settings)
    ]


def test_defaults_can_be_read():
    table = server_tables.settings_table()
    assert "| `--store-images-bytes` | 8 GiB |" in table
    assert "| `--max-age-s` | 2592000 |" in table
    assert "| `--insecure` | no |" in table
    assert "(at most 65535)" in table


def test_every_error_says_what_it_means():
    rows = rows_of(server_tables.errors_table())
    assert {row[0].strip("`") for row in rows} == set(BY_CODE)
    assert all(len(row) == 4 and row[3] for row in rows)


def test_every_command_has_its_row():
    rows = rows_of(server_tables.commands_table())
    assert [row[0] for row in rows] == [f"`seem {name}`" for name in SUBCOMMANDS]


def test_every_bench_has_its_row():
    commands = next(one for one in cli.build_parser()._actions if one.dest == "command")
    names = next(one for one in commands.choices["bench"]._actions if one.dest == "what")
    rows = rows_of(server_tables.benches_table())
    assert [row[0] for row in rows] == [f"`seem bench {name}`" for name in names.choices]
    assert all(row[1] for row in rows)


def test_metrics_are_those_of_a_running_server():
    rows = {row[0].strip("`"): row for row in rows_of(server_tables.metrics_table())}
    assert rows["seem_tickets_total"][1:3] == ["counter", "class, end"]
    assert all(len(row) == 4 for row in rows.values())


def test_a_bar_does_not_end_its_cell():
    assert server_tables.table(("a",), [("x|y",)]).endswith(r"| x\|y |")
