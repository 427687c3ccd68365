"""A session's log on its way to the journal, and its newest replies, to be sent again."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from seem_server.service.tenants import EVERYBODY
from seem_server.session import records
from seem_server.session.events import FrameRead, ImageRead
from seem_server.store.base import Entry
from seem_wire.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seem_server.service.journal import Journal, Told
    from seem_server.service.tenants import Tenant
    from seem_server.session.events import Event
    from seem_wire.errors import SessionExpired, SessionMoved
    from seem_wire.types import ObjectMask, Reply

MAX_BYTES = 64 * 1024**2
"""Of a log since its image was set: what a session costs the store, and whoever takes it up."""

CARRIED = 16
"""Replies from before a new image that can still be sent again, though the log begins anew."""


class SessionLog:
    """Of the session that `epoch` of the store belongs to; `replies`, `masks`: those known so far.

    Records name images by content hash; what the store is told to keep goes by the tenant's keys.
    """

    def __init__(
        self,
        journal: Journal,
        session_id: str,
        epoch: int,
        replies: Mapping[int, Reply],
        tenant: Tenant = EVERYBODY,
        n_bytes: int = 0,
        n_records: int = 0,
        masks: Mapping[tuple[int, int], ObjectMask] | None = None,
    ) -> None:
        self._n_bytes = n_bytes
        self._n_records = n_records
        self._tenant = tenant
        self._journal = journal
        self._session_id = session_id
        self._epoch = epoch
        self._replies: OrderedDict[int, Reply] = OrderedDict(replies)
        self._newest = {key[0]: (key, mask) for key, mask in (masks or {}).items()}

    def keep(self, event: Event, replies: Sequence[Reply], told: Told) -> None:
        """Writes an event with the replies that it made; calls `told` as `Journal.write` does."""
        fresh = isinstance(event, ImageRead)
        if fresh:
            self._newest.clear()
        carried = [*self._replies.values()][-CARRIED:] if fresh else []
        record = records.encode(event, [*carried, *replies])
        self._n_bytes = len(record) + (0 if fresh else self._n_bytes)
        place = 0 if fresh else self._n_records
        self._n_records = place + 1
        entry = Entry(
            self._session_id,
            self._epoch,
            record,
            images=tuple(map(self._tenant.key_of, _images(event))),
            fresh=fresh,
            place=place,
        )
        self._journal.write(entry, told)

    def remember(self, *replies: Reply) -> None:
        """Replies were sent; they may have to be sent again."""
        for reply in replies:
            self._replies[reply.seq] = reply
            self._replies.move_to_end(reply.seq)
            told = records.masks_of(reply).items()
            self._newest |= {key[0]: (key, mask) for key, mask in told}
        while len(self._replies) > records.MAX_REPLIES:
            self._replies.popitem(last=False)

    @property
    def is_full(self) -> bool:
        """Whether it has as many bytes as it may have."""
        return self._n_bytes >= MAX_BYTES

    def masks(self) -> dict[tuple[int, int], ObjectMask]:
        """The masks of the newest replies and each object's newest, by object and command."""
        known = dict(self._newest.values())
        for reply in self._replies.values():
            known |= records.masks_of(reply)
        return known

    def since(self, seq: int) -> Sequence[Reply]:
        """The replies to later commands than `seq` that are known, in the order of the sending."""
        return [reply for reply in self._replies.values() if reply.seq > seq]

    async def loss(self) -> SessionMoved | SessionExpired | None:
        """How the session was lost since, if it was. Raises StoreFailed."""
        loss = partial(self._journal.loss, self._session_id, self._epoch)
        return await self._journal.call(loss)

    async def forget(self) -> bool:
        """Ends the log, if it is still ours. Raises StoreFailed where that fails; it expires."""
        forget = partial(self._journal.store.forget, self._session_id, self._epoch)
        return await self._journal.call(forget)


def _images(event: Event) -> tuple[str, ...]:
    """The content hashes of the images that the session needs because of `event`."""
    match event:
        case ImageRead() | FrameRead():
            return (event.key,)
        case Prompt():
            examples = (one.prompt.example for one in event.objects)
            return tuple(example.image for example in examples if example is not None)
        case _:
            return ()
