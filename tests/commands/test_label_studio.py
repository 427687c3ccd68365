from __future__ import annotations

import json
import sys
import urllib.request

import pytest
from label_studio_process import adapter_process

from seem_server import cli
from seem_server.app import local_server
from seem_server.settings import Settings

COMMAND = ["adapter", "label-studio"]


def test_it_serves_until_it_is_interrupted():
    with (
        local_server(Settings(bundle="fake")) as address,
        adapter_process(address, "http://127.0.0.1:1") as url,
        urllib.request.urlopen(f"{url}/health", timeout=10) as answer,  # noqa: S310
    ):
        assert json.load(answer)["status"] == "UP"


def test_other_machines_are_let_in_with_a_password_alone(tmp_path, capsys):
    assert cli.main([*COMMAND, "--host", "0.0.0.0"]) == cli.MISUSED  # noqa: S104
    assert "--basic-auth-file" in capsys.readouterr().err
    empty = tmp_path / "auth"
    empty.write_text("user")
    assert cli.main([*COMMAND, "--basic-auth-file", str(empty)]) == cli.MISUSED
    assert "USER:PASSWORD" in capsys.readouterr().err


def test_an_address_that_is_none_is_wrong_use(capsys):
    assert cli.main([*COMMAND, "--label-studio-url", "localhost"]) == cli.MISUSED
    assert "no address such as" in capsys.readouterr().err


def test_a_token_file_that_is_not_there_is_told(tmp_path, capsys):
    flag = ["--label-studio-token-file", str(tmp_path / "none")]
    assert cli.main([*COMMAND, *flag]) == cli.FAILED
    assert "none" in capsys.readouterr().err


def test_what_is_not_installed_is_named_with_how_to_install_it(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "seem_client.adapters.label_studio.app", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert cli.main(COMMAND) == cli.MISUSED
    assert "pip install 'seem-server[label-studio]'" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "x"])
def test_a_port_that_is_none_is_refused(port, capsys):
    assert cli.main([*COMMAND, "--port", port]) != cli.DONE
    assert capsys.readouterr().err
