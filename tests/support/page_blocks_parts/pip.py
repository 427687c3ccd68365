"""`pip` for a page's reader: installs nothing, and refuses an extra that there is not."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads(Path(__file__).parents[3].joinpath("pyproject.toml").read_text("utf-8"))
OURS = re.compile(r"(?:seem-server|\.)\[(?P<extras>[\w,-]+)\]")

asked = sys.argv[1:]
if asked[:1] != ["install"]:
    sys.exit(f"pip {' '.join(asked)}: only installing is known here")
for requirement in asked[1:]:
    found = OURS.fullmatch(requirement)
    unknown = (
        set(found["extras"].split(",")) - set(PROJECT["project"]["optional-dependencies"])
        if found
        else ()
    )
    if unknown:
        sys.exit(f"seem-server has no extra {', '.join(sorted(unknown))}")
