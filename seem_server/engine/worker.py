"""Carries work out: looks up or makes again what its keys stand for, and runs the backend.

A worker belongs to one thread. What it makes of an object's rounds is a pure function of image and
prompts, so whatever a cache has lost is made again, and comes out the same.

h, w mask logits
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from seem_server.engine import (
    composing,
    findings,
    looking,
    packing,
    postprocess,
    preprocess,
    readings,
    zoom,
)
from seem_server.engine.cache import ByteCache
from seem_server.engine.chains import Answer, Chain, EncodedImage, Look, from_start
from seem_server.engine.findings import Names
from seem_server.engine.following import Follower
from seem_server.engine.packing import Said
from seem_server.engine.preprocess import Prepared
from seem_server.engine.shelf import NoShelf, keep, take_up
from seem_server.engine.tidy import tidy
from seem_server.engine.work import (
    Decode,
    Encoded,
    Everything,
    Follow,
    Followed,
    MasksReady,
    SegmentsReady,
    prompt_digest,
)
from seem_server.runtime.backend import Findings
from seem_server.runtime.specs import QueriesSpec
from seem_wire import rle
from seem_wire.errors import ImageUnknown, Internal, MaskSizeMismatch, NotOffered, SeemError
from seem_wire.pixels import MAX_PIXELS, mask_pixels, rasterise
from seem_wire.prompts import MaskPrompt, ObjectPrompt
from seem_wire.types import Hypothesis, ObjectMask, PromptKind, Timings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from seem_server.engine.matching import Places, Remembered
    from seem_server.engine.postprocess import Drawn, Label
    from seem_server.engine.readings import Reading
    from seem_server.engine.searching import Search
    from seem_server.engine.shelf import Shelf
    from seem_server.engine.work import ObjectRounds, Work
    from seem_server.engine.zoom import Window
    from seem_server.runtime.backend import (
        Backend,
        Decoded,
        ExampleTokens,
        Prompts,
        TextStates,
    )
    from seem_server.runtime.specs import BundleManifest, EverythingSpec
    from seem_wire.prompts import Box, ExamplePrompt

    Float32 = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]


TEMPLATE = "{}."
"""What a name of somebody's own vocabulary is put into before a published model encodes it."""

WORDS_AT_ONCE = 16
"""Names that are read before clicks get their turn: about a quarter of a second on a CPU."""


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """How many bytes each cache may hold.

    Attributes:
        images_bytes: Pixels: whole until first used, then resized for the network.
        features_bytes: What the image encoder made of images.
        memory_bytes: Mask logits of rounds, and the masks drawn from them.
        texts_bytes: Texts' token states.
        examples_bytes: Tokens of examples.
        findings_bytes: What was found in images that everything was asked of.
        places_bytes: What videos' frames look like, place by place, and what is remembered of that.
    """

    images_bytes: int = 512 * 1024**2
    features_bytes: int = 1024**3
    memory_bytes: int = 256 * 1024**2
    texts_bytes: int = 16 * 1024**2
    examples_bytes: int = 64 * 1024**2
    findings_bytes: int = 256 * 1024**2
    places_bytes: int = 128 * 1024**2


