"""The outlines of a mask as polygons, exactly: filling them gives the mask again.

An outline runs along the edges between marked and unmarked pixels, so its vertices are whole
numbers in the frame of all coordinates (the first pixel spans [0, 1] x [0, 1]). Marked pixels that
touch only at a corner lie in different polygons. Everything is array work; no pixel is visited in
a Python loop.

Directions, with y down:  0 right · 1 down · 2 left · 3 up. Edges run with the marked pixel on
their right hand: outlines clockwise as seen on the screen, holes the other way round.
E edges · K corners
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Vertices = npt.NDArray[np.float64]

_RIGHT, _DOWN, _LEFT, _UP = range(4)
_STEP = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """One connected piece of a mask.

    `outline` is float64 (K, 2), the corners (x, y) clockwise as seen on the screen, the first not
    repeated; `holes` are the outlines of what is cut out of it, counter-clockwise.
    """

    outline: Vertices
    holes: tuple[Vertices, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """The unit edges between marked and unmarked pixels.

    `start` is (E, 2), where each begins as (x, y); `direction` is (E,).
    """

    start: Ints
    direction: Ints

    def next(self, width: int) -> Ints:
        """(E,) the edge that follows each: at a corner where two pieces touch, sharp right."""
        key = (self.start[:, 1] * (width + 1) + self.start[:, 0]) * 4 + self.direction
        order = np.argsort(key)
        end = self.start + _STEP[self.direction]
        place = (end[:, 1] * (width + 1) + end[:, 0]) * 4
        following = np.full(len(key), -1)
        for turn in (3, 0, 1):  # later ones win: left, straight on, right
            wanted = place + (self.direction + turn) % 4
            at = np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)
            following = np.where(key[order[at]] == wanted, order[at], following)
        return following


def polygons(mask: npt.NDArray[np.bool_]) -> tuple[Polygon, ...]:
    """The pieces of a mask, bool (H, W), the one whose top is highest first."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return ()
    top, left = int(rows[0]), int(columns[0])
    marked = mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    edges = _edges_of(marked)
    ring, rank = _rings(edges.next(marked.shape[1]))
    parent = _parents(edges, ring)
    outlines: dict[int, Vertices] = {}
    holes: dict[int, list[Vertices]] = {}
    order = np.lexsort((rank, ring))
    bounds = np.flatnonzero(np.diff(ring[order])) + 1
    for members in np.split(order, bounds):
        name = int(ring[members[0]])
        corners = _corners(edges, members) + np.array([left, top])
        if parent[name] == name:
            outlines[name] = corners
        else:
            holes.setdefault(parent[name], []).append(corners)
    return tuple(Polygon(outline, tuple(holes.get(name, ()))) for name, outline in outlines.items())


def _edges_of(mask: npt.NDArray[np.bool_]) -> _Edges:
    """All edges; those that run right come first, row by row, so a ring's first edge is its top."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    bare = {
        _RIGHT: ~padded[:-2, 1:-1],  # nothing marked above
        _DOWN: ~padded[1:-1, 2:],
        _LEFT: ~padded[2:, 1:-1],
        _UP: ~padded[1:-1, :-2],
    }
    corner = {_RIGHT: (0, 0), _DOWN: (1, 0), _LEFT: (1, 1), _UP: (0, 1)}  # of the pixel
    starts, directions = [], []
    for direction, open_side in bare.items():
        y, x = np.nonzero(inside & open_side)
        starts.append(np.stack([x, y], axis=1) + corner[direction])
        directions.append(np.full(len(x), direction))
    return _Edges(np.concatenate(starts), np.concatenate(directions))


def _rings(following: Ints) -> tuple[Ints, Ints]:
    """(E,) the ring of each edge, named by its lowest edge, and (E,) its place from there.

    Pointer doubling: after k steps each edge knows the next 2^k, so a ring of n needs log n steps.
    """
    n_steps = max(len(following) - 1, 1).bit_length()
    ring, jump = np.arange(len(following)), following
    for _ in range(n_steps):
        ring = np.minimum(ring, ring[jump])
        jump = jump[jump]
    is_last = following == ring  # the next is the ring's first: cut here and count what is left
    jump = np.where(is_last, np.arange(len(following)), following)
    to_go = (~is_last).astype(np.int64)
    for _ in range(n_steps):
        to_go += to_go[jump]
        jump = jump[jump]
    return ring, -to_go


def _parents(edges: _Edges, ring: Ints) -> dict[int, int]:
    """The outline that each ring belongs to: itself, or around the hole that it is.

    A hole's top edge runs left, under a marked pixel. From there to the left, over marked pixels,
    the first edge that runs up belongs to the outline, or to a hole that reaches higher up.
    """
    runs_up = np.flatnonzero(edges.direction == _UP)
    x, y = edges.start[runs_up].T
    span = int(edges.start[:, 0].max()) + 1
    key = (y - 1) * span + x  # the row of the marked pixel; the edge starts below it
    order = np.argsort(key)
    tops = _tops(edges, ring)
    parent = {name: name for name in np.unique(ring).tolist() if name not in tops}
    for name, top in sorted(tops.items(), key=lambda item: int(edges.start[item[1], 1])):
        left, row = edges.start[top] - (1, 1)  # the pixel above the edge
        at = np.searchsorted(key[order], row * span + left, side="right") - 1
        parent[name] = parent[int(ring[runs_up[order[at]]])]
    return parent


def _tops(edges: _Edges, ring: Ints) -> dict[int, int]:
    """For each ring that is a hole, an edge at its top."""
    sideways = np.flatnonzero((edges.direction == _RIGHT) | (edges.direction == _LEFT))
    order = sideways[np.argsort(edges.start[sideways, 1], kind="stable")]
    names, first = np.unique(ring[order], return_index=True)
    tops = order[first]
    is_hole = edges.direction[tops] == _LEFT
    return dict(zip(names[is_hole].tolist(), tops[is_hole].tolist(), strict=True))


def _corners(edges: _Edges, members: Ints) -> Vertices:
    """(K, 2) where a ring of edges, in order, turns."""
    direction = edges.direction[members]
    turns = direction != np.roll(direction, 1)
    corners: Ints = edges.start[members[turns]]
    return corners.astype(np.float64)
