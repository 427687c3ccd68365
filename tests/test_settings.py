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
        ({"idle_timeout_s": float("nan")}, "idle_timeout_s is nan"),
        ({"provider": "tpu"}, "auto, cpu, cuda"),
        ({"log_level": "loud"}, "debug, info"),
        ({"log_format": "xml"}, "text, json"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(changes, what):
    with pytest.raises(SettingInvalid, match=what):
        Settings(**changes)


def test_a_switch_is_a_flag_alone_or_a_variable_that_says_so():
    assert read("--channelz").channelz
    assert read(SEEM_CHANNELZ="True").channelz
    assert not read(SEEM_CHANNELZ="0").channelz
    with pytest.raises(SettingInvalid, match="SEEM_CHANNELZ is 'maybe'; it must be 0 or 1"):
        read(SEEM_CHANNELZ="maybe")


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
