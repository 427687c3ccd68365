"""Follows objects to another frame of a video: looks up what they looked like, and decodes.

    frame ── places ─┬─ anywhere: where they were prompted ─┐
                     └─ nearby: in the frame before ────────┴─> memory, clicks ─> decoder ─> masks

What is known of an object is named by frame and mask, so it is looked up, or made again, as the
caches have it; and what it comes to is a pure function of frames and masks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seem_server.engine import matching, packing, postprocess, preprocess, readings
from seem_server.engine.packing import Said
from seem_wire.errors import ImageUnknown, NotOffered
from seem_wire.prompts import ObjectPrompt
from seem_wire.types import ObjectMask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from seem_server.engine.cache import ByteCache
    from seem_server.engine.chains import EncodedImage
    from seem_server.engine.matching import Places, Remembered
    from seem_server.engine.postprocess import Label
    from seem_server.engine.work import Follow, Seen, Trail
    from seem_server.runtime.backend import Backend, Decoded

    Float32 = npt.NDArray[np.float32]
    Encode = Callable[[list[str]], Mapping[str, EncodedImage]]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """An object in a frame. logits: (h, w) float32. likelihood: of being there."""

    object_id: int
    logits: Float32
    decoded: Decoded | None = None
    likelihood: float = 0.0
    is_there: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Follower:
    """Follows on one backend. `encode` gives images' features by their keys, as far as it can."""

    backend: Backend
    places: ByteCache[Places]
    memories: ByteCache[Remembered]
    encode: Encode

    def follow(
        self, work: Follow, name: Callable[[Float32], Label | None]
    ) -> tuple[ObjectMask, ...]:
        """The masks of the work's objects in its frame; `name` labels what a vector means.

        Raises:
            ImageUnknown: A frame that is needed is not held (any more).
            NotOffered: The bundle follows nothing.
        """
        if not self.backend.manifest.follows:
            raise NotOffered("This model follows nothing through a video.")
        (image,) = self._encoded([work.image_key]).values()
        here = self._places(work.image_key, image)
        found = [self._find(one, image, here) for one in work.objects]
        there = [one for one in found if one.is_there]
        parted = dict(
            zip(
                [one.object_id for one in there],
                matching.apart([one.logits for one in there]),
                strict=True,
            )
        )
        return tuple(self._mask(one, parted.get(one.object_id), image, name) for one in found)

    def _find(self, one: Trail, image: EncodedImage, here: Places) -> _Found:
        """Looks near where the object was, and where it is not there anywhere."""
        known = self._remembered(one)
        if one.last is not None:
            before, shares = self._before(one.last)
            close = matching.within_reach(here, shares)
            likely = (1 - matching.BY_PLACE) * matching.mostly_near(here, known, close)
            likely += matching.BY_PLACE * matching.nearby(here, before, shares)
            found = self._decided(one, image, here, known, likely, matching.STILL_SEEN)
            if found.is_there:
                return found
        likely = matching.anywhere(here, known)
        return self._decided(one, image, here, known, likely, matching.FOUND)

    def _decided(
        self,
        one: Trail,
        image: EncodedImage,
        here: Places,
        known: Remembered,
        likely: Float32,
        least: float,
    ) -> _Found:
        """What the decoder makes of how likely each place is the object; there from `least` on."""
        memory = matching.memory_logits(likely, here)
        points = matching.clicks(memory, image.layout)
        if not points:
            return _Found(one.object_id, memory)
        said = Said(ObjectPrompt(points=points), logits=memory)
        prompts = packing.pack(said, image.layout.frame, self.backend.manifest)
        (decoded,) = self.backend.decode([(image.features, prompts)])
        logits = decoded.mask_logits[0] - np.float32(self.backend.manifest.mask_threshold)
        likelihood = matching.presence(here, known, logits > 0)
        return _Found(one.object_id, logits, decoded, likelihood, likelihood >= least)

    def _mask(
        self,
        found: _Found,
        logits: Float32 | None,
        image: EncodedImage,
        name: Callable[[Float32], Label | None],
    ) -> ObjectMask:
        """The object's mask by its logits, or an empty one where it is not there."""
        if logits is None or found.decoded is None:
            drawn, score, label = postprocess.draw_nothing(image.layout.size), 0.0, None
        else:
            main = readings.of_decoded(found.decoded)[0]
            drawn = postprocess.draw(logits, image.layout, 0.0, prompt=ObjectPrompt())
            score, label = main.score, name(main.semantic)
        return ObjectMask(
            found.object_id,
            drawn.rle,
            score,
            drawn.box,
            drawn.area,
            label=None if label is None else label.name,
            label_probability=None if label is None else label.probability,
            round=0,
            changed=drawn.box,
            presence=found.likelihood,
        )

    # --- what is known

    def _remembered(self, one: Trail) -> Remembered:
        """The places of all references of an object, each with an equal part of the room."""
        limit = max(matching.TOKENS // len(one.references), matching.TOKENS // 2)
        return matching.together([self._reference(seen, limit) for seen in one.references])

    def _reference(self, seen: Seen, limit: int) -> Remembered:
        digest = hashlib.sha256(seen.mask.counts.encode()).hexdigest()
        name = f"{seen.image_key} {digest} {limit}"
        known = self.memories.get(name)
        if known is None:
            places, shares = self._before(seen)
            known = matching.remembered(places, shares, limit)
            self.memories.put(name, known, known.nbytes)
        return known

    def _before(self, seen: Seen) -> tuple[Places, Float32]:
        """The places of another frame, and how much of each was the object."""
        layout = preprocess.lay_out(seen.mask.size, self.backend.manifest)
        return self._places(seen.image_key), matching.shares_of(seen.mask, layout)

    def _places(self, key: str, image: EncodedImage | None = None) -> Places:
        places = self.places.get(key)
        if places is None:
            image = image or self._encoded([key])[key]
            places = matching.places_of(self.backend.appearance(image.features))
            self.places.put(key, places, places.nbytes)
        return places

    def _encoded(self, keys: list[str]) -> Mapping[str, EncodedImage]:
        found = self.encode(keys)
        for key in keys:
            if key not in found:
                raise ImageUnknown(f"The server does not hold the image {key}.")
        return found
