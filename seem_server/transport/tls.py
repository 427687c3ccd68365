"""What a server shows of itself, and whose certificates it takes from clients."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from seem_wire.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM texts. With `client_ca`, a client must have a certificate that this CA has signed."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """The same for gRPC."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.client_ca,
            require_client_auth=self.client_ca is not None,
        )


def read_tls(certificate: str, key: str, client_ca: str = "") -> Tls:
    """What lies in these PEM files; gRPC would tell of a bad one only that it can't listen.

    Raises:
        InvalidValue: One is no PEM file, or the key is not the certificate's.
        OSError: One cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate_pem, key_pem = Path(certificate).read_bytes(), Path(key).read_bytes()
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidValue(
            f"{certificate} and {key} are no certificate with its key in PEM."
        ) from error
    if not client_ca:
        return Tls(certificate_pem, key_pem)
    try:
        context.load_verify_locations(client_ca)
    except ssl.SSLError as error:
        raise InvalidValue(f"{client_ca} holds no certificate in PEM.") from error
    return Tls(certificate_pem, key_pem, Path(client_ca).read_bytes())


def _no_password() -> str:
    raise ValueError("A key with a password can't be used: nobody is there to type it.")
