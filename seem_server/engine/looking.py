"""Carries the search of an image on, some clicks at a time: does what `searching` decides.

The worker gives way to whoever clicks in between. How far a search came is kept like any other
finding, and found again, equal, where it was lost.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from seem_server.engine import packing, searching
from seem_server.engine.findings import Names
from seem_server.engine.packing import Said
from seem_server.engine.searching import Search
from seem_server.engine.tidy import tidy
from seem_wire.errors import NotOffered
from seem_wire.prompts import ObjectPrompt, Point

if TYPE_CHECKING:
    from seem_server.engine.cache import ByteCache
    from seem_server.engine.chains import EncodedImage
    from seem_server.engine.preprocess import Layout
    from seem_server.engine.searching import Aim
    from seem_server.engine.work import Everything
    from seem_server.runtime.backend import Backend, Findings
    from seem_server.runtime.specs import ClicksSpec, EverythingSpec

CLICKS_AT_ONCE = 8
"""Clicks before other work gets its turn: about a tenth of a second on a CPU."""


def look(
    backend: Backend,
    known: ByteCache[Findings | Search],
    work: Everything,
    image: EncodedImage,
    spec: EverythingSpec,
) -> Search:
    """The search of an image, some clicks further than it was, or over.

    It is put among the `known`. It is further, too, than when `work` last had its turn, whatever
    was lost since: so it comes to an end.

    Raises:
        NotOffered: The bundle does not say how an image is searched.
    """
    if spec.clicks is None:
        raise NotOffered("This model is not asked for everything by clicks.")
    search = known.get(work.image_key)
    if not isinstance(search, Search):
        names = Names.of_bundle(backend.manifest.vocabulary, spec)
        search = searching.begin(backend.meanings(image.features), names, image.layout)
    if not search.is_over:
        until = max(search.n_clicks, work.n_clicks) + CLICKS_AT_ONCE
        search = _clicked(backend, image, search, spec.clicks, until)
        known.put(work.image_key, search, search.nbytes)
    return search


def _clicked(
    backend: Backend, image: EncodedImage, search: Search, spec: ClicksSpec, until: int
) -> Search:
    """The search when the image has cost `until` clicks, or when it is over.

    One click a run: each depends on the answers before it, so that few are needed, and what is
    found depends on the image alone, not on how many clicks make a turn.
    """
    manifest, layout = backend.manifest, image.layout
    while (aim := searching.next_aim(search, spec)) is not None:
        if search.n_clicks >= until:
            return search
        click, threshold = _click(aim, layout), manifest.mask_threshold
        said = packing.pack(Said(click), layout.frame, manifest)
        (decoded,) = backend.decode([(image.features, said)])
        sweep = partial(tidy, prompt=click, frame=layout.frame, threshold=threshold)
        search = searching.take(search, aim, decoded, spec, threshold=threshold, sweep=sweep)
    return replace(search, is_over=True)


def _click(aim: Aim, layout: Layout) -> ObjectPrompt:
    """A click on the middle of a cell, in pixels of the original image."""
    frame, (height, width) = layout.frame, layout.size
    x = (aim.column + 0.5) * frame.stride / frame.scale_x
    y = (aim.row + 0.5) * frame.stride / frame.scale_y
    return ObjectPrompt(points=(Point(min(x, width - 0.5), min(y, height - 0.5)),))
