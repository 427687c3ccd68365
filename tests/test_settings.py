from __future__ import annotations

import argparse
from dataclasses import fields

import pytest

from seem_server import settings
from seem_server.settings import SettingInvalid, Settings


def read(*flags, **environment):
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    return settings.read(parser.parse_args(flags), environment)


def test_without_a_word_the_defaults_hold():
    assert read() == Settings()


def test_a_flag_goes_before_the_environment_and_that_before_the_default():
    assert read(SEEM_MAX_SESSIONS="7").max_sessions == 7
    assert read("--max-sessions", "8", SEEM_MAX_SESSIONS="7").max_sessions == 8


def test_every_setting_has_a_flag_that_tells_its_default():
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    text = " ".join(parser.format_help().split())
    for one in fields(Settings):
        assert f"--{one.name.replace('_', '-')} " in text
        assert f"(default: {one.default})" in text


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"port": -1}, "port is -1"),
        ({"port": 70_000}, "at most 65535"),
        ({"threads": 99_999_999}, "at most 1024"),
        ({"max_objects": 1 << 40}, "at most 65536"),
        ({"max_sessions": 0}, "at least 1"),
        ({"idle_timeout_s": float("nan")}, "--idle-timeout-s is nan"),
        ({"provider": "tpu"}, "auto, cpu, cuda"),
        ({"log_level": "loud"}, "debug, info"),
        ({"log_format": "xml"}, "text, json"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(changes, what):
    with pytest.raises(SettingInvalid, match=what):
        Settings(**changes)


def test_metrics_listen_to_this_machine_alone_wherever_the_server_does():
    assert Settings(host="0.0.0.0", metrics_port=9464).metrics_host == "127.0.0.1"  # noqa: S104


def test_a_variable_that_is_no_number_is_refused():
    with pytest.raises(SettingInvalid, match="SEEM_PORT is 'http'; it must be a whole number"):
        read(SEEM_PORT="http")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:9"),
        ("::1", "[::1]:9"),
        ("unix:/run/seem.sock", "unix:/run/seem.sock"),
    ],
)
def test_the_address_is_as_grpc_writes_it(host, address):
    assert Settings(host=host, port=9).address == address


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "unix:/run/seem.sock"]
)
def test_on_this_machine_alone_it_needs_neither_tls_nor_tokens(host):
    Settings(host=host).check_exposure()


WORLD = ("0.0.0.0", "::", "192.0.2.7", "seem.example.org", "localhost.example.org", "")  # noqa: S104
TLS = {"tls_cert": "cert.pem", "tls_key": "key.pem"}


@pytest.mark.parametrize("host", WORLD)
@pytest.mark.parametrize("changes", [{}, TLS, {"tokens_file": "tokens.txt"}])
def test_it_is_not_open_to_other_machines_without_tls_and_authentication(host, changes):
    with pytest.raises(SettingInvalid, match=r"other machines can reach.*--tls-cert.*--insecure"):
        Settings(host=host, **changes).check_exposure()


@pytest.mark.parametrize("host", WORLD)
@pytest.mark.parametrize(
    "changes",
    [{**TLS, "tokens_file": "tokens.txt"}, {**TLS, "tls_client_ca": "ca.pem"}, {"insecure": True}],
)
def test_it_is_open_with_both_or_where_somebody_says_so(host, changes):
    Settings(host=host, **changes).check_exposure()


@pytest.mark.parametrize("alone", ["tls_cert", "tls_key", "tls_client_ca"])
def test_half_of_tls_is_refused(alone):
    with pytest.raises(SettingInvalid, match="--tls-key"):
        Settings(**{alone: "file.pem"})


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"tls_cert": "{}", "tls_key": __file__}, "--tls-cert"),
        ({"tls_cert": __file__, "tls_key": "{}"}, "--tls-key"),
        ({"tokens_file": "{}"}, "--tokens-file"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_the_option_that_names_it(
    tmp_path, changes, option
):
    nowhere = {name: path.format(tmp_path / "no.pem") for name, path in changes.items()}
    with pytest.raises(SettingInvalid, match=rf"{option} is '.*no\.pem', which cannot be read"):
        Settings(**nowhere).check_files()
    Settings(tls_cert=__file__, tls_key=__file__).check_files()


def test_a_switch_is_a_flag_and_its_opposite_and_a_word_in_the_environment():
    assert read("--insecure").insecure
    assert not read("--no-insecure", SEEM_INSECURE="true").insecure
    assert read(SEEM_INSECURE="Yes", SEEM_SHARE_FEATURES="0") == Settings(insecure=True)
    assert read("--channelz").channelz
    assert read(SEEM_CHANNELZ="True").channelz
    with pytest.raises(SettingInvalid, match="SEEM_INSECURE is 'maybe'; it must be true or false"):
        read(SEEM_INSECURE="maybe")


def test_a_quota_below_nothing_is_refused():
    with pytest.raises(SettingInvalid, match="--tenant-requests-per-s"):
        Settings(tenant_requests_per_s=-1)
