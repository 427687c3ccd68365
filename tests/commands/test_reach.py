from __future__ import annotations

from argparse import ArgumentParser

import pytest
from scripted_server import MODEL, scripted_server
from secure_words import OTHER_TOKEN, TOKEN, Files, guarded_address

from seem_server.commands.reach import add_reach_options, reach, reach_process
from seem_server.settings import SettingInvalid
from seem_wire import errors


def parsed(*words):
    parser = ArgumentParser()
    add_reach_options(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("way", [reach, reach_process])
def test_a_server_that_is_named_is_asked(way):
    with scripted_server() as address, way(parsed("--server", address)) as client:
        assert client.model() == MODEL


@pytest.mark.parametrize("way", [reach, reach_process])
def test_without_one_the_command_runs_its_own(way):
    with way(parsed("--bundle", "fake")) as client:
        assert client.model().provider == "fake"


@pytest.mark.parametrize("way", [reach, reach_process])
def test_what_keeps_its_own_server_from_running_is_told(way):
    with (
        pytest.raises(errors.BundleNotFound, match="no-such"),
        way(parsed("--bundle", "no-such-bundle")),
    ):
        pass


def test_the_environment_chooses_the_bundle_too(monkeypatch):
    monkeypatch.setenv("SEEM_BUNDLE", "fake")
    with reach(parsed()) as client:
        assert client.model().name == "fake"


def test_no_server_at_the_address_is_told():
    with pytest.raises(errors.Disconnected), reach(parsed("--server", "127.0.0.1:1")):
        pass


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.mark.parametrize("way", [reach, reach_process])
def test_a_token_from_a_file_or_the_environment_opens_an_encrypted_server(
    files, tmp_path, monkeypatch, way
):
    token = tmp_path / "my-token"
    token.write_text(f"{TOKEN}\n")
    with guarded_address(files, tls=True) as running:
        words = ("--server", running.address, "--tls-ca", files.ca)
        with way(parsed(*words, "--token-file", str(token))) as client:
            assert client.model().name == "fake"
        with pytest.raises(errors.Unauthenticated), way(parsed(*words)):
            pass
        monkeypatch.setenv("SEEM_TOKEN", OTHER_TOKEN)
        with way(parsed(*words)) as client:
            assert client.model().name == "fake"


def test_a_certificate_of_ones_own_opens_a_server_that_asks_for_one(files):
    with guarded_address(files, mtls=True) as running:
        words = ("--server", running.address, "--tls-ca", files.ca)
        with reach(parsed(*words, "--client-cert", *files.client)) as client:
            assert client.model().name == "fake"


def test_an_authority_that_nobody_knows_is_not_trusted(files, monkeypatch):
    monkeypatch.setenv("SEEM_TOKEN", TOKEN)
    with (
        guarded_address(files, tls=True) as running,
        pytest.raises(errors.Disconnected, match="--tls-ca"),
        reach(parsed("--server", running.address, "--tls")),
    ):
        pass


@pytest.mark.parametrize("option", ["--token-file", "--tls-ca"])
def test_a_file_that_is_not_there_is_told_with_its_option(option, tmp_path):
    words = ("--server", "127.0.0.1:1", option, str(tmp_path / "no.pem"))
    with pytest.raises(SettingInvalid, match=option), reach(parsed(*words)):
        pass


def test_its_own_server_is_shown_no_token(monkeypatch):
    monkeypatch.setenv("SEEM_TOKEN", "two words: it would be refused")
    with reach(parsed("--bundle", "fake")) as client:
        assert client.model().name == "fake"
