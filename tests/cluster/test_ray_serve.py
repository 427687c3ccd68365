"""On a real Ray cluster of this machine: slow to start, so all of it is one story."""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from engine_words import click, engine, image

from seem_server.cluster.engine import ClusterEngine
from seem_server.cluster.loopback import keep_to_loopback
from seem_server.engine.work import MasksReady
from seem_server.engines import replica_backend, replica_engine
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.settings import Settings
from seem_wire.errors import Disconnected, ImageUnknown

keep_to_loopback()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'seem-server[ray]'")
    import ray

    from seem_server.cluster import ray_serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),
]
SETTINGS = Settings(bundle="fake", fake_decode_s=0.02, max_wait_s=60)
N_CLICKS = 20


@pytest.fixture(scope="module")
def replicas():
    plan = ray_serve.Plan(replicas=2, most_replicas=2, encoders=1, cpus=0.1)
    return ray_serve.open_replicas(
        partial(replica_engine, SETTINGS), partial(replica_backend, SETTINGS), plan
    )


@pytest.fixture(scope="module")
def made(replicas):
    made = ClusterEngine(replicas, MANIFEST, max_waiting=64, images_bytes=1 << 24)
    for number, key in enumerate("kl"):
        made.put_image(key, image(seed=number))
    yield made
    made.close()


def decoder_pids():
    """Of the replicas that run: Ray gives a process its actor's name."""
    named = ((int(one.parent.name), one) for one in Path("/proc").glob("[0-9]*/cmdline"))
    pids = []
    for pid, line in named:
        with suppress(OSError):
            if line.read_bytes().startswith(b"ray::ServeReplica:seem:decoder"):
                pids.append(pid)
    return pids


async def test_no_answer_is_lost_or_changed_when_replicas_are_killed_in_mid_click(made):
    async def annotate(session, key):
        return [
            await made.submit(click(*range(1, n + 1), session=session, key=key))
            for n in range(1, N_CLICKS + 1)
        ]

    async def kill():
        for _ in range(2):
            await asyncio.sleep(0.2)
            os.kill(decoder_pids()[0], signal.SIGKILL)

    *answers, _ = await asyncio.gather(
        *(annotate(f"{key}{number}", key) for key in "kl" for number in range(2)), kill()
    )
    here = engine(keys=("k", "l"))
    for number, said in enumerate(answers):
        key = "kkll"[number]
        for n, answer in enumerate(said, 1):
            assert isinstance(answer, MasksReady)
            wanted = await here.submit(click(*range(1, n + 1), session=f"{number}", key=key))
            assert answer.masks == wanted.masks
    here.close()


async def test_clicks_on_an_image_find_it_encoded(made):
    await made.submit(click(1, session="warm"))
    answers = [await made.submit(click(1, n, session="warm")) for n in range(2, 10)]
    assert sum(answer.cache_hit for answer in answers) >= 6


def is_lost(lent):
    try:
        ray.get(lent)
    except ray.exceptions.OwnerDiedError:
        return True
    return False


async def test_pixels_that_ray_lost_are_asked_for_again(replicas, made):
    @ray.remote(num_cpus=0)
    class Lender:
        def lend(self, pixels):
            return [ray.put(pixels)]

    lender = Lender.remote()
    (lost,) = ray.get(lender.lend.remote(image(600, 800, seed=7)))
    ray.kill(lender)
    while not is_lost(lost):  # noqa: ASYNC110  (Ray notices by itself)
        await asyncio.sleep(0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replicas, "lend", lambda _: lost)
        made.put_image("m", image(600, 800, seed=7))
    with pytest.raises(ImageUnknown):
        await made.submit(click(1, session="lost", key="m"))
    made.put_image("m", image(600, 800, seed=7))
    assert isinstance(await made.submit(click(1, session="lost", key="m")), MasksReady)


def listening():
    """(address, process id) of all TCP sockets of this machine that listen, and whose they are."""
    owners = {}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            target = str(link.readlink())
            if target.startswith("socket:["):
                owners[target[8:-1]] = int(link.parts[2])
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A":
                yield local.split(":")[0], owners.get(rest[5])


def is_loopback(address):
    return address in {"0100007F", "0000000000000000FFFF00000100007F", "0" * 24 + "01000000"}


@pytest.mark.usefixtures("made")
def test_a_cluster_of_ones_own_listens_to_this_machine_alone():
    ours = descendants(os.getpid())
    found = [(address, pid) for address, pid in listening() if pid in ours]
    assert found
    assert [one for one in found if not is_loopback(one[0])] == []


def descendants(pid):
    parents = {}
    for one in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(one.parent.name)] = int(one.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "nohost.invalid:6379"])
def test_a_cluster_that_is_not_there_is_told_at_once(address):
    with pytest.raises(Disconnected, match=address.split(":", maxsplit=1)[0]):
        ray_serve._enter(address)
