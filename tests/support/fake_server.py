"""The whole server on the fake backend, in this process."""

from __future__ import annotations

from contextlib import contextmanager

import seem_client
from seem_server.app import local_server
from seem_server.settings import Settings


@contextmanager
def fake_client(**settings):
    """A client of a server that draws simple masks."""
    with (
        local_server(Settings(bundle="fake", **settings)) as address,
        seem_client.connect(address) as client,
    ):
        yield client
