"""Objects are followed through a video while servers are killed, and consumers lose interest."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing

import numpy as np
import pytest
from served_process import serving
from service_words import served, slow_backend

import seem_client

READY_S = 60.0
N_FRAMES = 8


def picture(index):
    """A red square on green, which goes to the right."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[..., 1] = 90
    pixels[30:80, 10 + 8 * index : 60 + 8 * index] = 250, 10, 10
    return pixels


PICTURES = [picture(index) for index in range(N_FRAMES)]


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path, bundle="fake") as made:
        yield made


def shapes(tracked):
    return {one.index: one.predictions[1].rle for one in tracked}


def undisturbed(client):
    with client.track(PICTURES) as video:
        video.box(10, 30, 60, 80, frame=0)
        return shapes(video.propagate())


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_all_frames_come_with_the_same_masks_though_the_server_was_killed(server, sign):
    with seem_client.connect(server.address, reconnect_s=READY_S) as client:
        expected = undisturbed(client)
        assert len(expected) == len(set(map(repr, expected.values()))) == N_FRAMES
        with client.track(PICTURES) as video:
            video.box(10, 30, 60, 80, frame=0)
            tracked = []
            for one in video.propagate():
                tracked.append(one)
                if one.index == 2:
                    server.kill(sign)
                    restarting = server.restart_later()
            restarting.join()
            assert shapes(tracked) == expected


async def test_the_awaited_client_goes_on_too(server):
    async with seem_client.connect_async(server.address, reconnect_s=READY_S) as client:
        tracked = {True: [], False: []}
        for disturbed, told in tracked.items():
            async with client.track(PICTURES) as video:
                await video.box(10, 30, 60, 80, frame=0)
                async for one in video.propagate():
                    told.append(one)
                    if disturbed and one.index == 2:
                        server.kill()
                        restarting = server.restart_later()
        restarting.join()
        assert shapes(tracked[True]) == shapes(tracked[False])


def test_a_correction_counts_on_the_next_server_too(server):
    def corrected(client, *, disturbed):
        with client.track(PICTURES) as video:
            video.box(10, 30, 60, 80, frame=0)
            list(video.propagate(last=4))
            if disturbed:
                server.kill()
                restarting = server.restart_later()
            video.click(40, 20, frame=4)
            told = shapes(video.propagate(first=4))
            if disturbed:
                restarting.join()
            return told

    with seem_client.connect(server.address, reconnect_s=READY_S) as client:
        expected = corrected(client, disturbed=False)
        assert sorted(expected) == [4, 5, 6, 7]
        assert corrected(client, disturbed=True) == expected


async def test_whoever_breaks_off_costs_one_more_frame_at_most():
    backend, gate = slow_backend()
    async with (
        served(backend) as (running, _, _),
        seem_client.connect_async(running.address) as client,
        client.track(PICTURES) as video,
    ):
        gate.let_pass(3)  # the click, and two frames
        await video.box(10, 30, 60, 80, frame=0)
        async with aclosing(video.propagate()) as tracking:
            async for one in tracking:
                if one.index == 2:
                    break
            for _ in range(4):
                await asyncio.to_thread(gate.wait_for_somebody)  # the third is at hand
        gate.let_pass(100)
        await video.click(30, 40, frame=0)
        assert backend.n_decoded == 5
