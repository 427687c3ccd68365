from __future__ import annotations

from typing import get_args

from seem_server.session import events
from seem_wire import types


def test_every_command_of_the_wire_is_an_event_and_an_image_is_read_first():
    wire = set(get_args(types.Command)) - {types.SetImage, types.Frame, types.Attach}
    assert set(get_args(events.Command)) == wire | {events.ImageRead, events.FrameRead}


def test_a_read_image_brings_no_bytes():
    read = events.ImageRead(2, "a" * 64, (3, 4))
    assert "bytes" not in repr(read)
    assert not read.cache_hit
