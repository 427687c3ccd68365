"""The replicas in Ray behind a gateway, as processes of this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from seem_server.commands.serving import PATIENT

NAMED = b"ray::ServeReplica:seem:decoder"
"""What Ray calls the process of a replica that answers clicks."""


def ray_flags(replicas: int) -> tuple[str, ...]:
    """The flags of a gateway with so many replicas, more than there are cores if need be."""
    return "--engine", "ray", "--replicas", str(replicas), "--replica-cpus", "0.1"


def waiting_flags(replicas: int, *, encode_s: float = 0.0, click_s: float) -> tuple[str, ...]:
    """The flags of one whose model takes so long and computes nothing, and that refuses nobody."""
    times = ("--fake-encode-s", str(encode_s), "--fake-decode-s", str(click_s))
    return ("--bundle", "fake", *times, "--store", "memory", *PATIENT, *ray_flags(replicas))


def decoder_pids(gateway: int | None) -> list[int]:
    """The processes of the replicas in the cluster that the process `gateway` started."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if (folder / "cmdline").read_bytes().startswith(NAMED):
                pids.append(int(folder.name))
    return [pid for pid in pids if gateway in _ancestors(pid)]


def _ancestors(pid: int) -> set[int]:
    found: set[int] = set()
    while pid > 1:
        try:
            told = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        except OSError:
            break
        pid = int(told.rpartition(")")[2].split()[1])  # after the name, which may hold anything
        found.add(pid)
    return found
