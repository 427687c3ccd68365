from __future__ import annotations

import secrets
from typing import get_args

from seem_wire.tags import TAG_LENGTH, kind_name, session_tag
from seem_wire.types import COMMAND_NAMES, Command


def test_a_session_has_one_tag_and_other_sessions_have_others():
    ids = [secrets.token_urlsafe(24) for _ in range(100)]
    tags = {session_tag(one) for one in ids}
    assert len(tags) == 100
    assert {len(tag) for tag in tags} == {TAG_LENGTH}
    assert session_tag(ids[0]) in tags


def test_a_tag_shows_nothing_of_the_id():
    session_id = secrets.token_urlsafe(24)
    assert session_tag(session_id)[:4] not in session_id


def test_no_session_has_no_tag():
    assert session_tag("") == ""


def test_every_command_has_the_name_of_its_kind():
    assert {kind_name(kind) for kind in get_args(Command)} == COMMAND_NAMES
