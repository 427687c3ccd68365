"""The engine as one tenant sees it: with keys of its own for images, and within its quota.

    session ── work by content hash ──> TenantEngine ── the same by the tenant's keys ──> Engine
    session <── answer to that work ──       │       <── answer ──────────────────────────

Sessions speak of content hashes alone, so that what they hold and replay means the same anywhere.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from seem_server.engine.tickets import Ticket, TicketState
from seem_server.engine.work import (
    Decode,
    Encode,
    Everything,
    Follow,
    Followed,
    MasksReady,
    SegmentsReady,
    Trail,
)
from seem_wire.errors import ImageUnknown, SeemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_server.engine.port import EnginePort
    from seem_server.engine.work import ObjectRounds, Result, Round, Seen, Work
    from seem_server.service.tenants import Tenant

    KeyOf = Callable[[str], str]


class TenantEngine:
    """Submits work for one tenant."""

    def __init__(self, engine: EnginePort, tenant: Tenant) -> None:
        self._engine = engine
        self._tenant = tenant

    def submit(self, work: Work) -> Ticket:
        """See `Engine.submit`.

        Raises:
            QuotaExceeded: The device has worked for the tenant enough.
        """
        self._tenant.check_device()
        if not self._tenant.apart:
            return self._submit(work)
        try:
            inner = self._submit(keyed(work, self._tenant))
        except ImageUnknown as error:
            raise _unnamed(error) from error
        outer = Ticket(work)
        inner.add_done_callback(partial(_pass_on, outer))
        outer.add_done_callback(partial(_let_go, inner))
        return outer

    def check_room(self, session_id: str, image_key: str) -> None:
        """See `Engine.check_room`."""
        tenant = self._tenant
        with tenant.usage.noting_overload():
            self._engine.check_room(session_id, tenant.key_of(image_key), tenant=tenant.name)

    def _submit(self, work: Work) -> Ticket:
        tenant = self._tenant
        with tenant.usage.noting_overload():
            return self._engine.submit(work, tenant=tenant.name, pay=tenant.pay_device)


def keyed(work: Work, tenant: Tenant) -> Work:
    """The same work on the images that the tenant's keys name."""
    key = tenant.key_of(work.image_key)
    match work:
        case Encode():
            return replace(work, image_key=key)
        case Everything():
            return replace(work, image_key=key, owner=tenant.name)
        case Follow():
            trails = tuple(_keyed_trail(one, tenant.key_of) for one in work.objects)
            return replace(work, image_key=key, owner=tenant.name, objects=trails)
        case Decode():
            objects = work.objects
            if work.example_keys:
                objects = tuple(_keyed_rounds(one, tenant.key_of) for one in objects)
            return replace(work, image_key=key, owner=tenant.name, objects=objects)


def restored(answer: Result, work: Work) -> Result:
    """The answer as one to `work`, from which its keyed twin was made."""
    match answer, work:
        case MasksReady(), Decode():
            before = {
                (one.object_id, entry.seq): entry for one in work.objects for entry in one.rounds
            }
            objects = tuple(
                replace(one, rounds=tuple(before[one.object_id, entry.seq] for entry in one.rounds))
                for one in answer.work.objects
            )
            return replace(answer, work=replace(work, objects=objects))
        case SegmentsReady(), Everything():
            return replace(answer, work=work)
        case Followed(), Follow():
            return replace(answer, work=work)
        case _:
            return answer


def _keyed_trail(one: Trail, key_of: KeyOf) -> Trail:
    def keyed_seen(seen: Seen) -> Seen:
        return replace(seen, image_key=key_of(seen.image_key))

    references = tuple(map(keyed_seen, one.references))
    return Trail(one.object_id, references, one.last and keyed_seen(one.last))


def _keyed_rounds(one: ObjectRounds, key_of: KeyOf) -> ObjectRounds:
    return replace(one, rounds=tuple(_keyed_round(entry, key_of) for entry in one.rounds))


def _keyed_round(entry: Round, key_of: KeyOf) -> Round:
    example = entry.prompt.example
    if example is None:
        return entry
    shown = replace(example, image=key_of(example.image))
    return replace(entry, prompt=replace(entry.prompt, example=shown))


def _let_go(inner: Ticket, _: Ticket) -> None:
    inner.cancel()


def _pass_on(outer: Ticket, inner: Ticket) -> None:
    if inner.state is TicketState.CANCELLED:
        outer.cancel()
        return
    if inner.superseded_by is not None:
        outer.supersede(inner.superseded_by)
        return
    try:
        answer = inner.result()
    except SeemError as error:
        outer.fail(_unnamed(error) if isinstance(error, ImageUnknown) else error)
        return
    outer.finish(restored(answer, outer.work))


def _unnamed(_: ImageUnknown) -> ImageUnknown:
    """Without the key, which would tell the client nothing."""
    return ImageUnknown("The server no longer holds an image that this needs.")
