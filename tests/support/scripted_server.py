"""A real gRPC server that answers as a test tells it to, for what a whole server never does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import grpc

from seem_client.channel import ROUTE_KEY
from seem_wire import convert, types
from seem_wire.prompts import Box
from seem_wire.rle import Rle
from seem_wire.v1 import seem_pb2_grpc

SIZE = (4, 6)
PROMPTS = frozenset(types.PromptKind)
MODEL = types.ModelCard(
    "model@1", "model", "fake", types.Capabilities(PROMPTS, types.COMMAND_NAMES)
)
TIMINGS = types.Timings(decode_ms=2.0, total_ms=3.0)
HANG_UP = object()
"""An answer that breaks the stream instead."""
LEAVE = object()
"""An answer that ends the stream in peace."""


def object_mask(object_id=1, **fields):
    """A mask of the first two pixels of the first column."""
    rle = Rle(*SIZE, "02f0")
    return types.ObjectMask(object_id, rle, 0.5, Box(0, 0, 1, 2), 2, **fields)


def masks(seq, *object_ids, removed=()):
    objects = tuple(map(object_mask, object_ids))
    return types.Masks(seq, objects, tuple(removed), TIMINGS, model_id=MODEL.model_id)


def segments(seq):
    """A cat and the grass that it sits on."""
    cat = object_mask(1, label="cat", label_probability=0.9, is_thing=True)
    grass = object_mask(2, label="grass", label_probability=0.8, is_thing=False)
    return types.Segments(seq, (cat, grass), TIMINGS, model_id=MODEL.model_id)


def obey(command):
    """What a good server answers."""
    match command:
        case types.OpenImage():
            return types.Opened(command.seq, "session-1", MODEL)
        case types.SetImage() | types.Frame():
            return types.ImageSet(command.seq, "a" * 64, SIZE)
        case types.Prompt():
            return masks(command.seq, *(one.object_id for one in command.objects))
        case types.Propagate():
            return replace(masks(command.seq, 1), frame=command.frame)
        case types.Undo() | types.Redo() | types.Choose():
            return masks(command.seq, 1)
        case types.Everything():
            return segments(command.seq)
        case _:
            return types.Done(command.seq)


class _Servicer(seem_pb2_grpc.SeemServicer):
    def __init__(self, answer, segment, model, routes):
        self._answer, self._segment, self._model = answer, segment, model
        self._routes = routes

    def Interact(self, request_iterator, context):  # noqa: N802 - the name is the contract's
        self._routes.append(dict(context.invocation_metadata()).get(ROUTE_KEY))
        for message in request_iterator:
            reply = self._answer(convert.command_from_proto(message))
            if reply is HANG_UP:
                context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
            if reply is LEAVE:
                return
            if reply is not None:
                replies = reply if isinstance(reply, list) else [reply]
                yield from map(convert.reply_to_proto, replies)

    def Segment(self, request, context):  # noqa: N802 - the name is the contract's
        outcome = self._segment(convert.segment_from_proto(request))
        if isinstance(outcome, Exception):
            context.set_trailing_metadata(
                [(convert.ERROR_METADATA_KEY, convert.error_to_bytes(outcome))]
            )
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused")
        return convert.segmented_to_proto(outcome)

    def GetSession(self, request, context):  # noqa: N802 - the name is the contract's
        self._routes.append(dict(context.invocation_metadata()).get(ROUTE_KEY))
        return convert.session_card_to_proto(types.SessionCard(request.session_id, "model@1"))

    def GetModel(self, request, context):  # noqa: N802, ARG002 - the name is the contract's
        return convert.model_card_to_proto(self._model)


@contextmanager
def scripted_server(answer=obey, *, segment=None, model=MODEL, routes=None):
    """The address of a server that answers each command with what `answer(command)` gives.

    That is a reply, a list of replies, None for silence, HANG_UP or LEAVE. `routes` gets the route
    of each stream, and of each question about a session.
    """
    routes = [] if routes is None else routes
    server = grpc.server(ThreadPoolExecutor(8))
    seem_pb2_grpc.add_SeemServicer_to_server(_Servicer(answer, segment, model, routes), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
