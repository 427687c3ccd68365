"""Every block of code of the documentation runs, but those that say why they cannot."""

from __future__ import annotations

from collections import Counter

import pytest
from page_blocks import ROOT, ProgramMissing, blocks_of, reading

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

NOT_RUN = {
    "README.md": 1,
    "docs/benchmarks.md": 2,
    "docs/cvat.md": 2,
    "docs/model.md": 3,
    "docs/napari.md": 1,
    "docs/operating.md": 1,
    "docs/other-languages.md": 2,
    "docs/published.md": 4,
    "docs/runbook.md": 2,
    "docs/scaling.md": 3,
}
"""How many blocks of each page are not run: one more is a decision, and is made here."""


@pytest.mark.slow
@pytest.mark.timeout(600)  # a busy machine may do it in minutes
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_all_that_a_page_says_can_be_done_in_its_order(page, tmp_path):
    blocks = [block for block in blocks_of(page) if block.kind]
    with reading(tmp_path) as reader:
        for block in blocks:
            try:
                reader.follow(block)
            except ProgramMissing as missing:
                pytest.skip(str(missing))


def test_what_is_not_run_is_known():
    skipped = Counter(b.page for page in PAGES for b in blocks_of(page) if not b.kind)
    assert dict(skipped) == NOT_RUN
