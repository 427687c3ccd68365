from __future__ import annotations

import asyncio

import pytest

from seem_client.adapters.label_studio import tracks as module
from seem_client.adapters.label_studio.tracks import MAX_BATCH, MAX_WAITING, Tracks
from seem_wire.errors import Overloaded, UnknownSession, VideoUnreadable


class Frames:
    """Frames that are counted, until `error` or for ever; `closed` once nobody wants them."""

    def __init__(self, total, error=None):
        self.n_made, self.closed = 0, asyncio.Event()
        self._total, self._error = total, error

    async def __call__(self):
        try:
            while self.n_made < self._total:
                self.n_made += 1
                yield {"frame": self.n_made - 1}
            if self._error is not None:
                raise self._error
        finally:
            self.closed.set()


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 0.05)
    monkeypatch.setattr(module, "GATHER_S", 0.05)


async def all_of(tracks, name):
    values = []
    while not values or not values[-1]["done"]:
        values.append(await tracks.progress(name))
    return values


async def test_each_frame_is_told_once_and_then_it_is_done():
    tracks = Tracks()
    values = await all_of(tracks, tracks.begin("1", Frames(100)(), 100))
    assert [one["frame"] for value in values for one in value["frames"]] == list(range(100))
    assert all(len(value["frames"]) <= MAX_BATCH for value in values)
    assert values[-1]["produced"] == values[-1]["total"] == 100
    assert values[-1]["error"] is None


async def test_who_asks_for_what_is_over_or_never_was_is_told():
    tracks = Tracks()
    name = tracks.begin("1", Frames(1)(), 1)
    await all_of(tracks, name)
    for gone in (name, "other"):
        with pytest.raises(UnknownSession):
            await tracks.progress(gone)


async def test_it_gets_ahead_of_who_asks_by_so_many_frames_and_no_more():
    tracks, frames = Tracks(), Frames(10_000)
    name = tracks.begin("1", frames(), 10_000)
    for _ in range(10 * MAX_WAITING):  # turns of the loop, more than it would need for more
        await asyncio.sleep(0)
    assert frames.n_made == MAX_WAITING + 1
    await tracks.cancel(name)
    assert frames.closed.is_set()


async def test_nothing_new_is_an_answer_too():
    async def never():
        await asyncio.Event().wait()
        yield {}

    tracks = Tracks()
    value = await tracks.progress(tracks.begin("1", never(), 3))
    assert (value["frames"], value["done"]) == ([], False)
    await tracks.close()


async def test_what_goes_wrong_is_told_after_what_went_well():
    tracks = Tracks()
    name = tracks.begin("1", Frames(3, VideoUnreadable("It is cut short."))(), 9)
    values = await all_of(tracks, name)
    assert sum(len(value["frames"]) for value in values) == 3
    assert values[-1]["error"].startswith("It is cut short.")


async def test_what_breaks_is_no_stack_trace():
    tracks = Tracks()
    (*_, last) = await all_of(tracks, tracks.begin("1", Frames(0, KeyError("x"))(), 9))
    assert "adapter" in last["error"]


async def test_there_are_only_so_many_and_release_makes_room():
    tracks, frames = Tracks(most=2), [Frames(10_000) for _ in range(3)]
    for task, one in zip("12", frames, strict=False):
        tracks.begin(task, one(), 9)
    with pytest.raises(Overloaded, match="2 objects"):
        tracks.begin("3", frames[2](), 9)
    await asyncio.sleep(0)
    await tracks.release("1")
    assert [one.closed.is_set() for one in frames] == [True, False, False]
    tracks.begin("3", frames[2](), 9)
    await tracks.close()


async def test_what_nobody_asks_for_makes_room(monkeypatch):
    tracks, frames = Tracks(most=1), Frames(10_000)
    tracks.begin("1", frames(), 9)
    await asyncio.sleep(0)
    monkeypatch.setattr(module, "FORGOTTEN_S", -1.0)
    tracks.begin("2", Frames(1)(), 9)
    await asyncio.wait_for(frames.closed.wait(), 5)
    await tracks.close()
