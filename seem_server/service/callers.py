"""Who asks: a caller of a tenant, known by a token or by a client certificate.

The callers are listed in a file, one a line; `#` begins a comment:

    tenant  subject   credential
    acme    labelling sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    acme    laptop-3  certificate:laptop-3.acme.example

A token is 32 random bytes and stands in the file as its SHA-256 only: whoever reads the file cannot
call. `certificate:` names a certificate's subject alternative name, or the common name of one that
has none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOKEN_BYTES = 32

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TOKEN = re.compile(r"sha256:([0-9a-f]{64})")
_CERTIFICATE = re.compile(r"certificate:(\S+)")
_N_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `tenant`: on whose behalf; `subject`: which of its people or programs, for logs."""

    tenant: str
    subject: str


ANONYMOUS = Caller("", "")
"""Everybody, where a server asks nobody who he is."""


@dataclass(frozen=True, slots=True)
class Callers:
    """All callers that a server knows.

    Attributes:
        by_token: Those with a token, each by the SHA-256 of it.
        by_certificate: Those with a client certificate, each by a name in it.
    """

    by_token: tuple[tuple[bytes, Caller], ...] = field(default=(), repr=False)
    by_certificate: Mapping[str, Caller] = field(default_factory=dict)

    def with_token(self, token: str) -> Caller | None:
        """Whose token it is, found in a time that tells nothing about the tokens of others."""
        digest = _digest(token)
        found = None
        for known, caller in self.by_token:
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    def with_certificate(self, names: Iterable[str]) -> Caller | None:
        """Whose certificate it is, by the first of its names that is known."""
        known = (self.by_certificate.get(name) for name in names)
        return next((caller for caller in known if caller), None)


def read_callers(text: str) -> Callers:
    """The callers that a file lists.

    Raises:
        InvalidValue: A line is malformed, or says again what another said. The message does not
            repeat it: it might hold a token.
    """
    by_token: dict[bytes, Caller] = {}
    by_certificate: dict[str, Caller] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != _N_COLUMNS or not all(map(_NAME.fullmatch, words[:2])):
            raise InvalidValue(f"Line {number} is not 'TENANT SUBJECT CREDENTIAL'.")
        caller, n_before = Caller(*words[:2]), len(by_token) + len(by_certificate)
        if match := _TOKEN.fullmatch(words[2]):
            by_token[bytes.fromhex(match[1])] = caller
        elif match := _CERTIFICATE.fullmatch(words[2]):
            by_certificate[match[1]] = caller
        else:
            raise InvalidValue(
                f"Line {number} has no 'sha256:' with 64 lower-case digits, nor 'certificate:NAME'."
            )
        if len(by_token) + len(by_certificate) == n_before:
            raise InvalidValue(f"Line {number} repeats the credential of a line before.")
    return Callers(tuple(by_token.items()), by_certificate)


def make_token() -> str:
    """A new token; nobody can guess it, and nobody has it but you."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def line_of(tenant: str, subject: str, token: str) -> str:
    """The line that lets whoever has `token` in as `subject` of `tenant`.

    Raises:
        InvalidValue: One of the names cannot stand in the file.
    """
    for name in (tenant, subject):
        if not _NAME.fullmatch(name):
            raise InvalidValue(
                f"{name!r} is no name: letters, digits, '.', '_', '@' and '-', 64 at most."
            )
    return f"{tenant} {subject} sha256:{_digest(token).hex()}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
