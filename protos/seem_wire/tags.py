"""What logs and traces call a session: its id lets whoever reads it use the session."""

from __future__ import annotations

import hashlib

TAG_LENGTH = 12
"""Hexadecimal digits: enough to tell a day's sessions apart, and useless for guessing an id."""


def session_tag(session_id: str) -> str:
    """The tag of a session, the same on both sides of the wire; empty where there is no id yet."""
    if not session_id:
        return ""
    return hashlib.sha256(session_id.encode()).hexdigest()[:TAG_LENGTH]
