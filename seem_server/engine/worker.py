"""Carries work out: looks up or makes again what its keys stand for, and runs the backend.

A worker belongs to one thread. What it makes of an object's rounds is a pure function of image and
prompts, so whatever a cache has lost is made again, and comes out the same.

h, w mask logits
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from seem_server.engine import postprocess, preprocess
from seem_server.engine.cache import ByteCache
from seem_server.engine.preprocess import Prepared
from seem_server.engine.work import Decode, Encode, Encoded, MasksReady
from seem_server.runtime.backend import PromptArrays
from seem_wire import rle
from seem_wire.errors import ImageUnknown, Internal, SeemError
from seem_wire.pixels import PADDING, rasterise
from seem_wire.types import ObjectMask, Timings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from seem_server.engine.postprocess import Drawn, Label
    from seem_server.engine.preprocess import Layout
    from seem_server.engine.work import ObjectRounds, Result, Round, Work
    from seem_server.runtime.backend import Backend, Decoded, Features, TextStates
    from seem_server.runtime.bundle import BundleManifest
    from seem_wire.pixels import PromptPixels
    from seem_wire.prompts import MaskPrompt

    Float32 = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """How many bytes each cache may hold.

    Attributes:
        images_bytes: Pixels: whole until first used, then resized for the network.
        features_bytes: What the image encoder made of images.
        memory_bytes: Mask logits of rounds, and the masks drawn from them.
        texts_bytes: Texts' token states.
    """

    images_bytes: int = 512 * 1024**2
    features_bytes: int = 1024**3
    memory_bytes: int = 256 * 1024**2
    texts_bytes: int = 16 * 1024**2


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImage:
    """An image's features, and how it lies in the network's input."""

    features: Features
    layout: Layout


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network said in one round of one object; `logits` (h, w) float32."""

    logits: Float32
    score: float
    label: Label | None


class Caches:
    """What a worker keeps. Features belong to a backend; the rest outlives it."""

    def __init__(self, config: CacheConfig) -> None:
        self.images: ByteCache[Pixels | Prepared] = ByteCache(config.images_bytes)
        self.features: ByteCache[EncodedImage] = ByteCache(config.features_bytes)
        for_drawings = config.memory_bytes // 8  # run lengths are much smaller than logits
        self.answers: ByteCache[Answer] = ByteCache(config.memory_bytes - for_drawings)
        self.drawings: ByteCache[Drawn] = ByteCache(for_drawings)
        self.texts: ByteCache[TextStates] = ByteCache(config.texts_bytes)


@dataclass(slots=True, eq=False)
class _Chain:
    """An object's rounds on their way: `n_done` of them are answered, the latest in `answers`."""

    image: EncodedImage
    rounds: tuple[Round, ...]
    object_id: int
    keys: tuple[str, ...]
    n_done: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.n_done == len(self.keys)

    def add(self, answer: Answer) -> None:
        self.answers = [*self.answers[-1:], answer]  # the mask before the last tells what changed
        self.n_done += 1

    def resume(self, answers: ByteCache[Answer]) -> None:
        """Begins after the latest round that is known, and whose predecessor is, if it is last."""
        for n_done in range(len(self.keys), 0, -1):
            known = [answers.get(key) for key in self.keys[max(n_done - 2, 0) : n_done]]
            wanted = known if n_done == len(self.keys) else known[-1:]
            found = [answer for answer in wanted if answer is not None]
            if len(found) == len(wanted):
                self.n_done, self.answers = n_done, found
                return


@dataclass(slots=True, eq=False)
class _Job:
    """One piece of work on its way to its outcome."""

    work: Work
    cache_hit: bool
    chains: list[_Chain] = field(default_factory=list)
    error: SeemError | None = None


