"""What a session would say if nothing went wrong: the pure fold, and a worker that computes."""

from __future__ import annotations

from dataclasses import replace

from service_words import FILM, HEIGHT, KEY, OTHER, OTHER_KEY, PHOTO, WIDTH

from seem_server.engine.work import Decode, Encode, Everything, Follow
from seem_server.engine.worker import CacheConfig, Caches, Drawing, Unfinished, Worker
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.service.ingest import read_image
from seem_server.session.events import FrameRead, ImageRead, Send
from seem_server.session.machine import step
from seem_server.session.state import State
from seem_wire import types
from seem_wire.prompts import ExamplePrompt


class Undisturbed:
    """A session of `model` whose commands are answered at once, one after the other."""

    def __init__(self, session_id, model):
        self.state = State(session_id, model)
        caches = Caches(CacheConfig())
        for data in (PHOTO, OTHER, *FILM):
            pixels = read_image(data, types.Limits())
            caches.images.put(types.content_hash(data), pixels, pixels.nbytes)
        self._worker = Worker(FakeBackend(), caches, now=lambda: 0.0)

    def ask(self, command):
        """The reply to a command."""
        replies = self._fold(_event(command))
        (reply,) = [reply for reply in replies if reply.seq == command.seq]
        return reply

    def masks(self):
        """The masks that stand, by object; of a video none."""
        if self.state.video is not None:
            return {}
        standing = tuple(one.to_answer() for one in self.state.history.objects if one.rounds)
        if not standing:
            return {}
        work = Decode("", 0, self.state.image.key, standing)
        return {one.object_id: one for one in self._outcome(work).masks}

    def _fold(self, event):
        self.state, effects = step(self.state, event)
        replies = [effect.reply for effect in effects if isinstance(effect, Send)]
        for effect in effects:
            if isinstance(effect, Decode | Everything | Follow):
                replies += self._fold(self._outcome(effect))
        return replies

    def _outcome(self, work):
        (outcome,) = self._worker.run([work])
        while isinstance(outcome, Unfinished):
            (outcome,) = self._worker.run([outcome.work])
        if isinstance(outcome, Drawing):
            return outcome.finish(now=lambda: 0.0)
        if isinstance(outcome, Exception):
            return types.Failed.of(work.seq, outcome)
        assert not isinstance(work, Encode)
        return outcome


def _event(command):
    match command:
        case types.SetImage():
            return ImageRead(command.seq, KEY, (HEIGHT, WIDTH))
        case types.Frame(seq, index, image):
            return FrameRead(seq, index, types.content_hash(image.data), (HEIGHT, WIDTH))
        case types.Prompt():
            return replace(command, objects=tuple(map(_read, command.objects)))
        case _:
            return command


def _read(one):
    if one.example is None:
        return one
    shown = ExamplePrompt(OTHER_KEY, one.example.mask.mask)
    return types.PromptedObject(one.object_id, replace(one.prompt, example=shown))
