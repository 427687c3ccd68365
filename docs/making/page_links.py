"""Links of Markdown files, written for who reads the repository, as the site has them."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PIECE = re.compile(
    r"(?P<code>^ *(?P<fence>`{3,})[^\n]*\n.*?^ *(?P=fence) *$)"
    r"|(?<!!)\[(?P<text>[^\]\[]+)\]\((?P<target>[^()\s]+)\)",
    re.MULTILINE | re.DOTALL,
)
"""Code that is fenced off, or a link."""


class LinkBroken(ValueError):
    """A page links to a file that the repository doesn't have."""


def rewritten(
    text: str, *, at: str, pages: Mapping[str, str], exists: Callable[[str], bool]
) -> str:
    """`text` with its links leading to pages, and to nowhere where the site lacks what they meant.

    Args:
        text: Markdown.
        at: The file's own path in the repository.
        pages: Path in the repository to name in the site, of all that the site has.
        exists: Tells whether a path is in the repository: code is named there, and not shown.

    Raises:
        LinkBroken: A link leads to no file.
    """

    def link(found: re.Match[str]) -> str:
        target, _, anchor = found["target"].partition("#")
        if not target or "://" in target or target.startswith("mailto:"):
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(at), target))
        if path in pages:
            return f"[{found['text']}]({pages[path]}{'#' + anchor if anchor else ''})"
        if not exists(path):
            raise LinkBroken(f"{at} links to {target}, which is not there.")
        return f"`{path}`" if found["text"].strip("`") == path else f"{found['text']} (`{path}`)"

    return _PIECE.sub(lambda found: found[0] if found["code"] else link(found), text)
