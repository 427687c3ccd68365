"""Certificates, tokens and a server that wants them."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Event, Thread

import grpc
import trustme

from seem_server.app import serve
from seem_server.service.callers import line_of
from seem_server.settings import Settings

TOKEN = "t0ken-of-acme-that-nobody-else-has"  # noqa: S105
OTHER_TOKEN = "t0ken-of-rival-that-nobody-else-has"  # noqa: S105
WRONG_TOKEN = "t0ken-of-nobody-at-all"  # noqa: S105
LAPTOP = "laptop-3.acme.example"


@dataclass(frozen=True)
class Files:
    """A folder with an authority's certificates, and a file of callers."""

    folder: Path

    @cached_property
    def authority(self):
        return trustme.CA()

    @cached_property
    def ca(self):
        path = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(path)
        return str(path)

    @cached_property
    def server(self):
        return self.issued("127.0.0.1", "localhost")

    @cached_property
    def client(self):
        return self.issued(LAPTOP)

    @cached_property
    def tokens(self):
        return self.write_tokens(
            line_of("acme", "ann", TOKEN),
            line_of("rival", "rob", OTHER_TOKEN),
            f"acme laptop certificate:{LAPTOP}",
        )

    def write_tokens(self, *lines):
        """The path of the file of callers, with these lines from now on."""
        path = self.folder / "tokens.txt"
        path.write_text("\n".join(lines))
        return str(path)

    def issued(self, *names, authority=None, **options):
        """The paths of a certificate and its key."""
        made = (authority or self.authority).issue_cert(*names, **options)
        stem = names[0] if names else options["common_name"]
        certificate, key = (self.folder / f"{stem}.{kind}.pem" for kind in ("cert", "key"))
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        return str(certificate), str(key)

    def settings(self, *, tls=False, mtls=False, **changes):
        """A server that knows the callers of the file."""
        plain = Settings(bundle="fake", port=0, grace_s=0, tokens_file=self.tokens, store="memory")
        if tls or mtls:
            certificate, key = self.server
            plain = replace(plain, tls_cert=certificate, tls_key=key)
        if mtls:
            plain = replace(plain, tls_client_ca=self.ca)
        return replace(plain, **changes)

    def trust(self, certificate=None, key=None):
        """What a client needs to reach it, as gRPC has it, with a certificate of its own."""
        paths = [self.ca] if certificate is None else [self.ca, key, certificate]
        return grpc.ssl_channel_credentials(*(Path(path).read_bytes() for path in paths))


@asynccontextmanager
async def guarded(files, **options):
    """A server that wants to know its callers."""
    async with serve(files.settings(**options), warm_up=False) as running:
        yield running


def bearing(token):
    """The metadata of a call with this token."""
    return (("authorization", f"Bearer {token}"),)


@contextmanager
def guarded_address(files, **options):
    """The same in a thread of its own, for clients that wait."""
    started, stop = Future(), Event()

    async def run():
        async with guarded(files, **options) as running:
            started.set_result(running)
            await asyncio.to_thread(stop.wait)

    thread = Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    try:
        yield started.result(20)
    finally:
        stop.set()
        thread.join()
