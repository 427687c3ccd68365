"""Makes the documentation's site: `make docs`.

    docs/*.md, files of the root, tables of the code ──> build/docs/ ──> site/

What is said in one place of the repository is shown from there: files of the root become pages,
and tables are made of the code, so neither can grow stale. Then each link of what was built is
followed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import server_tables
from built_links import broken_links
from page_links import rewritten
from proto_reference import PROTO, described, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]

SHOWN: Mapping[str, str] = {
    "README.md": "readme.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "DECISIONS.md": "decisions.md",
    "SECURITY.md": "security.md",
    "deploy/README.md": "deploying.md",
    "model/MODEL_CARD.md": "model-card.md",
    "clients/demo/photos/LICENCES.md": "photos.md",
}
"""Files elsewhere in the repository that are pages as they are."""

REFERENCE = "protocol-reference.md"
"""The page that is made of the protocol's file, and shown where that is linked to."""

TABLES: Mapping[str, Callable[[], str]] = {
    "settings": server_tables.settings_table,
    "metrics": server_tables.metrics_table,
    "errors": server_tables.errors_table,
    "commands": server_tables.commands_table,
    "benches": server_tables.benches_table,
}
"""What takes the place of `<!-- table: NAME -->`."""

_ONLY_IN_THE_FILE = re.compile(r"<!-- only in the file: -->\n.*?<!-- end -->\n", re.DOTALL)
_PART = re.compile(r"(?<=\S\n)(?=\*\*[A-Z]\w+\.\*\* )")
"""Where a decision goes on with its next part: in the site that is a paragraph."""


def main() -> int:
    """Makes it; gives the exit code."""
    parser = argparse.ArgumentParser(description="Makes the documentation's site.")
    parser.add_argument("--pages-only", action="store_true", help="write build/docs, build nothing")
    arguments = parser.parse_args()
    write_pages(ROOT / "build/docs")
    if arguments.pages_only:
        return 0
    shutil.rmtree(ROOT / "site", ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "mkdocs.yml"]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    broken = broken_links(ROOT / "site") if code == 0 else []
    print(*broken, sep="\n", file=sys.stderr)
    return code or int(bool(broken))


def write_pages(out: Path) -> None:
    """Writes every page of the site to the folder `out`, which is made anew.

    Raises:
        LinkBroken: A page links to a file that is not there.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    pages = {**site_pages(), f"protos/{PROTO}": REFERENCE}
    for path, name in site_pages().items():
        text = with_tables(_PART.sub("\n", (ROOT / path).read_text("utf-8")))
        shown = rewritten(text, at=path, pages=pages, exists=lambda one: (ROOT / one).exists())
        (out / name).write_text(shown, "utf-8")
    (out / REFERENCE).write_text(reference(described(ROOT / "protos")), "utf-8")
    for folder in ("images", "css"):
        shutil.copytree(ROOT / "docs" / folder, out / folder)
    shutil.copy(ROOT / "clients/web/src/icon.svg", out / "images")


def site_pages() -> dict[str, str]:
    """Path in the repository to name in the site, of every page that is a file."""
    own = {f"docs/{path.name}": path.name for path in sorted((ROOT / "docs").glob("*.md"))}
    return {**own, **SHOWN}


def with_tables(text: str) -> str:
    """`text` with each mark of a table replaced by the table.

    What is there only for those who read the file itself, in place of what is made, is left out.
    """
    shown = _ONLY_IN_THE_FILE.sub("", text)
    return re.sub(r"<!-- table: (\w+) -->", lambda found: TABLES[found[1]](), shown)


if __name__ == "__main__":
    sys.exit(main())