class Worker:
    """Runs batches of work on a backend, one at a time.

    `now` gives seconds on any clock that only rises.
    """

    def __init__(self, backend: Backend, caches: Caches, *, now: Callable[[], float]) -> None:
        self._backend = backend
        self._caches = caches
        self._now = now

    @property
    def _manifest(self) -> BundleManifest:
        return self._backend.manifest

    def run(self, works: Sequence[Work]) -> list[Result | SeemError]:
        """The outcome of each, in order: its result, or the typed error that it alone met.

        Timings hold what this batch spent; queue and total are the caller's to know.

        Raises:
            Exception: The backend broke; nothing is known about any of them.
        """
        started_s = self._now()
        jobs = [_Job(work, work.image_key in self._caches.features) for work in works]
        images = self._encode(job.work.image_key for job in jobs)
        for job in jobs:
            self._open(job, images.get(job.work.image_key))
        encoded_s = self._now()
        self._decode([chain for job in jobs for chain in job.chains])
        decoded_s = self._now()
        outcomes = []
        for job in jobs:
            drawing_s = self._now()
            masks = self._masks(job)
            spent = Timings(
                encode_ms=_ms(started_s, encoded_s),
                decode_ms=_ms(encoded_s, decoded_s),
                post_ms=_ms(drawing_s, self._now()),
            )
            outcomes.append(_outcome(job, masks, spent))
        return outcomes

    def _encode(self, keys: Iterable[str]) -> dict[str, EncodedImage]:
        """The features of all images that can be had; equal shapes are encoded together."""
        found: dict[str, EncodedImage] = {}
        missing: defaultdict[tuple[int, int], list[tuple[str, Prepared]]] = defaultdict(list)
        for key in dict.fromkeys(keys):
            encoded = self._caches.features.get(key)
            prepared = self._prepared(key) if encoded is None else None
            if encoded is not None:
                found[key] = encoded
            elif prepared is not None:
                frame = prepared.layout.frame
                missing[frame.height, frame.width].append((key, prepared))
        for alike in missing.values():
            inputs = [preprocess.to_input(prepared, self._manifest) for _, prepared in alike]
            made = self._backend.encode(np.concatenate(inputs))
            for (key, prepared), features in zip(alike, made, strict=True):
                found[key] = EncodedImage(features, prepared.layout)
                self._caches.features.put(key, found[key], features.nbytes)
        return found

    def _prepared(self, key: str) -> Prepared | None:
        """The resized image, which takes the place of the whole one: a fraction of its bytes."""
        image = self._caches.images.get(key)
        if image is None or isinstance(image, Prepared):
            return image
        prepared = preprocess.prepare(image, self._manifest)
        self._caches.images.put(key, prepared, prepared.nbytes)
        return prepared

    def _open(self, job: _Job, image: EncodedImage | None) -> None:
        """Finds where each object's chain of rounds has to begin."""
        work = job.work
        try:
            if image is None:
                raise ImageUnknown(f"The server does not hold the image {work.image_key}.")
            if isinstance(work, Decode):
                job.chains = [self._chain(image, one, work.image_key) for one in work.objects]
        except SeemError as error:
            job.error = error

    def _chain(self, image: EncodedImage, one: ObjectRounds, image_key: str) -> _Chain:
        chain = _Chain(image, one.rounds, one.object_id, one.memory_keys(image_key))
        chain.resume(self._caches.answers)
        for entry in chain.rounds[chain.n_done :]:
            if entry.prompt.text is not None:
                self._text_states(entry.prompt.text)  # here, where a failure fails this work alone
        return chain

    def _decode(self, chains: Sequence[_Chain]) -> None:
        """Runs all chains to their end, abreast: the next round of each in one call."""
        while pending := [chain for chain in chains if not chain.done]:
            items = [(chain.image.features, self._arrays(chain)) for chain in pending]
            for chain, decoded in zip(pending, self._backend.decode(items), strict=True):
                answer = self._answer(decoded)
                self._caches.answers.put(chain.keys[chain.n_done], answer, answer.logits.nbytes)
                chain.add(answer)

    def _arrays(self, chain: _Chain) -> PromptArrays:
        """The next round of a chain, as the decoder takes it."""
        prompt = chain.rounds[chain.n_done].prompt
        text = None if prompt.text is None else self._text_states(prompt.text)
        pixels = rasterise(prompt, chain.image.layout.frame)
        return _pack(pixels, _previous(chain, pixels), text, self._manifest.text.width)

    def _answer(self, decoded: Decoded) -> Answer:
        score = float(decoded.iou[0])
        if not math.isfinite(score):
            raise Internal("The network answered with a score that is no number.")
        label = postprocess.name(decoded.semantic[0], self._manifest.vocabulary)
        return Answer(decoded.mask_logits[0].copy(), min(max(score, 0.0), 1.0), label)

    def _object_mask(self, chain: _Chain) -> ObjectMask:
        answer = chain.answers[-1]
        drawn = self._drawn(chain, -1)
        changed = drawn.box
        if len(chain.keys) > 1:
            changed = rle.changed_box(self._drawn(chain, -2).rle, drawn.rle)
        return ObjectMask(
            object_id=chain.object_id,
            rle=drawn.rle,
            score=answer.score,
            box=drawn.box,
            area=drawn.area,
            label=None if answer.label is None else answer.label.name,
            label_probability=None if answer.label is None else answer.label.probability,
            round=len(chain.keys),
            changed=changed,
        )

    def _masks(self, job: _Job) -> tuple[ObjectMask, ...]:
        """What a job's chains came to; a typed error is its own fault, not the backend's."""
        try:
            return tuple(self._object_mask(chain) for chain in job.chains)
        except SeemError as error:
            job.error = error
            return ()

    def _drawn(self, chain: _Chain, index: int) -> Drawn:
        """The mask of one of the chain's last two answers, -1 or -2, at the original size."""
        key = chain.keys[index]
        drawn = self._caches.drawings.get(key)
        if drawn is None:
            layout, threshold = chain.image.layout, self._manifest.mask_threshold
            drawn = postprocess.draw(
                chain.answers[index].logits, layout, threshold, prompt=chain.rounds[index].prompt
            )
            self._caches.drawings.put(key, drawn, drawn.nbytes)
        return drawn

    def _text_states(self, text: str) -> TextStates:
        states = self._caches.texts.get(text)
        if states is None:
            states = self._backend.encode_text(text)
            self._caches.texts.put(text, states, states.states.nbytes)
        return states


