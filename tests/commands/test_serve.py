from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from threading import Event

import grpc
import pytest

from seem_server.service.callers import line_of
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

ARGUMENTS = ("--bundle", "fake", "--port", "0")


@contextmanager
def serving(*flags, **environment):
    """`seem serve` in a process of its own, and the line that it prints when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "seem_server.cli", "serve", *ARGUMENTS, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_where_it_serves_and_stops_when_it_is_told_to(number):
    with serving() as (process, line):
        said, address = line.strip().rsplit(" at ", 1)
        assert said == "seem serves fake@1 on fake"
        with grpc.insecure_channel(address) as channel:
            assert SeemStub(channel).GetModel(pb.GetModelRequest()).name == "fake"
        process.send_signal(number)
        assert process.wait(20) == 0


def test_programs_are_told_where_it_serves_as_json():
    with serving("--json") as (process, line):
        told = json.loads(line)
        assert told == {
            "address": told["address"],
            "web": None,
            "model": "fake@1",
            "provider": "fake",
        }
        with grpc.insecure_channel(told["address"]) as channel:
            assert SeemStub(channel).GetModel(pb.GetModelRequest()).name == "fake"
        process.terminate()
        assert process.communicate(timeout=20)[0] == ""


def test_a_certificate_that_is_not_there_is_told_with_its_option(tmp_path):
    with serving("--tls-cert", str(tmp_path / "no.pem"), "--tls-key", __file__) as (process, _):
        _, log = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "--tls-cert is" in log


def test_of_a_port_that_is_taken_it_tells_who_has_it_and_how_to_name_another():
    with serving() as (_, line):
        address = line.strip().rsplit(" at ", 1)[1]
        with serving("--port", address.rpartition(":")[2]) as (second, _):
            _, log = second.communicate(timeout=30)
    assert second.returncode == 1
    assert re.search(rf"{address} is taken: seem-server \S+ runs fake@1 on fake\. .*--port N", log)


def test_of_an_annotators_port_that_is_taken_it_names_the_option():
    one = socket.create_server(("127.0.0.1", 0))
    with one, serving("--web-port", str(one.getsockname()[1])) as (process, _):
        _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "in use" in log
    assert "--web-port" in log


def test_it_is_set_by_the_environment_and_logs_to_standard_error():
    with serving(SEEM_LOG_FORMAT="json", SEEM_GRACE_S="0") as (process, line):
        with grpc.insecure_channel(line.rsplit(" ", 1)[1].strip()) as channel:
            SeemStub(channel).GetModel(pb.GetModelRequest())
        process.terminate()
        output, log = process.communicate(timeout=20)
    assert output == ""
    assert '"method": "GetModel"' in log


def test_a_second_signal_does_not_wait():
    with serving("--grace-s", "1000") as (process, line):
        with grpc.insecure_channel(line.rsplit(" ", 1)[1].strip()) as channel:
            stream = SeemStub(channel).Interact(iter([pb.Command(seq=1)]))
            next(stream)
            silent = Event()
            held = SeemStub(channel).Interact(held_open(silent))
            process.terminate()
            while process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)  # signals that come too close are one
            silent.set()
            held.cancel()
        assert process.returncode == -signal.SIGTERM


def held_open(silent):
    """Commands of a client that says something and stays on the line."""
    yield pb.Command(seq=1)
    silent.wait()


def test_a_hangup_reads_the_callers_again(tmp_path):
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(line_of("acme", "ann", "old"))
    with serving("--tokens-file", str(tokens)) as (process, line):
        tokens.write_text(line_of("acme", "ann", "new"))
        process.send_signal(signal.SIGHUP)
        assert "the callers were read again n_callers=1" in process.stderr.readline()
        with grpc.insecure_channel(line.rsplit(" ", 1)[1].strip()) as channel:
            call = SeemStub(channel).GetModel
            assert call(pb.GetModelRequest(), metadata=(("authorization", "Bearer new"),)).name
            with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                call(pb.GetModelRequest(), metadata=(("authorization", "Bearer old"),))


def test_it_refuses_to_be_open_to_the_world():
    with serving("--host", "0.0.0.0") as (process, line):  # noqa: S104
        _, log = process.communicate(timeout=20)
    assert (process.returncode, line) == (2, "")
    assert "--tls-cert" in log
