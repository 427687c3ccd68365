"""What the site is made of: every page has its place, and every table a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip("grpc_tools", reason="needs the extra docs")

import make_site

ROOT = Path(__file__).parents[2]


def pages_in(nav):
    for entry in nav:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else pages_in(value)


def test_every_page_is_in_the_navigation_once_and_nothing_else():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    pages = [*make_site.site_pages().values(), make_site.REFERENCE]
    assert sorted(pages_in(nav)) == sorted(pages)


def test_every_model_card_is_a_page():
    cards = {str(path.relative_to(ROOT)) for path in (ROOT / "model").rglob("MODEL_CARD*.md")}
    assert cards <= set(make_site.SHOWN)


def test_every_table_is_on_some_page():
    text = "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert set(re.findall(r"<!-- table: (\w+) -->", text)) == set(make_site.TABLES)


def test_whoever_reads_the_file_is_told_where_a_table_is():
    text = "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    marks = re.findall(r"<!-- table: \w+ -->\n(.*)", text)
    assert set(marks) == {"<!-- only in the file: -->"}
    assert make_site.with_tables("a\n<!-- only in the file: -->\nb\n<!-- end -->\nc") == "a\nc"


def test_pages_are_written_with_their_tables_and_links(tmp_path):
    make_site.write_pages(tmp_path / "pages")
    operating = (tmp_path / "pages/operating.md").read_text("utf-8")
    assert "| `--max-sessions` | 256 |" in operating
    assert "(security.md)" in operating
    assert (tmp_path / "pages/protocol-reference.md").read_text("utf-8").startswith("# Protocol")
