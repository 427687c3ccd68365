"""Which recorded file is checked by what, and with which variant.

A folder of goldens is a variant's, but for `focalt_shared`: pictures, texts and the encoder of the
three Focal-T variants, which have the same weights under the same names.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from seem_model.evaluate.parity.clicks import check_clicks
from seem_model.evaluate.parity.demo import TOKENS, check_demo, check_example_tokens
from seem_model.evaluate.parity.encoders import check_encoder
from seem_model.evaluate.parity.everything import check_everything, check_postprocessing
from seem_model.evaluate.parity.examples import check_refimg
from seem_model.evaluate.parity.golden import Golden, GoldenUnusable
from seem_model.evaluate.parity.pictures import check_pictures
from seem_model.evaluate.parity.queries import OBJECTS, is_of
from seem_model.evaluate.parity.setting import SHARED
from seem_model.evaluate.parity.settle import Attempt, settle
from seem_model.evaluate.parity.sheet import Row, Sheet, Use
from seem_model.evaluate.parity.texts import check_texts
from seem_model.evaluate.parity.words import check_grounding
from seem_model.variants import FOCAL_TINY, VARIANTS, Wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from seem_model.evaluate.parity.close_calls import CloseCall
    from seem_model.evaluate.parity.setting import Setting

    Check = Callable[[Sheet, Setting], None]

EVERY = "*"
EVERYTHING = "none"
GROUNDING = "grounding"
_NAMED: dict[str, Check] = {
    "encoder": check_encoder,
    EVERYTHING: check_everything,
    "refimg": check_refimg,
    "text": check_texts,
    "preprocess": lambda sheet, _: check_pictures(sheet),
    "postproc": lambda sheet, setting: check_postprocessing(sheet, setting.tolerances),
}


def check_file(path: Path, setting: Setting) -> list[Row]:
    """The account of one file. What fails is looked at again: see `close_calls`."""
    rows = _check(path, setting)
    if all(row.ok and not row.flipped for row in rows):
        return rows
    return _look_again(path, setting, rows)


def _look_again(path: Path, setting: Setting, rows: list[Row]) -> list[Row]:
    """The rows with some close calls taken as the reference took them, if they pass then."""
    doubtful = {row.array for row in rows if row.flipped or not row.ok}
    anew = any(is_of(OBJECTS, name) for name in doubtful)

    def attempt(calls: Sequence[CloseCall]) -> Attempt:
        setting.replay(calls, anew=anew)
        found = _check(path, setting)
        still_open = sorted(setting.close_calls, key=lambda call: abs(call.logit))
        return Attempt(found, tuple(calls), tuple(still_open))

    settled = settle(attempt(()), attempt)
    setting.forget()
    if settled is None:
        return rows
    note = f"{len(settled.turned)} attention decision(s) within {settled.closest:.0e} of 0 turned"
    return [replace(row, note=note) if row.array in doubtful else row for row in settled.rows]


def _check(path: Path, setting: Setting) -> list[Row]:
    """All rows of a file; one that can't be used has a row that says so."""
    rows: list[Row] = []
    try:
        sheet = Sheet(Golden(path))
        rows = sheet.rows
        _check_of(path, setting)(sheet, setting)
        return sheet.close()
    except GoldenUnusable as error:
        label = f"{path.parent.name}/{path.stem}"
        return [*rows, Row(label, "", Use.FORGOTTEN, ok=False, note=str(error))]


def recorded_variants(root: Path) -> list[str]:
    """The variants with files of their own."""
    return [name for name in VARIANTS if _files(root / name)]


def plan(
    root: Path, variants: Sequence[str], *, only_variant: str | None = None, only: str = EVERY
) -> Iterator[tuple[str, list[Path]]]:
    """The variants to run and their files, of those that fit the pattern `only`.

    What the Focal-T variants share goes with the first of them.
    """
    shared = _files(root / SHARED)
    for name in [only_variant] if only_variant else variants:
        files = _files(root / name)
        if VARIANTS[name].backbone == FOCAL_TINY:
            files, shared = shared + files, []
        chosen = [file for file in files if fnmatch(f"{file.parent.name}/{file.stem}", only)]
        if chosen:
            yield name, chosen


def unknown_files(root: Path) -> list[Row]:
    """A failure for each recorded file that belongs to no variant."""
    known = {SHARED, *VARIANTS}
    files = [file for file in sorted(root.rglob("*.npz")) if file.parent.name not in known]
    return [
        Row(f"{file.parent.name}/{file.stem}", "", Use.FORGOTTEN, ok=False, note="of no variant")
        for file in files
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npz"))


def _check_of(path: Path, setting: Setting) -> Check:
    name = path.stem
    demo = setting.subject.model.variant.wiring is Wiring.DEMO and path.parent.name != SHARED
    if demo and name == TOKENS:
        return check_example_tokens
    if demo and name != EVERYTHING:
        return check_demo
    if name.startswith(GROUNDING):
        return check_grounding
    return _NAMED.get(name, check_clicks)
