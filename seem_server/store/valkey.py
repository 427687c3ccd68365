"""Logs, images and answers in Valkey or Redis, for servers on several machines.

How well a log survives the store's own death is the store's to say: `appendonly yes` with
`appendfsync everysec` loses a second at worst, `always` nothing. One database of one instance (or
of a primary with replicas); its keys begin with `seem:` and are of no use in a cluster. What a
primary acknowledged and no replica has is lost when the replica takes its place: `replicas` are
waited for, and where that is not asked for, a log that went back is noticed by an entry's place,
and an owner that the replica knows nothing of by its epoch, which is no other's.

    seem:session:ID  hash    owner, model, opened_s, used_s, epoch
    seem:log:ID      list    records, oldest first
    seem:needs:ID    set     keys of images
    seem:sessions    zset    ID by when it was used last;  seem:opened  by when it was opened
    seem:image:KEY   string  a file's bytes
    seem:images      zset    KEY by when it was used last; seem:sizes   hash, its bytes
    seem:needed      hash    KEY to how many sessions need it
    seem:answer:NAME string  an answer;  seem:about:KEY  set of NAMEs of those about an image
    seem:answers     zset    NAME by when it was used last; seem:answer-sizes  hash, its bytes

What changes more than one of them is a script, which the store runs as one step.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from seem_server.store.base import Claimed, Header, Keeping, PerhapsKept
from seem_wire.errors import StoreFailed, StoreFull

try:
    import valkey
except ModuleNotFoundError as missing:
    if missing.name != "valkey":
        raise
    valkey = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from seem_server.store.base import Entry

TIMEOUT_S = 10.0
REPLICAS_S = 5.0
"""How long replicas are waited for."""

EPOCH_BITS = 62

_LIBRARY = """
local function leave(id)
  for _, key in ipairs(redis.call('SMEMBERS', 'seem:needs:' .. id)) do
    if redis.call('HINCRBY', 'seem:needed', key, -1) <= 0 then
      redis.call('HDEL', 'seem:needed', key)
    end
  end
  redis.call('DEL', 'seem:needs:' .. id)
end

local function forget(id)
  leave(id)
  redis.call('DEL', 'seem:session:' .. id, 'seem:log:' .. id)
  redis.call('ZREM', 'seem:sessions', id)
  redis.call('ZREM', 'seem:opened', id)
end

local function unanswer(name)
  redis.call('DEL', 'seem:answer:' .. name)
  redis.call('ZREM', 'seem:answers', name)
  redis.call('HDEL', 'seem:answer-sizes', name)
end

local function drop(key)
  for _, name in ipairs(redis.call('SMEMBERS', 'seem:about:' .. key)) do unanswer(name) end
  redis.call('DEL', 'seem:about:' .. key)
  redis.call('DEL', 'seem:image:' .. key)
  redis.call('ZREM', 'seem:images', key)
  redis.call('HDEL', 'seem:sizes', key)
end
"""

_OPEN = """
local id, owner, model, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
redis.call('HSET', 'seem:session:' .. id, 'owner', owner, 'model', model, 'opened_s', now,
           'epoch', 1)
redis.call('ZADD', 'seem:sessions', now, id)
redis.call('ZADD', 'seem:opened', now, id)
"""

_CLAIM = """
local id, owner, now, epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local session = 'seem:session:' .. id
if redis.call('HGET', session, 'owner') ~= owner then return false end
redis.call('ZADD', 'seem:sessions', now, id)
redis.call('HSET', session, 'epoch', epoch)
return {redis.call('HGET', session, 'model'), redis.call('HGET', session, 'opened_s'),
        redis.call('LRANGE', 'seem:log:' .. id, 0, -1)}
"""

_APPEND = """
local now, at, taken = ARGV[1], 2, {}
while at <= #ARGV do
  local id, epoch, fresh, record = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local place, count = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local log = 'seem:log:' .. id
  local placed = fresh == '1' or not place or redis.call('LLEN', log) == place
  if placed and redis.call('HGET', 'seem:session:' .. id, 'epoch') == epoch then
    if fresh == '1' then
      redis.call('DEL', log)
      leave(id)
    end
    redis.call('RPUSH', log, record)
    redis.call('ZADD', 'seem:sessions', now, id)
    for one = at + 6, at + 5 + count do
      if redis.call('SADD', 'seem:needs:' .. id, ARGV[one]) == 1 then
        redis.call('HINCRBY', 'seem:needed', ARGV[one], 1)
      end
    end
    table.insert(taken, 1)
  else
    table.insert(taken, 0)
  end
  at = at + 6 + count
