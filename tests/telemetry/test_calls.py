from __future__ import annotations

from seem_server.telemetry import calls
from seem_wire import types


class Noting:
    """An observer and watch that notes what it is told."""

    def __init__(self):
        self.told = []

    def began(self, method, metadata):
        self.told.append((method, metadata))
        return self

    def commanded(self, asked):
        self.told.append(asked)

    def replied(self, reply):
        self.told.append(reply)

    def ended(self, code):
        self.told.append(code)


def go_through(observer):
    watch = observer.began("Interact", {"a": "b"})
    watch.commanded(types.Undo(1))
    watch.replied(types.Done(1))
    watch.ended("OK")


def test_all_observers_are_told_all():
    seen = [Noting(), Noting()]
    go_through(calls.WatchedByAll([*seen, calls.Unwatched()]))
    expected = [("Interact", {"a": "b"}), types.Undo(1), types.Done(1), "OK"]
    assert seen[0].told == seen[1].told == expected


def test_outside_of_a_call_nobody_looks():
    assert isinstance(calls.watch.get(), calls.Unwatched)