class Caches:
    """What a worker keeps. Features belong to a backend; the rest outlives it."""

    def __init__(self, config: CacheConfig) -> None:
        self.images: ByteCache[Pixels | Prepared] = ByteCache(config.images_bytes)
        self.features: ByteCache[EncodedImage] = ByteCache(config.features_bytes)
        for_drawings = config.memory_bytes // 8  # run lengths are much smaller than logits
        self.answers: ByteCache[Answer] = ByteCache(config.memory_bytes - for_drawings)
        self.drawings: ByteCache[Drawn] = ByteCache(for_drawings)
        self.texts: ByteCache[TextStates] = ByteCache(config.texts_bytes)
        self.examples: ByteCache[ExampleTokens] = ByteCache(config.examples_bytes)
        self.findings: ByteCache[Findings | Search] = ByteCache(config.findings_bytes)
        self.places: ByteCache[Places] = ByteCache(config.places_bytes // 2)
        self.memories: ByteCache[Remembered] = ByteCache(config.places_bytes // 2)


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """Everything was found, and its segments are still to be drawn: that needs no device.

    So it is left to whoever has time: drawing what is in a large image takes seconds.
    """

    work: Everything
    cache_hit: bool
    draw: Callable[[], tuple[ObjectMask, ...]] = field(repr=False)
    timings: Timings = Timings()

    def finish(self, *, now: Callable[[], float]) -> SegmentsReady:
        """Draws."""
        started_s = now()
        segments = self.draw()
        spent = replace(self.timings, post_ms=self.timings.post_ms + _ms(started_s, now()))
        return SegmentsReady(self.work, segments, self.cache_hit, spent)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A long vocabulary was read in part, or an image searched in part.

    Give `work` again, after what is more urgent; it may differ from what was given.
    """

    work: Everything


Outcome = Encoded | MasksReady | Followed | Drawing | Unfinished | SeemError


@dataclass(slots=True, eq=False)
class _Job:
    """One piece of work on its way to its outcome."""

    work: Work
    cache_hit: bool
    image: EncodedImage | None = None
    chains: list[Chain] = field(default_factory=list)
    outcome: Drawing | Unfinished | Followed | None = None
    error: SeemError | None = None


class Worker:
    """Runs batches of work on a backend, one at a time.

    `now` gives seconds on any clock that only rises. `shelf` keeps answers beyond the caches.
    """

    def __init__(
        self,
        backend: Backend,
        caches: Caches,
        *,
        now: Callable[[], float],
        shelf: Shelf | None = None,
    ) -> None:
        self._backend = backend
        self._caches = caches
        self._now = now
        self._shelf = shelf or NoShelf()
        self._zoomed_s = 0.0
        """Of the batch that runs: encoding windows, which is known while decoding only."""

    @property
    def _manifest(self) -> BundleManifest:
        return self._backend.manifest

    def run(self, works: Sequence[Work]) -> list[Outcome]:
        """The outcome of each, in order: its result, or the typed error that it alone met.

        Timings hold what this batch spent; queue and total are the caller's to know.

        Raises:
            Exception: The backend broke; nothing is known about any of them.
        """
        started_s = self._now()
        self._zoomed_s = 0.0
        jobs = [_Job(work, work.image_key in self._caches.features) for work in works]
        images = self._encode(job.work.image_key for job in jobs)
        for job in jobs:
            self._open(job, images.get(job.work.image_key))
        encoded_s = self._now()
        self._decode([chain for job in jobs for chain in job.chains])
        for job in jobs:
            self._find(job)
            self._follow(job)
        decoded_s = self._now()
        outcomes: list[Outcome] = []
        for job in jobs:
            drawing_s = self._now()
            outcome = self._outcome(job)
            spent = Timings(
                encode_ms=_ms(started_s, encoded_s + self._zoomed_s),
                decode_ms=_ms(encoded_s + self._zoomed_s, decoded_s),
                post_ms=_ms(drawing_s, self._now()),
            )
            if not isinstance(outcome, SeemError | Unfinished):
                outcome = replace(outcome, timings=spent)
            outcomes.append(outcome)
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
        """The resized image, which takes the place of the whole one: a fraction of its bytes.

        But where windows may be cut out of it, the whole one stays.
        """
        image = self._caches.images.get(key)
        if image is None or isinstance(image, Prepared):
            return image
        prepared = preprocess.prepare(image, self._manifest)
        if not self._manifest.zooms:
            self._caches.images.put(key, prepared, prepared.nbytes)
        return prepared

    def _open(self, job: _Job, image: EncodedImage | None) -> None:
        """Finds where each object's chain of rounds has to begin."""
        work = job.work
        try:
            if image is None:
                raise ImageUnknown(f"The server does not hold the image {work.image_key}.")
            job.image = image
            if isinstance(work, Decode):
                job.chains = [self._chain(image, one, work) for one in work.objects]
        except SeemError as error:
            job.error = error

    def _chain(self, image: EncodedImage, one: ObjectRounds, work: Decode) -> Chain:
        keys = one.memory_keys(work.image_key)
        start = None if one.start is None else MaskPrompt(rle.decode(one.start))
        chain = Chain(
            *(image, from_start(one.rounds, start), one.object_id, keys),
            image_key=work.image_key,
            owner=work.owner,
            start=start,
        )
        chain.resume(self._caches.answers)
        if take_up(self._shelf, self._manifest.model_id, chain):
            self._remember(chain)
        if self._manifest.zooms and not chain.done:
            pixels = self._caches.images.get(work.image_key)
            if pixels is None or isinstance(pixels, Prepared):
                raise ImageUnknown(f"The server does not hold the image {work.image_key}.")
            chain.pixels = pixels
        for entry in chain.pending:  # encoded here, where a failure fails this work alone
            if entry.prompt.text is not None:
                self._text_states(entry.prompt.text, work.owner)
            if entry.prompt.example is not None:
                self._example_tokens(entry.prompt.example)
        return chain

    def _decode(self, chains: Sequence[Chain]) -> None:
        """Runs all chains to their end, abreast: the next round of each in one call.

        Those whose object turned out small are looked at closer before their round ends.
        """
        while pending := [chain for chain in chains if not chain.done]:
            looks = [self._look(chain) for chain in pending]
            answers = self._answers(pending, looks, [self._remembered(chain) for chain in pending])
            windows = [
                self._closer(chain, look, answer)
                for chain, look, answer in zip(pending, looks, answers, strict=True)
            ]
            again = [i for i, window in enumerate(windows) if window is not None]
            closer = self._answers(
                [pending[i] for i in again],
                [self._through(pending[i], windows[i]) for i in again],
                [answers[i] for i in again],
            )
            for i, answer in zip(again, closer, strict=True):
                answers[i] = replace(answer, presence=answers[i].presence, others=answers[i].others)
            for chain, answer in zip(pending, answers, strict=True):
                chain.add(answer)
                self._remember(chain)
                keep(self._shelf, self._manifest.model_id, chain)

    def _remember(self, chain: Chain) -> None:
        newest = chain.answers[-1]
        self._caches.answers.put(chain.keys[chain.n_done - 1], newest, newest.nbytes)

    def _look(self, chain: Chain) -> Look:
        """Where the next round looks first: through the last window, while that serves."""
        last = self._remembered(chain)
        if last is not None and last.window is not None:
            thing = zoom.subject(chain.pending[0].prompt, self._extent(chain, last))
            size = chain.image.layout.size
            long_side = self._manifest.image.long_side
            if thing is not None and zoom.still_serves(last.window, thing, size, long_side):
                return self._through(chain, last.window)
        return Look(chain.image)

    def _closer(self, chain: Chain, look: Look, answer: Answer) -> Window | None:
        """The window to look through again, where a look at the whole image found a small thing."""
        entry = chain.pending[0]
        chosen = entry.choice is not None and entry.choice > 0  # that mask was shown, and stays
        if not self._manifest.zooms or look.window is not None or chosen:
            return None
        if self._is_absent(answer, entry.prompt):
            return None
        thing = zoom.subject(entry.prompt, self._extent(chain, answer, entry.prompt))
        if thing is None:
            return None
        size, long_side = chain.image.layout.size, self._manifest.image.long_side
        return zoom.window_around(thing, size, long_side)

    def _extent(
        self, chain: Chain, answer: Answer, prompt: ObjectPrompt | None = None
    ) -> Box | None:
        """Around an answer's mask, in pixels of the image, without its crumbs."""
        size = chain.image.layout.size
        window = answer.window or zoom.whole(size)
        layout = preprocess.lay_out(window.size, self._manifest)
        rows, columns = postprocess.shown_cells(layout)
        asked = zoom.within(prompt or chain.rounds[chain.n_done - 1].prompt, window)
        threshold = self._manifest.mask_threshold
        tidied = tidy(answer.logits[:rows, :columns], asked, layout.frame, threshold)
        return zoom.extent(tidied > threshold, layout, window)

    def _through(self, chain: Chain, window: Window | None) -> Look:
        """A look through a window, encoded once and kept like an image."""
        if window is None or chain.pixels is None:
            return Look(chain.image)
        key = f"{chain.image_key} {window}"
        encoded = self._caches.features.get(key)
        if encoded is None:
            started_s = self._now()
            part = chain.pixels[window.y0 : window.y1, window.x0 : window.x1]
            prepared = preprocess.prepare(np.ascontiguousarray(part), self._manifest)
            (features,) = self._backend.encode(preprocess.to_input(prepared, self._manifest))
            encoded = EncodedImage(features, prepared.layout)
            self._caches.features.put(key, encoded, features.nbytes)
            self._zoomed_s += self._now() - started_s
        return Look(encoded, window)

    def _answers(
        self, chains: Sequence[Chain], looks: Sequence[Look], before: Sequence[Answer | None]
    ) -> list[Answer]:
        """The answers of the next round of each chain, as each look sees it."""
        if not chains:
            return []
        items = [
            (look.image.features, self._arrays(chain, look, last))
            for chain, look, last in zip(chains, looks, before, strict=True)
        ]
        decoded = self._backend.decode(items)
        return [
            self._answer(chain, look, one)
            for chain, look, one in zip(chains, looks, decoded, strict=True)
        ]

    def _arrays(self, chain: Chain, look: Look, last: Answer | None) -> Prompts:
        """The next round of a chain, as the decoder takes it."""
        prompt = chain.pending[0].prompt
        before = chain.rounds[chain.n_done - 1].prompt if chain.n_done else None
        said = Said(
            prompt if look.window is None else zoom.within(prompt, look.window),
            before=before
            if before is None or look.window is None
            else zoom.within(before, look.window),
            logits=None if last is None else self._carried(chain, look, last),
            text=None if prompt.text is None else self._text_states(prompt.text, chain.owner),
            example=None if prompt.example is None else self._example_tokens(prompt.example),
        )
        return packing.pack(said, look.image.layout.frame, self._manifest)

    def _carried(self, chain: Chain, look: Look, last: Answer) -> Float32:
        """An answer's logits on the grid of a look."""
        if look.window == last.window:
            return last.logits
        size = chain.image.layout.size
        seen, shown = last.window or zoom.whole(size), look.window or zoom.whole(size)
        layout = preprocess.lay_out(seen.size, self._manifest)
        return zoom.carried(last.logits, layout, seen, look.image.layout, shown)

    def _answer(self, chain: Chain, look: Look, decoded: Decoded) -> Answer:
        """The reading that the round chose or that policy takes, and for later choices the rest."""
        entry = chain.pending[0]
        ranked = readings.ranked(
            readings.of_decoded(decoded, look.window),
            postprocess.shown_cells(look.image.layout),
            self._manifest.mask_threshold,
            ambiguous=look.window is None
            and readings.is_ambiguous(entry.prompt, is_first=chain.is_at_beginning),
        )
        if entry.choice is not None:
            if entry.choice >= len(ranked):
                raise Internal(f"The round has no hypothesis {entry.choice} any more.")
            ranked = ranked[entry.choice : entry.choice + 1]
        meant, *others = ranked
        if entry.as_given:
            meant, others = replace(meant, logits=_given(entry.prompt, look)), []
        label, presence = self._label(meant.semantic), readings.presence_of(decoded)
        return Answer(meant.logits, meant.score, label, presence, tuple(others), look.window)

    def _label(self, semantic: Float32) -> Label | None:
        label = postprocess.name(semantic, self._manifest.vocabulary)
        if label is not None and self._manifest.everything is not None:
            nothing = self._manifest.vocabulary.names[-1]
            label = None if label.name == nothing else label
        return label

    def _object_mask(self, chain: Chain) -> ObjectMask:
        answer = chain.answers[-1]
        drawn = self._drawn(chain, -1)
        changed = drawn.box
        if len(chain.keys) > 1:
            changed = rle.changed_box(self._drawn(chain, -2).rle, drawn.rle)
        absent = self._is_absent(answer, chain.rounds[-1].prompt)
        label = None if absent else answer.label
        return ObjectMask(
            object_id=chain.object_id,
            rle=drawn.rle,
            score=answer.score,
            box=drawn.box,
            area=drawn.area,
            label=None if label is None else label.name,
            label_probability=None if label is None else label.probability,
            round=len(chain.keys),
            changed=changed,
            presence=answer.presence,
            hypotheses=self._hypotheses(chain) if chain.rounds[-1].wants_hypotheses else (),
        )

    def _hypotheses(self, chain: Chain) -> tuple[Hypothesis, ...]:
        """What the last round may have meant, its mask first; none where nothing is there."""
        answer, entry = chain.answers[-1], chain.rounds[-1]
        if self._is_absent(answer, entry.prompt):
            return ()
        drawn = [(self._drawn(chain, -1), answer.score)]
        for number, other in enumerate(answer.others, 1):
            key = f"{chain.keys[-1]} {number}"
            drawn.append((self._draw(key, entry.prompt, other, chain.image), other.score))
        return tuple(Hypothesis(one.rle, score, one.box, one.area) for one, score in drawn)

    def _remembered(self, chain: Chain) -> Answer | None:
        """The answer that the next round builds on; None where nothing that led to it still holds.

        An answer of absence is a mask of something else.
        """
        if not chain.answers:
            return None
        last, before = chain.answers[-1], chain.rounds[chain.n_done - 1].prompt
        if self._is_absent(last, before) or not readings.holds(before, chain.pending[0].prompt):
            return None
        return last

    def _is_absent(self, answer: Answer, prompt: ObjectPrompt) -> bool:
        return readings.is_absent(prompt, answer.presence, self._manifest.presence_threshold)

    def _outcome(self, job: _Job) -> Outcome:
        """What a job came to; a typed error is its own fault, not the backend's."""
        if job.error is not None:
            return job.error
        if job.outcome is not None:
            return job.outcome
        if not isinstance(job.work, Decode):
            return Encoded(job.cache_hit, Timings())
        try:
            masks = tuple(self._object_mask(chain) for chain in job.chains)
        except SeemError as error:
            return error
        return MasksReady(job.work, masks, job.cache_hit, Timings())

    def _find(self, job: _Job) -> None:
        """Looks for everything, as far as its work asks for that and is not refused."""
        work, spec = job.work, self._manifest.everything
        if not isinstance(work, Everything) or job.image is None or job.error is not None:
            return
        try:
            if spec is None:
                raise NotOffered("This model can't tell what is in an image.")
            names = self._names(work, spec)
            if names is None:
                job.outcome = Unfinished(work)
            else:
                job.outcome = self._drawing(job, job.image, work, names, spec)
        except SeemError as error:
            job.error = error

    def _follow(self, job: _Job) -> None:
        """Follows objects to a frame, where that is the work."""
        work = job.work
        if not isinstance(work, Follow) or job.error is not None:
            return
        places, memories = self._caches.places, self._caches.memories
        follower = Follower(self._backend, places, memories, self._encode)
        try:
            masks = follower.follow(work, self._label)
        except SeemError as error:
            job.error = error
        else:
            job.outcome = Followed(work, masks, job.cache_hit, Timings())

    def _drawing(
        self, job: _Job, image: EncodedImage, work: Everything, names: Names, spec: EverythingSpec
    ) -> Drawing | Unfinished:
        """What is left to draw of a question, or its next turn, where clicks search the image."""
        if spec.clicks is None:
            segment = partial(findings.segment, self._findings(work.image_key, image))
        else:
            search = looking.look(self._backend, self._caches.findings, work, image, spec)
            if not search.is_over:
                return Unfinished(replace(work, n_clicks=search.n_clicks))
            segment = partial(composing.compose, search)
        draw = partial(segment, image.layout, names, spec, kind=work.kind, threshold=work.threshold)
        return Drawing(work, job.cache_hit, draw)

    def _findings(self, key: str, image: EncodedImage) -> Findings:
        found = self._caches.findings.get(key)
        if not isinstance(found, Findings):
            found = self._backend.find(image.features)
            self._caches.findings.put(key, found, found.nbytes)
        return found

    def _names(self, work: Everything, spec: EverythingSpec) -> Names | None:
        """The names to look for; None where some of many words were read, and more are to be."""
        words, vocabulary = work.vocabulary, self._manifest.vocabulary
        if words is None:
            return Names.of_bundle(vocabulary, spec)
        template = TEMPLATE if isinstance(self._manifest.decoder, QueriesSpec) else "{}"
        texts = [template.format(word) for word in words]
        unread = [text for text in texts if _text_key(text, work.owner) not in self._caches.texts]
        for text in unread[:WORDS_AT_ONCE]:
            self._text_states(text, work.owner)
        left = [text for text in texts if _text_key(text, work.owner) not in self._caches.texts]
        if left and len(left) < len(unread):  # fewer each time: it comes to an end
            return None
        sentences = [self._text_states(text, work.owner).sentence for text in texts]
        return Names.of_words(words, np.stack(sentences), vocabulary, spec.n_things)

    def _drawn(self, chain: Chain, index: int) -> Drawn:
        """The mask of one of the chain's last two answers, -1 or -2, at the original size."""
        answer, prompt = chain.answers[index], chain.rounds[index].prompt
        if self._is_absent(answer, prompt):
            return postprocess.draw_nothing(chain.image.layout.size)
        if chain.rounds[index].as_given and prompt.mask is not None:
            return postprocess.draw_mask(prompt.mask.mask)
        return self._draw(chain.keys[index], prompt, answer, chain.image)

    def _draw(
        self, key: str, prompt: ObjectPrompt, shown: Answer | Reading, image: EncodedImage
    ) -> Drawn:
        drawn = self._caches.drawings.get(key)
        if drawn is None:
            drawn = postprocess.draw_for(
                prompt, shown.logits, image.layout, self._manifest, shown.window
            )
            self._caches.drawings.put(key, drawn, drawn.nbytes)
        return drawn

    def _text_states(self, text: str, owner: str) -> TextStates:
        key = _text_key(text, owner)
        states = self._caches.texts.get(key)
        if states is None:
            states = self._backend.encode_text(text)
            self._caches.texts.put(key, states, states.states.nbytes)
        return states

    def _example_tokens(self, example: ExamplePrompt) -> ExampleTokens:
        key = prompt_digest(ObjectPrompt(example=example)).hex()
        tokens = self._caches.examples.get(key)
        if tokens is None:
            if PromptKind.EXAMPLE not in self._manifest.prompts:
                raise NotOffered("This model takes no examples.")
            image = self._encode([example.image]).get(example.image)
            if image is None:
                raise ImageUnknown(f"The server does not hold the example {example.image}.")
            if example.mask.shape != image.layout.size:
                raise MaskSizeMismatch("The example's mask is not of its image's size.")
            points = mask_pixels(example.mask, image.layout.frame, self._max_points).positive
            tokens = self._backend.encode_example(image.features, points.astype(np.float32))
            self._caches.examples.put(key, tokens, tokens.nbytes)
        return tokens

    @property
    def _max_points(self) -> int:
        decoder = self._manifest.decoder
        return decoder.max_points if isinstance(decoder, QueriesSpec) else MAX_PIXELS


def _given(prompt: ObjectPrompt, look: Look) -> Float32:
    """The mask of a prompt on the grid of a look, (h, w), as sure as a given mask is."""
    shown = prompt if look.window is None else zoom.within(prompt, look.window)
    logits = rasterise(shown, look.image.layout.frame).mask_logits
    if logits is None:
        raise Internal("A round should be answered by its mask and has none.")
    return logits


def _ms(start_s: float, end_s: float) -> float:
    return max(end_s - start_s, 0.0) * 1000


def _text_key(text: str, owner: str) -> str:
    return f"{owner}\0{text}"
