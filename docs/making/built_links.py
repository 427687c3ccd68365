"""Links of a built site, followed: pages, places in pages, pictures and what else a page loads."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""What a browser asks for by itself."""


class _Page(HTMLParser):
    """A page's links, what it loads, and the places that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps what a tag says."""
        said = {name: value for name, value in attrs if value}
        self.places |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag in _LOADING and _LOADING[tag] in said and said.get("rel") != "canonical":
            self.loads.append(said[_LOADING[tag]])


def broken_links(site: Path) -> list[str]:
    """A sentence for each link that leads nowhere, and each thing that is loaded from elsewhere."""
    pages = {path: _Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    told = []
    for path, page in pages.items():
        at = path.relative_to(site)
        if at.name == "404.html":  # its links are absolute: it is shown at any address
            continue
        told += [f"{at} loads {one} from elsewhere" for one in page.loads if urlsplit(one).netloc]
        told += [
            f"{at} leads to {one}, which is not there"
            for one in [*page.links, *page.loads]
            if not _leads_somewhere(one, path, pages)
        ]
    return told


def _leads_somewhere(link: str, at: Path, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (at.parent / unquote(parts.path)).resolve() if parts.path else at
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    place = unquote(parts.fragment)
    return not place or target not in pages or place in pages[target].places
