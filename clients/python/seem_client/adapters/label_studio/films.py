"""The events of a video: what the editor's video tools ask for while a person works.

(none), predict   the mask of what is said in a frame
prewarm           the video is fetched and the frame encoded, before anybody clicks
track             an object is followed; track_progress tells what is new, track_cancel ends it
release           all that is held for the task goes
capabilities      which tools are served
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import aclosing
from typing import TYPE_CHECKING

from seem_client.adapters.label_studio import context as contexts
from seem_client.adapters.label_studio import results
from seem_client.adapters.label_studio.film import Film
from seem_client.adapters.label_studio.tracks import MAX_TRACKS, Tracks
from seem_wire.errors import InvalidValue, Overloaded, SeemError, UnknownSession

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from seem_client._following import Direction
    from seem_client.adapters.label_studio.context import Said
    from seem_client.adapters.label_studio.film import Clip, Save
    from seem_client.adapters.label_studio.sittings import Sittings
    from seem_client.async_video import AsyncVideo
    from seem_client.prediction import Prediction

    Context = Mapping[str, object]
    Value = dict[str, object]
    OpenVideo = Callable[[Clip], Awaitable[AsyncVideo]]
    Event = tuple[str, Value]
    Image = Callable[[str], Awaitable[bytes]]

MAX_FILMS = 8
MAX_FRAMES = 300
"""That an object is followed through where nobody says for how many."""

_CAPABILITIES: Value = {
    "prompts": ["point", "box"],
    "targets": [
        {"tag": "BitmaskLabels", "output": "mask"},
        {"tag": "VideoRectangle", "output": "bbox", "features": ["track"]},
        {"tag": "VideoVectorLabels", "output": "polygon", "features": ["track"]},
    ],
}


class Films:
    """All videos of one event loop, of which the newest are held."""

    def __init__(self, sittings: Sittings, open_video: OpenVideo) -> None:
        self._sittings, self._open = sittings, open_video
        self._films: OrderedDict[tuple[str, str], asyncio.Task[Film]] = OrderedDict()
        self._tracks = Tracks()

    async def close(self) -> None:
        """Ends all that is followed, and lets go of all videos."""
        await self._tracks.close()
        for key in list(self._films):
            await self._let_go(key)

    async def answer(self, task: str, address: str, context: Context, save: Save) -> Event | None:
        """What to answer to an event; None where a mask was asked for and nothing is there.

        Raises:
            SeemError: It cannot be answered; the message is for the person who asked.
        """
        match context.get("event") or "predict":
            case "capabilities":
                return "capabilities", _CAPABILITIES
            case "track_progress":
                return "track_progress", await self._progress(context)
            case "track_cancel":
                await self._tracks.cancel(str(context.get("session_id")))
                return "track_cancel_ack", {"status": "cancelled"}
            case "release":
                await self._release(task)
                return "release_ack", {"status": "released"}
            case "prewarm":
                film = await self._film(task, address, save)
                return "prewarm_ack", await self._prewarm(task, address, film, context)
            case "track":
                return await self._track(task, address, context, save)
            case "predict":
                return await self._predict(task, address, context, save)
            case other:
                raise InvalidValue(f"There is no event {other!r}.")

    async def _predict(self, task: str, address: str, context: Context, save: Save) -> Event | None:
        said = contexts.read(context)
        film = await self._film(task, address, save)
        name, image = _still(address, film, film.frame_at(context))
        prediction = await self._sittings.predict(task, name, said, image)
        if prediction is None or not prediction.is_present:
            return None
        return "bitmask", await asyncio.to_thread(results.bitmask, prediction.mask)

    async def _prewarm(self, task: str, address: str, film: Film, context: Context) -> Value:
        frame = film.frame_at(context)
        await self._sittings.prepare(task, *_still(address, film, frame))
        return {"status": "ok", "cached": [frame], "pending": [], "frame_count": film.n_frames}

    async def _track(self, task: str, address: str, context: Context, save: Save) -> Event:
        said = contexts.read(context)
        try:
            self._tracks.check_room()
        except Overloaded as error:
            busy: Value = {
                "error": error.message,
                "active_or_queued": self._tracks.n_running,
                "max_sessions": MAX_TRACKS,
            }
            return "track_busy", busy
        film = await self._film(task, address, save)
        frame, direction = film.frame_at(context), _direction(context)
        first, end = _range(film, context, frame, direction)
        masks = self._followed(film, (first, end), frame, said, direction)
        total = end - first
        started: Value = {
            "session_id": self._tracks.begin(task, masks, total),
            "total_frames": total,
            "fps": film.rate,
            "duration_ms": film.duration_ms,
        }
        return "track_started", started

    async def _progress(self, context: Context) -> Value:
        try:
            return await self._tracks.progress(str(context.get("session_id")))
        except UnknownSession as error:
            return {"frames": [], "produced": 0, "total": 0, "done": True, "error": error.message}

    async def _followed(
        self,
        film: Film,
        span: tuple[int, int],
        frame: int,
        said: tuple[Said, ...],
        direction: Direction,
    ) -> AsyncGenerator[Value, None]:
        """The masks of an object in each frame where it is to be seen."""
        with await film.clip(*span) as clip:
            async with await self._open(clip) as video:
                first = clip.first
                await video.prompt(frame=frame - first, **contexts.prompt(said, film.size))
                following = video.propagate(0, span[1] - 1 - first, direction=direction)
                async with aclosing(following) as frames:
                    async for one in frames:
                        (prediction,) = one.predictions.values()
                        if prediction.is_present:
                            place = first + one.index
                            yield await asyncio.to_thread(_value, film, place, prediction)

    async def _film(self, task: str, address: str, save: Save) -> Film:
        key = (task, address)
        if key not in self._films:
            self._films[key] = asyncio.create_task(Film.fetched(save), name="seem-film")
        self._films.move_to_end(key)
        while len(self._films) > MAX_FILMS:
            await self._let_go(next(iter(self._films)))
        try:
            # Whoever asks may go away; the others want the video all the same.
            return await asyncio.shield(self._films[key])
        except SeemError:
            self._films.pop(key, None)
            raise

    async def _release(self, task: str) -> None:
        await self._tracks.release(task)
        for key in [key for key in self._films if key[0] == task]:
            await self._let_go(key)

    async def _let_go(self, key: tuple[str, str]) -> None:
        coming = self._films.pop(key)
        coming.cancel()
        await asyncio.wait([coming])
        if not coming.cancelled() and coming.exception() is None:
            await coming.result().close()


def _still(address: str, film: Film, frame: int) -> tuple[str, Image]:
    """A frame as a picture of its own: its name, and how to get it."""

    async def image(_: str) -> bytes:
        return await film.image(frame)

    return f"{address}#{frame}", image


def _direction(context: Context) -> Direction:
    match context.get("direction") or "forward":
        case "forward" | "backward" | "both" as direction:
            return direction
        case other:
            raise InvalidValue(f"There is no direction {other!r}.")


def _range(film: Film, context: Context, frame: int, direction: Direction) -> tuple[int, int]:
    """The frames from the first to before the end, as far as is asked for."""
    n_frames, duration_ms = context.get("max_frames", MAX_FRAMES), context.get("max_duration_ms")
    if isinstance(duration_ms, int | float) and film.rate:
        n_frames = round(duration_ms / 1000 * film.rate)
    if not isinstance(n_frames, int) or n_frames < 0:
        raise InvalidValue(f"An object cannot be followed through {n_frames!r} frames.")
    first = frame if direction == "forward" else max(0, frame - n_frames)
    end = frame + 1 if direction == "backward" else frame + n_frames + 1
    return first, end if film.n_frames is None else max(frame + 1, min(end, film.n_frames))


def _value(film: Film, frame: int, prediction: Prediction) -> Value:
    place: Value = {"frame": frame, "time_ms": film.time_ms(frame)}
    return place | results.bitmask(prediction.mask)
