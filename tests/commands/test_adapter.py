from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from nuclio_words import Nuclio, base64_of

from seem_server.cli import main
from seem_server.commands import adapter


@pytest.fixture
def running():
    """`seem adapter cvat` before a server of its own, and where it listens."""
    command = [sys.executable, "-m", "seem_server", "adapter", "cvat", "--port", "0"]
    process = subprocess.Popen([*command, "--bundle", "fake"], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield process, line.strip().rsplit(" ", 1)[1]
    finally:
        process.kill()
        process.communicate()


def test_it_serves_the_tool_until_it_is_told_to_stop(running):
    process, url = running
    cvat = Nuclio(url)
    assert "seem-interactor" in cvat.functions()
    clicks = {"image": base64_of(), "pos_points": [[20, 20]], "neg_points": [], "obj_bbox": None}
    assert cvat.invoke("seem-interactor", clicks).status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_other_machines_are_let_in_only_on_purpose(capsys):
    assert main(["adapter", "cvat", "--host", "0.0.0.0", "--server", "localhost:1"]) == 2  # noqa: S104
    assert "--insecure" in capsys.readouterr().err


def test_an_adapter_that_lacks_something_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "seem_client.adapters.cvat_nuclio", raising=False)
    monkeypatch.delitem(sys.modules, "seem_client.adapters.refusals", raising=False)
    assert main(["adapter", "cvat", "--server", "localhost:1"]) == 2
    assert "pip install 'seem-server[cvat]'" in capsys.readouterr().err


def test_there_is_no_adapter_of_another_name(capsys):
    assert main(["adapter", "paint"]) == 2
    assert "cvat" in capsys.readouterr().err


@pytest.mark.parametrize("name", adapter.ADAPTERS)
def test_each_tells_what_it_takes(name, capsys):
    assert main(["adapter", name, "--help"]) == 0
    assert "--server" in capsys.readouterr().out
