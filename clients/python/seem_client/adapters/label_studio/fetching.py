"""Pictures of tasks, fetched from Label Studio and from nowhere else.

A task names its picture by an address, which whoever can import tasks chooses. So only Label Studio
itself, and hosts that the operator named, are asked; a token is shown to Label Studio alone; each
redirect is a new question under the same rule; and nothing is read from this machine's disk.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientTimeout
from yarl import URL

from seem_wire.errors import ImageTooLarge, InvalidValue, SeemError

if TYPE_CHECKING:
    from typing import BinaryIO

    from aiohttp import ClientResponse, ClientSession

MAX_IMAGE_BYTES = 64 * 1024**2
MAX_VIDEO_BYTES = 2 * 1024**3
TIMEOUT_S, VIDEO_TIMEOUT_S = 30.0, 600.0
_SILENCE = ClientTimeout(total=None, connect=TIMEOUT_S, sock_read=TIMEOUT_S)
MAX_REDIRECTS = 4
MAX_TOKENS = 256
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSED = frozenset({401, 403})
_PIECE_BYTES = 256 * 1024
_JWT_PARTS = 3


class PictureOutOfReach(InvalidValue):
    """A task's picture cannot be fetched."""

    hint = "Check --label-studio-url and --label-studio-token-file, and that Label Studio runs."


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures come from.

    `label_studio` is its address. `token` is one of its access tokens, of either kind, or empty.
    `image_hosts` are other hosts that may be asked, without a token.
    """

    label_studio: str
    token: str = field(default="", repr=False)
    image_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises InvalidValue where the address is none of the web."""
        url = _url(self.label_studio)
        if url is None or url.scheme not in {"http", "https"} or not url.host:
            raise InvalidValue(f"{self.label_studio!r} is no address such as http://HOST:PORT.")


class Fetcher:
    """Fetches pictures over `session`, which is its owner's to close."""

    def __init__(self, source: Source, session: ClientSession) -> None:
        self._source, self._session = source, session
        self._base = URL(source.label_studio.rstrip("/") + "/")
        self._access: dict[str, str] = {}  # what personal access tokens were exchanged for

    async def fetch(self, address: str, *, token: str = "", most: int = MAX_IMAGE_BYTES) -> bytes:
        """The bytes of the image at an address, as `save` would write them."""
        held = io.BytesIO()
        await self.save(address, held, token=token, most=most, timeout_s=TIMEOUT_S)
        return held.getvalue()

    async def save(
        self,
        address: str,
        file: BinaryIO,
        *,
        token: str = "",
        most: int = MAX_VIDEO_BYTES,
        timeout_s: float = VIDEO_TIMEOUT_S,
    ) -> None:
        """Writes what lies at an address, which may be a path of Label Studio's, into a file.

        `token` is shown to Label Studio where the operator gave none.

        Raises:
            PictureOutOfReach: It may not be asked for, or does not come.
            ImageTooLarge: It has more than `most` bytes.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._follow(self._allowed(address), token, file, most)
        except TimeoutError as error:
            raise PictureOutOfReach(
                f"The picture {_shown(address)} did not come within {timeout_s:.0f} s."
            ) from error
        except SeemError:  # some of which are ValueErrors
            raise
        except (ClientError, OSError, ValueError) as error:
            raise PictureOutOfReach(
                f"The picture {_shown(address)} cannot be fetched: {error}."
            ) from error

    async def _follow(self, url: URL, token: str, file: BinaryIO, most: int) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            async with await self._get(url, token) as answer:
                if answer.status not in _REDIRECTS:
                    await self._read(answer, url, file, most)
                    return
                target = answer.headers.get("Location", "")
            url = self._allowed(target, near=url)
        raise PictureOutOfReach(f"The picture {url.path} is redirected too often.")

    async def _get(self, url: URL, token: str) -> ClientResponse:
        if not self._is_label_studio(url):
            return await self._ask(url, "")
        token = self._source.token or token
        answer = await self._ask(url, await self._authorization(token))
        if answer.status in _REFUSED and self._access.pop(token, ""):  # it lasts for minutes
            answer.release()
            answer = await self._ask(url, await self._authorization(token))
        return answer

    async def _ask(self, url: URL, authorization: str) -> ClientResponse:
        headers = {"Authorization": authorization} if authorization else {}
        return await self._session.get(
            url, headers=headers, allow_redirects=False, timeout=_SILENCE
        )

    async def _read(self, answer: ClientResponse, url: URL, file: BinaryIO, most: int) -> None:
        if answer.status in _REFUSED:
            raise PictureOutOfReach(
                f"{url.host} does not let the adapter read {url.path} ({answer.status})."
            )
        if answer.status != 200:  # noqa: PLR2004
            raise PictureOutOfReach(f"{url.host} has no picture {url.path} ({answer.status}).")
        n_bytes = answer.content_length or 0
        if n_bytes <= most:
            n_bytes = 0
            async for piece in answer.content.iter_chunked(_PIECE_BYTES):
                n_bytes += len(piece)
                if n_bytes > most:
                    break
                await asyncio.to_thread(file.write, piece)
        if n_bytes > most:
            raise ImageTooLarge(f"The picture {url.path} has more than {most} bytes.")

    async def _authorization(self, token: str) -> str:
        """What is shown to Label Studio: a legacy token as it is, or what one's own brings."""
        if token.count(".") != _JWT_PARTS - 1:
            return f"Token {token}" if token else ""
        if token not in self._access:
            if len(self._access) >= MAX_TOKENS:
                self._access.clear()
            async with self._session.post(
                self._base.join(URL("api/token/refresh")),
                json={"refresh": token},
                allow_redirects=False,
                timeout=_SILENCE,
            ) as answer:
                if answer.status != 200:  # noqa: PLR2004
                    raise PictureOutOfReach(
                        f"Label Studio does not take the adapter's access token ({answer.status})."
                    )
                self._access[token] = str((await answer.json()).get("access", ""))
        return f"Bearer {self._access[token]}"

    def _allowed(self, address: str, near: URL | None = None) -> URL:
        """The address in full, where it may be asked for."""
        given = _url(address)
        if given is None:
            raise PictureOutOfReach(f"{_shown(address)!r} is no address of a picture.")
        url = (near or self._base).join(given)
        if url.scheme not in {"http", "https"} or not url.host:
            raise PictureOutOfReach(
                f"Pictures are fetched over HTTP alone, and not {_shown(address)!r}."
            )
        if not (self._is_label_studio(url) or url.host in self._source.image_hosts):
            raise PictureOutOfReach(
                f"The picture lies at {url.host}, which is not Label Studio: "
                f"--image-host {url.host} allows it."
            )
        return url

    def _is_label_studio(self, url: URL) -> bool:
        return url.origin() == self._base.origin()


def _url(address: str) -> URL | None:
    try:
        return URL(address)
    except ValueError:
        return None


def _shown(address: str) -> str:
    """As much of an address as may be told: its query may hold a signature, and data are long."""
    return address.partition("?")[0][:200]
