"""The account of a whole comparison: a table for people, a document for programs."""

from __future__ import annotations

import math
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from seem_model.evaluate.parity.sheet import Row, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(rows: Sequence[Row]) -> str:
    """One line for each recorded array, and a summary."""
    width = max([len(row.array) for row in rows], default=5)
    lines = []
    for file, group in groupby(rows, key=lambda row: row.file):
        lines.append(f"\n{file}")
        lines += [f"  {row.array:<{width}}  {_outcome(row)}" for row in group]
    return "\n".join([*lines, "", summary(rows)])


def summary(rows: Sequence[Row]) -> str:
    """The numbers of arrays and the worst of each folder."""
    lines = [f"{'folder':<16}{'compared':>9}{'failed':>8}{'worst of its tolerance':>24}  where"]
    for folder, group in _by_folder(rows):
        compared = [row for row in group if row.use is Use.COMPARED]
        failed = sum(not row.ok for row in group)
        worst = max(group, key=lambda row: row.severity)
        place = f"{worst.file} {worst.array}" if worst.severity else ""
        lines.append(f"{folder:<16}{len(compared):>9}{failed:>8}{worst.severity:>23.0%}  {place}")
    uses = Counter(row.use for row in rows)
    told = ", ".join(f"{uses[use]} {use.value}" for use in Use if uses[use])
    ious = [row.iou for row in rows if row.iou is not None]
    if ious:
        lines.append(f"masks: {len(ious)} arrays, lowest IoU {min(ious):.5f}")
    lines.append(f"arrays: {len(rows)} ({told}); failed: {sum(not row.ok for row in rows)}")
    return "\n".join(lines)


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """`arrays`, `failed` and `worst` of all, then each file's with all that was looked at."""
    files = [
        {"file": file, **_counts(group), "rows": [_entry(row) for row in group]}
        for file, group in _grouped(rows)
    ]
    uses = Counter(row.use.value for row in rows)
    ious = [row.iou for row in rows if row.iou is not None]
    return {
        **_counts(rows),
        "uses": dict(uses),
        "lowest_iou": min(ious, default=None),
        "files": files,
    }


def _counts(rows: Sequence[Row]) -> dict[str, Any]:
    worst = max(rows, key=lambda row: row.severity, default=None)
    return {
        "arrays": len(rows),
        "failed": sum(not row.ok for row in rows),
        "worst": None if worst is None else _entry(worst),
    }


def _entry(row: Row) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": row.file, "array": row.array, "use": row.use.value}
    entry |= {"ok": row.ok}
    if row.use is Use.COMPARED:
        entry |= {"error": _finite(row.error), "tolerance": row.limit}
    if row.iou is not None:
        entry["iou"] = row.iou
    if row.note:
        entry["note"] = row.note
    return entry


def _outcome(row: Row) -> str:
    verdict = "ok" if row.ok else "FAILED"
    if row.use is not Use.COMPARED:
        return (
            f"{row.use.value:>9}{'':>22}  {verdict if not row.ok else '':<6}  {row.note}".rstrip()
        )
    iou = "" if row.iou is None else f"IoU {row.iou:.5f}"
    note = "  ".join(part for part in (iou, row.note) if part)
    return f"{row.error:>9.2e} of {row.limit:>9.2e} at most  {verdict:<6}  {note}".rstrip()


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def _grouped(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    return [(file, list(group)) for file, group in groupby(rows, key=lambda row: row.file)]


def _by_folder(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    def folder(row: Row) -> str:
        return row.file.partition("/")[0]

    return [(name, list(group)) for name, group in groupby(rows, key=folder)]
