from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from label_studio_process import adapter_process
from nuclio_words import Nuclio, base64_of

from seem_server.app import local_server
from seem_server.cli import main
from seem_server.commands import adapter
from seem_server.settings import Settings

ELSEWHERE = ["--server", "localhost:1"]
STUDIO = ["adapter", "label-studio", *ELSEWHERE]


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


def test_it_serves_a_tool_before_a_server_that_runs():
    with (
        local_server(Settings(bundle="fake")) as address,
        adapter_process(address, "http://127.0.0.1:1") as url,
        urllib.request.urlopen(f"{url}/health", timeout=10) as answer,  # noqa: S310
    ):
        assert json.load(answer)["status"] == "UP"


@pytest.mark.parametrize(
    ("name", "flags"),
    [("cvat", ["--insecure"]), ("label-studio", ["--basic-auth-file", "--insecure"])],
)
def test_other_machines_are_let_in_only_on_purpose(name, flags, capsys):
    assert main(["adapter", name, "--host", "0.0.0.0", *ELSEWHERE]) == 2  # noqa: S104
    told = capsys.readouterr().err
    assert [flag for flag in ("--basic-auth-file", "--insecure") if flag in told] == flags


def test_a_file_without_a_password_is_wrong_use(tmp_path, capsys):
    file = tmp_path / "login"
    file.write_text("user")
    assert main([*STUDIO, "--host", "0.0.0.0", "--basic-auth-file", str(file)]) == 2  # noqa: S104
    assert "USER:PASSWORD" in capsys.readouterr().err


def test_an_address_that_is_none_is_wrong_use(capsys):
    assert main([*STUDIO, "--label-studio-url", "localhost"]) == 2
    assert "no address such as" in capsys.readouterr().err


def test_a_token_file_that_is_not_there_is_told(tmp_path, capsys):
    assert main([*STUDIO, "--label-studio-token-file", str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "x"])
def test_a_port_that_is_none_is_refused(port, capsys):
    assert main([*STUDIO, "--port", port]) != 0
    assert capsys.readouterr().err


@pytest.mark.parametrize("name", adapter.ADAPTERS)
def test_an_adapter_that_lacks_something_says_how_to_get_it(name, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, adapter.ADAPTERS[name].module, raising=False)
    assert main(["adapter", name, *ELSEWHERE]) == 2
    assert f"pip install 'seem-server[{name}]'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["adapter"], ["adapter", "paint"]])
def test_without_a_known_name_it_is_wrong_use(words, capsys):
    assert main(words) == 2
    assert "NAME" in capsys.readouterr().err


@pytest.mark.parametrize("name", adapter.ADAPTERS)
def test_each_tells_what_it_takes(name, capsys):
    assert main(["adapter", name, "--help"]) == 0
    assert "--server" in capsys.readouterr().out