def _outcome(job: _Job, masks: tuple[ObjectMask, ...], spent: Timings) -> Result | SeemError:
    if job.error is not None:
        return job.error
    if isinstance(job.work, Encode):
        return Encoded(job.cache_hit, spent)
    return MasksReady(job.work, masks, job.cache_hit, spent)


def _previous(chain: _Chain, pixels: PromptPixels) -> Float32 | None:
    """The mask that the next round starts from: the round's before, or one given just now."""
    given = chain.rounds[chain.n_done].prompt.mask
    before = chain.rounds[chain.n_done - 1].prompt.mask if chain.n_done else None
    if given is not None and not _same(given, before):
        return pixels.mask_logits
    return chain.answers[-1].logits if chain.answers else None


def _same(mask: MaskPrompt, other: MaskPrompt | None) -> bool:
    return other is not None and (mask is other or np.array_equal(mask.mask, other.mask))


def _pack(
    pixels: PromptPixels, previous: Float32 | None, text: TextStates | None, text_width: int
) -> PromptArrays:
    """One object's prompt as the decoder's inputs, n = 1; what was not said is masked out."""
    has_points = len(pixels.points) > 0
    states = np.zeros((1, text_width), np.float32) if text is None else text.states
    return PromptArrays(
        points=pixels.points[None] if has_points else np.zeros((1, 1, 2), np.float32),
        labels=pixels.labels[None] if has_points else np.full((1, 1), PADDING, np.float32),
        maps=pixels.maps[None],
        previous_mask=np.zeros_like(pixels.maps[:1]) if previous is None else previous[None],
        has_previous=np.array([previous is not None], np.float32),
        text=states[None],
        text_mask=np.full((1, len(states)), text is not None, np.float32),
    )


def _ms(start_s: float, end_s: float) -> float:
    return max(end_s - start_s, 0.0) * 1000
