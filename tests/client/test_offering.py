from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_server import MODEL

from seem_client import _offering
from seem_client._offering import (
    HASH_FIRST_BYTES,
    KnownImages,
    check_image_size,
    offer,
    offer_async,
)
from seem_wire import errors, types

IMAGE = b"image"
KEY = types.ImageKey(types.content_hash(IMAGE))
WHOLE = types.ImageBytes(IMAGE)


class Server:
    """Takes images by their bytes, and by their hash where it `knows` them; notes what it saw."""

    def __init__(self, *, knows=False):
        self.knows, self.seen = knows, []

    def __call__(self, source):
        self.seen.append(source)
        if source == KEY and not self.knows:
            raise errors.ImageUnknown("Never seen.")
        return "shown"

    async def awaited(self, source):
        return self(source)


def known_image():
    known = KnownImages()
    known.add(IMAGE)
    return known


def test_what_was_sent_once_is_offered_by_its_hash_from_then_on():
    known, server = KnownImages(), Server(knows=True)
    assert [offer(known, IMAGE, server) for _ in range(2)] == ["shown", "shown"]
    assert server.seen == [WHOLE, KEY]


def test_what_the_server_forgot_is_sent_whole():
    server = Server()
    assert offer(known_image(), IMAGE, server) == "shown"
    assert server.seen == [KEY, WHOLE]


def test_what_the_server_refuses_is_not_remembered():
    def refuse(_):
        raise errors.ImageUnreadable("No image.")

    known = KnownImages()
    with pytest.raises(errors.ImageUnreadable):
        offer(known, IMAGE, refuse)
    assert known.sources(IMAGE) == (WHOLE,)


@pytest.mark.parametrize(("knows", "seen"), [(True, [KEY]), (False, [KEY, WHOLE])])
async def test_awaited_it_goes_the_same_way(knows, seen):
    server = Server(knows=knows)
    assert await offer_async(known_image(), IMAGE, server.awaited) == "shown"
    assert server.seen == seen


def test_a_small_new_image_is_sent_at_once():
    assert KnownImages().sources(b"image") == (types.ImageBytes(b"image"),)


def test_a_large_image_is_offered_by_its_hash_first():
    data = bytes(HASH_FIRST_BYTES)
    hint, whole = KnownImages().sources(data)
    assert (hint, whole) == (types.ImageKey(types.content_hash(data)), types.ImageBytes(data))


def test_an_image_that_the_server_took_is_offered_by_its_hash():
    known = KnownImages()
    known.add(b"image")
    assert known.sources(b"image")[0] == types.ImageKey(types.content_hash(b"image"))


def test_only_so_many_images_are_remembered(monkeypatch):
    monkeypatch.setattr(_offering, "MAX_KNOWN_IMAGES", 1)
    known = KnownImages()
    known.add(b"older")
    known.add(b"newer")
    assert [len(known.sources(data)) for data in (b"older", b"newer")] == [1, 2]


def test_an_image_over_the_servers_limit_is_not_sent():
    limits = types.Limits(max_image_bytes=4)
    with pytest.raises(errors.ImageTooLarge, match="has 5 bytes; this server takes 4"):
        check_image_size(b"image", replace(MODEL.capabilities, limits=limits))
