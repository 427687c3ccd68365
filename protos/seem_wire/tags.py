"""What logs, metrics and traces call things, without telling what they hold.

A session's id lets whoever reads it use the session, so that it goes by a tag. A command goes by
its kind.
"""

from __future__ import annotations

import hashlib
import re

TAG_LENGTH = 12
"""Hexadecimal digits: enough to tell a day's sessions apart, and useless for guessing an id."""


def session_tag(session_id: str) -> str:
    """The tag of a session, the same on both sides of the wire; empty where there is no id yet."""
    if not session_id:
        return ""
    return hashlib.sha256(session_id.encode()).hexdigest()[:TAG_LENGTH]


def kind_name(kind: type) -> str:
    """How `Capabilities.commands` names a kind of command: "set_image" for `SetImage`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
