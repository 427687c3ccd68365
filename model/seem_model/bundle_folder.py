"""A folder that appears under its name whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from seem_model.published_bundle import MANIFEST
from seem_wire.errors import DiskFull, OutputTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NEXT_TO_NOTHING = 1 << 20


@contextmanager
def new_bundle(out: Path, *, n_bytes: int, force: bool) -> Iterator[Path]:
    """A folder beside `out` to fill; it takes the place of `out` when the block ends well.

    However else the block ends, the folder is removed and `out` is as it was. `n_bytes` will be
    needed. `force`: a bundle that is there may be replaced.

    Raises:
        OutputTaken: `out` is a file, or a folder with something in it that is not to be replaced.
        DiskFull: The disk has less room than `n_bytes`, or ran out of it.
    """
    out = out.resolve()
    check_free(out, force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    if free < n_bytes:
        raise DiskFull(f"{out.parent} has {_gb(free)} free; this takes {_gb(n_bytes)}.")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a process of the same number that was killed
    try:
        part.mkdir()
        yield part
        _put_in_place(part, out, force=force)
    except Exception as error:
        if _is_full(error, out.parent):
            raise DiskFull(f"{out.parent} is full; nothing of the bundle was kept.") from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remake_bundle(
    bundle: Path, out: Path, change: Callable[[Path, dict[str, Any]], None], *, force: bool
) -> None:
    """A bundle made of another: `change` is given the copy's folder, and its manifest to alter.

    Hashes are written after. `force`: a bundle that is there may be replaced.

    Raises:
        OutputTaken: Something is there that is not to be replaced.
        DiskFull: The disk is.
    """
    manifest = json.loads((bundle / MANIFEST).read_text("utf-8"))
    files = manifest["files"]
    with new_bundle(out, n_bytes=sum(one["bytes"] for one in files.values()), force=force) as part:
        for name in files:
            shutil.copy(bundle / name, part / name)
        change(part, manifest)
        for name in files:
            content = (part / name).read_bytes()
            files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        (part / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def check_free(out: Path, *, force: bool) -> None:
    """Refuses a name under which something lies that is not to be replaced.

    Raises:
        OutputTaken: As it says.
    """
    if out.exists() and not out.is_dir():
        raise OutputTaken(f"{out} is not a folder.")
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        raise OutputTaken(f"{out} holds something that is not a bundle.")
    if not force:
        raise OutputTaken(f"{out} holds a bundle already.")


def _put_in_place(part: Path, out: Path, *, force: bool) -> None:
    check_free(out, force=force)  # again: minutes have passed
    old = part.with_suffix(".old")
    if out.exists():
        out.rename(old)
    try:
        part.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_full(error: BaseException, folder: Path) -> bool:
    """Whether a full disk is behind an error; libraries wrap it in errors of their own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        cause = cause.__cause__ or cause.__context__
    return shutil.disk_usage(folder).free < _NEXT_TO_NOTHING


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB"
