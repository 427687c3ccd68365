"""The numbers that the published checkpoints came with, to be set beside those measured.

Source: the tables in the README of SEEM's repository, branch v1.0. Checkpoints by the names that
this branch gives them; other places have used the same file names for other weights.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROTOCOLS = {
    "panoptic": ("PQ",),
    "instance": ("AP",),
    "semantic": ("mIoU",),
    "refcoco": ("cIoU", "mIoU", "AP50"),
    "clicks": ("NoC85", "NoC90"),
}
_ROWS = {
    "focalt_v0": (50.6, 39.4, 60.9, 58.5, 63.5, 71.6, 3.54, 4.59),
    "focall_v0": (56.2, 46.4, 65.5, 62.8, 67.7, 76.2, 3.04, 3.85),
    "samvitb_v1": (52.0, 43.5, 60.2, 54.1, 62.2, 69.3, 2.53, 3.23),
    "samvitl_v1": (49.0, 41.6, 58.2, 53.8, 62.2, 69.5, 2.40, 2.96),
    "focalt_v1": (50.8, 39.4, 60.7, 58.5, 63.7, 72.0, 3.19, 4.13),
    "focall_v1": (56.1, 46.3, 65.8, 62.4, 67.8, 76.0, 2.66, 3.44),
}
_COLUMNS = tuple((protocol, name) for protocol, names in _PROTOCOLS.items() for name in names)


def published(protocol: str, variant: str) -> Mapping[str, float]:
    """What was published of a variant under a protocol, by measure; empty where nothing was."""
    row = _ROWS.get(variant, ())
    cells = zip(_COLUMNS, row, strict=False)
    return MappingProxyType({name: value for (of, name), value in cells if of == protocol})
