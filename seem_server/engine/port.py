"""The engine as the rest of the server sees it, wherever its work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from seem_server.engine.cache import CacheUse
    from seem_server.engine.engine import EngineStats
    from seem_server.engine.tickets import Pay, Ticket
    from seem_server.engine.work import Work
    from seem_server.runtime.specs import BundleManifest

    Pixels = npt.NDArray[np.uint8]


class EnginePort(Protocol):
    """Takes work and gives tickets for it; nothing but `close` waits.

    `Engine` does it in this process, `cluster.ClusterEngine` has it done by others.
    """

    @property
    def manifest(self) -> BundleManifest:
        """What the bundle that runs says of itself."""

    @property
    def provider(self) -> str:
        """Where it really runs: "cpu", "cuda" or "fake"."""

    @property
    def stats(self) -> EngineStats:
        """How it stands now."""

    @property
    def caches(self) -> dict[str, CacheUse]:
        """How each cache is used, by its name."""

    @property
    def is_alive(self) -> bool:
        """Whether what does the work runs."""

    @property
    def answers(self) -> bool:
        """Whether work that is submitted now would be done."""

    def put_image(self, image_key: str, pixels: Pixels) -> None:
        """Keeps upright RGB uint8 (H, W, 3) pixels under a key that names them for good."""

    def has_image(self, image_key: str) -> bool:
        """Whether work on this image could be done now, without its bytes being sent again."""

    def has_features(self, image_key: str) -> bool:
        """Whether this image is encoded already."""

    def submit(
        self,
        work: Work,
        *,
        deadline_s: float | None = None,
        tenant: str = "",
        pay: Pay | None = None,
    ) -> Ticket:
        """A ticket for `work`.

        Raises:
            ImageUnknown: Its image is not held (any more): send the bytes again.
            Overloaded: It would wait too long.
            ShuttingDown: The engine is closing.
        """

    def check_room(self, session_id: str, image_key: str, *, tenant: str = "") -> None:
        """Raises Overloaded where a new click of a session of which nothing waits would be."""

    def close(self, *, drain_s: float = 10.0) -> None:
        """Takes no new work, finishes what waits within `drain_s`, and ends every ticket."""
