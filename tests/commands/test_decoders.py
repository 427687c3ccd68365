from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager

from seem_server.commands import decoders

PROGRAM = "import time; print('up', flush=True); time.sleep(60)"


@contextmanager
def named(name):
    """A process of this one whose command line begins with `name`."""
    command = [name, "-c", PROGRAM]
    with subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def test_a_replica_is_known_by_its_name_and_by_whose_it_is():
    with named(f"{decoders.NAMED.decode()}:Decoder") as pid, named("something else"):
        assert decoders.decoder_pids(os.getpid()) == [pid]
        assert decoders.decoder_pids(pid) == []


def test_the_flags_say_how_many():
    assert "3" in decoders.ray_flags(3)