end
return taken
"""

_FORGET = """
if redis.call('HGET', 'seem:session:' .. ARGV[1], 'epoch') ~= ARGV[2] then return 0 end
forget(ARGV[1])
return 1
"""

_PUT = """
local key, data, now, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('EXISTS', 'seem:image:' .. key) == 1 then
  redis.call('ZADD', 'seem:images', now, key)
  return -1
end
local held = 0
for _, size in ipairs(redis.call('HVALS', 'seem:sizes')) do held = held + tonumber(size) end
if held + #data > most then
  for _, other in ipairs(redis.call('ZRANGE', 'seem:images', 0, -1)) do
    if held + #data <= most then break end
    if redis.call('HEXISTS', 'seem:needed', other) == 0 then
      held = held - tonumber(redis.call('HGET', 'seem:sizes', other))
      drop(other)
    end
  end
end
if held + #data > most then return held end
redis.call('SET', 'seem:image:' .. key, data)
redis.call('ZADD', 'seem:images', now, key)
redis.call('HSET', 'seem:sizes', key, #data)
return -1
"""

_TOUCH = """
if redis.call('EXISTS', 'seem:image:' .. ARGV[1]) == 0 then return 0 end
redis.call('ZADD', 'seem:images', ARGV[2], ARGV[1])
return 1
"""

_PUT_ANSWER = """
local name, key, data, now, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('EXISTS', 'seem:image:' .. key) == 0 then return end
redis.call('SET', 'seem:answer:' .. name, data)
redis.call('SADD', 'seem:about:' .. key, name)
redis.call('ZADD', 'seem:answers', now, name)
redis.call('HSET', 'seem:answer-sizes', name, #data)
local held = 0
for _, size in ipairs(redis.call('HVALS', 'seem:answer-sizes')) do held = held + tonumber(size) end
while held > most do
  local oldest = redis.call('ZRANGE', 'seem:answers', 0, 0)[1]
  held = held - tonumber(redis.call('HGET', 'seem:answer-sizes', oldest))
  unanswer(oldest)
end
"""

_ANSWER = """
for place = 2, #ARGV do
  local data = redis.call('GET', 'seem:answer:' .. ARGV[place])
  if data then
    redis.call('ZADD', 'seem:answers', ARGV[1], ARGV[place])
    return {ARGV[place], data}
  end
end
return false
"""

_SWEEP = """
local now = ARGV[4]
for place = 5, #ARGV do redis.call('ZADD', 'seem:sessions', 'XX', now, ARGV[place]) end
for _, used in ipairs({'seem:sessions', 'seem:images'}) do
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', used, '(' .. now, '+inf')) do
    redis.call('ZADD', used, now, name)
  end
end
local old = redis.call('ZRANGEBYSCORE', 'seem:sessions', '-inf', ARGV[1])
local aged = redis.call('ZRANGEBYSCORE', 'seem:opened', '-inf', ARGV[2])
local gone = 0
for _, ids in ipairs({old, aged}) do
  for _, id in ipairs(ids) do
    gone = gone + redis.call('EXISTS', 'seem:session:' .. id)
    forget(id)
  end
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', 'seem:images', '-inf', ARGV[3])) do
  if redis.call('HEXISTS', 'seem:needed', key) == 0 then drop(key) end
end
return gone
"""


class ValkeyStore:
    """A `Store`; see there. `url`: valkey://[USER:PASSWORD@]HOST:PORT/DB, or valkeys:// over TLS.

    What is appended is kept once so many `replicas` have it, too.

    Raises:
        StoreFailed: Nothing answers there, or the extra `scale` is not installed.
    """

    quick = False

    def __init__(self, url: str, keeping: Keeping | None = None, *, replicas: int = 0) -> None:
        if valkey is None:
            raise StoreFailed("The package valkey is missing: pip install 'seem-server[scale]'.")
        self._keeping = keeping or Keeping()
        self._replicas = replicas
        with _told():
            self._client: Any = valkey.Valkey.from_url(
                url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
            )
        with _told(place=f" at {_place(self._client)}"):
            self._client.ping()
        self._open, self._claim, self._append, self._forget, self._put, self._touch, self._sweep = (
            self._client.register_script(_LIBRARY + script)
            for script in (_OPEN, _CLAIM, _APPEND, _FORGET, _PUT, _TOUCH, _SWEEP)
        )
        self._put_answer = self._client.register_script(_LIBRARY + _PUT_ANSWER)
        self._answer = self._client.register_script(_LIBRARY + _ANSWER)

    def open(self, header: Header) -> int:
        """Begins a session's log; its epoch."""
        with _told():
            self._open(
                args=[header.session_id, header.owner, header.model_id, repr(header.opened_s)]
            )
        return 1

    def claim(self, session_id: str, *, owner: str, now_s: float) -> Claimed | None:
        """Takes a session over from whoever has it; None where `owner` has no such session."""
        epoch = secrets.randbits(EPOCH_BITS)  # counted, two would have one after a failover
        with _told():
            found = self._claim(args=[session_id, owner, repr(now_s), epoch])
        if found is None:
            return None
        model, opened_s, records = found
        header = Header(session_id, model.decode(), float(opened_s), owner)
        return Claimed(header, epoch, tuple(records))

    def epoch(self, session_id: str) -> int | None:
        """The epoch of whoever claimed the session last; None where it is forgotten."""
        with _told():
            found: bytes | None = self._client.hget(f"seem:session:{session_id}", "epoch")
        return None if found is None else int(found)

    def append(self, entries: Sequence[Entry], *, now_s: float) -> tuple[bool, ...]:
        """Appends all entries at once, or none; whether each was taken."""
        words: list[str | bytes | int] = [repr(now_s)]
        for entry in entries:
            words += [entry.session_id, entry.epoch, int(entry.fresh), entry.record]
            words.append("" if entry.place is None else entry.place)
            words += [len(entry.images), *entry.images]
        with _told(PerhapsKept):
            taken = self._append_everywhere(words) if self._replicas else self._append(args=words)
        return tuple(bool(one) for one in taken)

    def _append_everywhere(self, words: Sequence[str | bytes | int]) -> list[int]:
        with self._client.pipeline(transaction=False) as pipeline:
            self._append(args=words, client=pipeline)
            pipeline.wait(self._replicas, int(REPLICAS_S * 1000))
            taken, n_replicas = pipeline.execute()
        if n_replicas < self._replicas:
            raise PerhapsKept(f"{n_replicas} of {self._replicas} replicas keep what was said.")
        return list(taken)

    def forget(self, session_id: str, epoch: int) -> bool:
        """Ends a session's log, unless somebody claimed it after that epoch; whether it did."""
        with _told():
            return bool(self._forget(args=[session_id, epoch]))

    def put_image(self, key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an image file's bytes. Raises StoreFull where there is no room for them."""
        with _told():
            held = self._put(args=[key, data, repr(now_s), self._keeping.images_bytes])
        if held >= 0:
            raise StoreFull(f"Images of {held} bytes are kept, and all are needed.")

    def has_image(self, key: str, *, now_s: float) -> bool:
        """Whether there are bytes under `key`, which count as used now."""
        with _told():
            return bool(self._touch(args=[key, repr(now_s)]))

    def image(self, key: str, *, now_s: float) -> bytes | None:
        """The bytes kept under `key`, which counts as used now; None where there are none."""
        if not self.has_image(key, now_s=now_s):
            return None
        with _told():
            data: bytes | None = self._client.get(f"seem:image:{key}")
        return data

    def put_answer(self, name: str, image_key: str, data: bytes, *, now_s: float) -> None:
        """Keeps an answer about an image that is kept, for no longer than that."""
        with _told():
            self._put_answer(
                args=[name, image_key, data, repr(now_s), str(self._keeping.answers_bytes)]
            )

    def answer(self, names: Sequence[str], *, now_s: float) -> tuple[str, bytes] | None:
        """The first of these answers that is kept, and its name; it counts as used now."""
        with _told():
            found = self._answer(args=[repr(now_s), *names])
        return None if found is None else (found[0].decode(), found[1])

    def sweep(self, *, now_s: float, held: Collection[str] = ()) -> int:
        """Forgets what was kept for long enough; how many sessions. Those `held` are used now."""
        keeping = self._keeping
        ends = (now_s - keeping.idle_s, now_s - keeping.age_s, now_s - keeping.image_s, now_s)
        with _told():
            return int(self._sweep(args=[*map(repr, ends), *held]))

    def close(self) -> None:
        """Hangs up; what was appended stays."""
        self._client.close()


@contextmanager
def _told(failure: type[StoreFailed] = StoreFailed, place: str = "") -> Iterator[None]:
    """Raises `failure`. `place`: where the store is, for who starts a server, not for who calls."""
    try:
        yield
    except valkey.exceptions.ValkeyError as error:
        raise failure(f"The store{place} could not be used: {_plain(error)}.") from error


def _place(client: Any) -> str:
    """Where a store is, without its password."""
    told = client.connection_pool.connection_kwargs
    return str(told.get("path") or f"{told.get('host', 'localhost')}:{told.get('port', 6379)}")


def _plain(error: Exception) -> str:
    """What went wrong, without the address, which may hold a password."""
    cause = error.__context__
    why = cause.strerror if isinstance(cause, OSError) else None
    return type(error).__name__ + (f" ({why})" if why else "")
