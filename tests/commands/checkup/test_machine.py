from __future__ import annotations

import ctypes
import socket
import sys

import pytest

from seem_server.commands.checkup import machine
from seem_server.commands.checkup.finding import Finding, State
from seem_server.commands.checkup.machine import Allowance
from seem_server.settings import Settings

CPU, CUDA = ("CPUExecutionProvider",), ("CUDAExecutionProvider", "CPUExecutionProvider")
TAKEN = Finding("port", State.FAULT, "somebody")


def grouped(folder, membership, files):
    """The limits of a made-up /sys/fs/cgroup."""
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "self").write_text(membership)
    return machine.allowance(folder / "cgroup", folder / "self")


def test_the_narrowest_group_around_a_process_limits_it(tmp_path):
    files = {
        "cpu.max": "max 100000\n",
        "pod/cpu.max": "150000 100000\n",
        "pod/memory.max": "2000000000\n",
        "pod/one/memory.max": "max\n",
    }
    assert grouped(tmp_path, "0::/pod/one\n", files) == Allowance(1.5, 2_000_000_000)


def test_groups_of_the_first_version_limit_it_too(tmp_path):
    files = {
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
        "memory/box/memory.limit_in_bytes": "1000000000",
    }
    found = grouped(tmp_path, "1:cpu:/\n4:memory:/box\n", files)
    assert found == Allowance(None, 1_000_000_000)


def test_where_there_are_no_groups_nothing_limits_it(tmp_path):
    assert machine.allowance(tmp_path, tmp_path / "none") == Allowance(None, None)


@pytest.mark.parametrize(
    ("cores", "threads", "state"),
    [(None, 0, State.OK), (8, 0, State.OK), (1.5, 0, State.FAULT), (1.5, 1, State.OK)],
)
def test_more_threads_than_cores_are_a_fault(cores, threads, state):
    found = machine.check_cores(8, Allowance(cores, None), threads)
    assert found.state is state
    assert ("--threads 1" in found.mend) is (state is State.FAULT)


def test_caches_that_the_memory_has_no_room_for_are_a_fault():
    plenty, gigabyte = 64 * 10**9, Allowance(None, 10**9)
    assert machine.check_memory(plenty, Allowance(None, None), Settings()).state is State.OK
    found = machine.check_memory(plenty, gigabyte, Settings())
    assert (found.state, found.blocks) == (State.FAULT, False)
    small = Settings(images_bytes=10**8, features_bytes=10**8, memory_bytes=10**8)
    assert machine.check_memory(plenty, gigabyte, small).state is State.OK


@pytest.mark.parametrize(
    ("gpus", "providers", "active", "state"),
    [
        (None, CPU, "cpu", State.MISSING),
        ([], CUDA, "cpu", State.MISSING),
        (["H100"], CUDA, "cuda", State.OK),
        (["H100"], CUDA, "cpu", State.FAULT),
        (["H100"], CPU, "cpu", State.FAULT),
    ],
)
def test_a_gpu_that_is_there_and_not_used_is_a_fault(gpus, providers, active, state):
    found = machine.check_gpu(gpus, providers, active)
    assert (found.state, found.blocks) == (state, False)
    assert bool(found.mend) is (state is not State.OK)


def test_gpus_are_those_that_the_driver_tells_of(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100, 550.1, 80 GB'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert machine.seen_gpus() == ["NVIDIA H100, 550.1, 80 GB"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machine.seen_gpus() == []


def test_without_a_driver_no_gpu_is_seen(tmp_path, monkeypatch):
    def absent(_):
        raise OSError

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert machine.seen_gpus() is None


def check_folder(path, free=10**9, asked=10**6):
    return machine.check_folder(path, asked_bytes=asked, free=lambda _: free)


def test_a_store_is_tried_without_being_made(tmp_path):
    path = tmp_path / "new" / "sessions.sqlite"
    assert check_folder(path).state is State.OK
    assert not path.parent.exists()


def test_a_store_below_a_file_or_where_nothing_can_be_written_is_a_fault(tmp_path):
    (tmp_path / "file").touch()
    assert check_folder(tmp_path / "file" / "sessions.sqlite").blocks
    assert check_folder(tmp_path).blocks  # it is a folder itself
    if sys.platform == "linux":
        assert check_folder(machine.Path("/proc/sessions.sqlite")).blocks


def test_a_store_without_room_is_a_fault_that_stops_nothing(tmp_path):
    found = check_folder(tmp_path / "sessions.sqlite", free=10, asked=10**6)
    assert (found.state, found.blocks) == (State.FAULT, False)


def test_a_port_is_free_or_somebody_has_it():
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        assert machine.check_listening("127.0.0.1", port, lambda: TAKEN) is TAKEN
    assert machine.check_listening("127.0.0.1", port, lambda: TAKEN).state is State.OK
    assert machine.check_listening("127.0.0.1", 0, lambda: TAKEN).state is State.OK


def test_an_address_that_is_not_of_this_machine_is_a_fault():
    assert machine.check_listening("192.0.2.7", 5000, lambda: TAKEN).blocks
    assert machine.check_listening("no-such-host.invalid", 5000, lambda: TAKEN).blocks


def test_the_machine_has_memory():
    assert machine.memory_bytes() > 10**8
