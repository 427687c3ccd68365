"""The stages of a first mask and of a click, each by itself, as the server carries them out."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seem_server.commands.bench import IMAGE_SIZE, made_photos
from seem_server.engine import packing, postprocess, preprocess
from seem_server.engine.packing import Said
from seem_server.engine.work import Decode, MasksReady, ObjectRounds, Round
from seem_server.engine.worker import CacheConfig, Caches, Worker
from seem_server.runtime.kernels import read_record
from seem_server.runtime.manifest import IMAGE_ENCODER, PROMPT_DECODER, TEXT_ENCODER
from seem_server.runtime.onnx_backend import open_backend
from seem_server.service.ingest import read_image
from seem_wire import types
from seem_wire.convert import reply_to_proto
from seem_wire.errors import Internal
from seem_wire.prompts import ObjectPrompt, Point
from seem_wire.types import Limits, PromptKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seem_server.runtime.backend import Backend, Decoded, Prompts
    from seem_server.runtime.bundle import Bundle
    from seem_server.runtime.kernels import Kernel
    from seem_wire.types import ObjectMask

TEXT = "the small dog on the left"
RECORDED_RUNS = 5
IMAGE_KEY = "photo"

READ, RESIZE, NORMALISE = "read the JPEG", "resize it", "normalise it"
ENCODE, DECODE, READ_TEXT = "encode the image", "decode a click", "read six words"
PACK, DRAW, REPLY = "say the click in arrays", "draw its mask", "write the reply"
CLICK = "a click, all of it"
GRAPHS = {ENCODE: IMAGE_ENCODER, DECODE: PROMPT_DECODER, READ_TEXT: TEXT_ENCODER}


@dataclass(frozen=True, slots=True)
class Demand:
    """What a stage computes, and the bytes that no program could spare.

    `kernels`: the steps of a graph; none of what is no graph.
    """

    operations: int
    nbytes: int
    kernels: tuple[Kernel, ...] = ()


class Stages:
    """One photo of IMAGE_SIZE, an object clicked in its middle, and the second click on it.

    The photo is clicked so that nothing is small, and no window is looked through.
    """

    def __init__(self, backend: Backend) -> None:
        manifest = self._manifest = backend.manifest
        self._backend = backend
        self._file = next(made_photos(1))
        self._pixels = read_image(self._file, Limits())
        self._prepared = preprocess.prepare(self._pixels, manifest)
        self._input = preprocess.to_input(self._prepared, manifest)
        (self._features,) = backend.encode(self._input)
        height, width = IMAGE_SIZE
        first = ObjectPrompt(points=(Point(width / 2, height / 2),))
        second = Point(width / 2 + 40, height / 2 + 40)
        self._prompt = replace(first, points=(*first.points, second))
        self._said = Said(first)
        self._logits = self._decode().mask_logits[0].copy()
        self._said = Said(self._prompt, before=first, logits=self._logits)
        self._decoded = self._decode()
        self._caches = Caches(CacheConfig())
        self._caches.images.put(IMAGE_KEY, self._pixels, self._pixels.nbytes)
        self._worker = Worker(backend, self._caches, now=lambda: 0.0)
        self._n_clicks = 0
        self._masks = self._click()

    def each(self) -> Mapping[str, Callable[[], object]]:
        """What carries out each stage, by its name, in the order of a first mask."""
        manifest, layout = self._manifest, self._prepared.layout
        stages: dict[str, Callable[[], object]] = {
            READ: lambda: read_image(self._file, Limits()),
            RESIZE: lambda: preprocess.prepare(self._pixels, manifest),
            NORMALISE: lambda: preprocess.to_input(self._prepared, manifest),
            ENCODE: lambda: self._backend.encode(self._input),
            PACK: self._pack,
            DECODE: self._decode,
            DRAW: lambda: postprocess.draw_for(self._prompt, self._logits, layout, manifest),
            REPLY: self._reply,
            CLICK: self._click,
        }
        if PromptKind.TEXT in manifest.prompts:
            stages[READ_TEXT] = lambda: self._backend.encode_text(TEXT)
        return stages

    def nbytes(self) -> Mapping[str, int]:
        """The bytes that each stage takes and gives; without a graph's weights."""
        said = self._pack()
        made = sum(getattr(said, one.name).nbytes for one in fields(said))
        masks = self._pixels.nbytes // 3  # a byte a pixel
        counts = sum(len(one.rle.counts) for one in self._masks)
        own = {
            READ: len(self._file) + self._pixels.nbytes,
            RESIZE: self._pixels.nbytes + self._prepared.nbytes,
            NORMALISE: self._prepared.nbytes + self._input.nbytes,
            ENCODE: self._input.nbytes + self._features.nbytes,
            PACK: made,
            DECODE: made + self._features.nbytes + _answered(self._decoded),
            DRAW: self._logits.nbytes + masks,
            REPLY: 2 * counts,
        }
        return own | {READ_TEXT: 0}

    def _pack(self) -> Prompts:
        return packing.pack(self._said, self._prepared.layout.frame, self._manifest)

    def _decode(self) -> Decoded:
        (decoded,) = self._backend.decode([(self._features, self._pack())])
        return decoded

    def _reply(self) -> bytes:
        reply = types.Masks(1, self._masks, (), types.Timings(), True, self._manifest.model_id)
        return reply_to_proto(reply).SerializeToString()

    def _click(self) -> tuple[ObjectMask, ...]:
        """The second click as the worker does it, each time on an object of which it knows one."""
        self._n_clicks += 1
        first, second = self._prompt.points
        moved = replace(second, x=second.x + self._n_clicks / 1024)  # or the answer were kept
        rounds = [Round(1, ObjectPrompt(points=(first,)))]
        rounds.append(Round(2, ObjectPrompt(points=(first, moved))))
        work = Decode("bench", 2, IMAGE_KEY, (ObjectRounds(1, tuple(rounds)),))
        (outcome,) = self._worker.run([work])
        if not isinstance(outcome, MasksReady):
            raise Internal(f"The click was not answered: {outcome}")
        return outcome.masks


def demands(bundle: Bundle, *, provider: str, threads: int) -> Mapping[str, Demand]:
    """What each stage asks of the machine; the graphs' by the record of their kernels."""
    with tempfile.TemporaryDirectory() as folder:
        backend = open_backend(bundle, provider=provider, n_threads=threads, records=Path(folder))
        stages = Stages(backend)
        for _ in range(RECORDED_RUNS):
            for name in GRAPHS.keys() & stages.each().keys():
                stages.each()[name]()
        records = backend.records()
        kernels = {
            name: read_record(records[file], runs=RECORDED_RUNS)
            for name, file in GRAPHS.items()
            if file in records
        }
    found = {}
    for name, nbytes in stages.nbytes().items():
        steps = kernels.get(name, ())
        weights = sum(one.weight_bytes for one in steps)
        found[name] = Demand(sum(one.operations for one in steps), nbytes + weights, steps)
    parts = [found[name] for name in (PACK, DECODE, DRAW)]
    steps = found[DECODE].kernels
    whole = Demand(sum(p.operations for p in parts), sum(p.nbytes for p in parts), steps)
    return {name: (found | {CLICK: whole})[name] for name in stages.each()}


def _answered(decoded: Decoded) -> int:
    others = decoded.hypotheses
    return decoded.mask_logits.nbytes + (0 if others is None else others.mask_logits.nbytes)
