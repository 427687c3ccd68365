from __future__ import annotations

import json

import pytest
from fake_server import fake_client

from seem_server.cli import main
from seem_server.commands import watching


def test_both_servers_are_clicked_alike():
    with fake_client() as plain, fake_client() as watched:
        result = watching.bench_watching(plain, watched, n_clicks=6)
    assert (result.clicks, result.provider) == (6, "fake")
    assert result.ratio == pytest.approx(result.watched_ms.p50 / result.plain_ms.p50)


def test_the_table_says_what_was_measured():
    with fake_client() as plain, fake_client() as watched:
        text = watching.as_text(watching.bench_watching(plain, watched, n_clicks=2))
    assert "with / without" in text
    assert "fake@1 on fake: 2 clicks on each" in text


@pytest.mark.slow
def test_the_command_runs_two_servers_of_its_own(capsys):
    command = ["bench", "watching", "--bundle", "fake", "--clicks", "3", "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["clicks"] == 3


def test_a_server_that_runs_already_cannot_be_measured_so(capsys):
    assert main(["bench", "watching", "--server", "localhost:1"]) != 0
    assert "--server" in capsys.readouterr().err
