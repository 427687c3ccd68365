"""A server that runs: whether it can be reached, is well, and lets us in."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import seem_client
from seem_client.channel import is_loopback, reach_of
from seem_server.commands.checkup.finding import Finding, State, looked
from seem_wire.errors import NotOffered, Unauthenticated
from seem_wire.v1 import seem_pb2 as pb

if TYPE_CHECKING:
    from pathlib import Path

    from seem_client import Client

PATIENCE_S = 5.0
CALLS = 10
SOON_DAYS = 14
"""A certificate that ends within this many days is told in time."""

SERVICE = pb.DESCRIPTOR.services_by_name["Seem"].full_name


@dataclass(frozen=True, slots=True)
class Place:
    """A server's address, and what is shown to it, as `seem_client.connect` takes it."""

    address: str
    token: str | None = None
    tls: bool | str | Path | None = None
    client_cert: tuple[str, str] | None = None

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The address for a socket."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    def connect(self) -> Client:
        """A client that waits for a short time only."""
        return seem_client.connect(
            self.address,
            timeout_s=PATIENCE_S,
            retry_s=0,
            token=self.token,
            tls=self.tls,
            client_cert=self.client_cert,
        )


def check_server(place: Place) -> list[Finding]:
    """All about the server at a place: what cannot be seen for an earlier fault is left out."""
    findings: list[Finding] = []
    for subject, check in _CHECKS.items():
        found = looked(subject, partial(check, place))
        findings.append(found)
        if found.blocks and subject != HEALTH:  # who is not well may answer all the same
            break
    return findings


def check_reach(place: Place) -> Finding:
    """Whether something listens there."""
    if place.address.startswith("unix:"):
        return Finding("server", State.OK, place.address)
    begun = time.perf_counter()
    try:
        socket.create_connection(place.host_and_port, PATIENCE_S).close()
    except OSError as error:
        told = f"{place.address} cannot be reached: {error.strerror or error}"
        mend = "Check host and port, that the server runs, and that no firewall is between."
        return Finding("server", State.FAULT, told, mend)
    took_ms = (time.perf_counter() - begun) * 1000
    return Finding("server", State.OK, f"{place.address} accepts a connection in {took_ms:.1f} ms")


def check_encryption(place: Place) -> Finding:
    """Whether what is sent can be read on its way, and how long the certificate is good for."""
    if not place.tls:
        if is_loopback(place.address):
            return Finding("encryption", State.OK, "none, and none is needed on one machine")
        mend = "Serve with --tls-cert and --tls-key, and give --tls or --tls-ca."
        told = "none: all can be read on its way, and no token is sent"
        return Finding("encryption", State.FAULT, told, mend, needed=False)
    if place.address.startswith("unix:"):
        return Finding("encryption", State.OK, "TLS, over a socket of this machine")
    context = ssl.create_default_context(cafile=None if place.tls is True else str(place.tls))
    context.set_alpn_protocols(["h2"])
    if place.client_cert:
        context.load_cert_chain(*place.client_cert)
    host, port = place.host_and_port
    try:
        with (
            socket.create_connection((host, port), PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            return judge_certificate(
                encrypted.version() or "TLS", _end_of(encrypted), now=datetime.now(UTC)
            )
    except (ssl.SSLError, OSError) as error:
        mend = (
            "Give the authority of its certificate with --tls-ca, use the name that the "
            "certificate has, and leave TLS out where the server has none."
        )
        return Finding("encryption", State.FAULT, f"no TLS came about: {error}", mend)


def judge_certificate(version: str, end: datetime, *, now: datetime) -> Finding:
    """Whether a certificate that is good now will be for a while."""
    days = (end - now).days
    told = f"{version}, its certificate is good until {end:%Y-%m-%d}"
    if days >= SOON_DAYS:
        return Finding("encryption", State.OK, told)
    mend = "Its operator has to renew the certificate and start the server anew."
    return Finding("encryption", State.FAULT, f"{told}: {days} days", mend, needed=False)


def check_health(place: Place) -> Finding:
    """What the server says of itself, which it tells anybody."""
    from seem_server.commands import health  # noqa: PLC0415  (its library comes with `serve`)

    reach = reach_of(place.address, token="", tls=place.tls, client_cert=place.client_cert)
    said = health.status_of(reach, place.address, service=SERVICE, timeout_s=PATIENCE_S)
    if said == health.SERVING:
        return Finding("health", State.OK, said)
    mend = "Wait until its model is loaded; if it stays, its log says why."
    return Finding("health", State.FAULT, said, mend)


def check_model(place: Place) -> Finding:
    """Whether the server lets us in, and what it runs."""
    with place.connect() as client:
        model = client.model()
    told = f"seem-server {model.server_version} runs {model.model_id} on {model.provider}"
    return Finding("model", State.OK, told)


def check_latency(place: Place) -> Finding:
    """How long a question takes that needs no model."""
    times_ms = []
    with place.connect() as client:
        for _ in range(CALLS):
            begun = time.perf_counter()
            client.model()
            times_ms.append((time.perf_counter() - begun) * 1000)
    told = f"{median(times_ms):.1f} ms there and back, {max(times_ms):.1f} ms at worst of {CALLS}"
    return Finding("latency", State.OK, told)


def check_occupant(place: Place) -> Finding:
    """Who has a port that one would listen on."""
    mend = "Name another with --port, or end what listens there."
    try:
        found = check_model(place)
    except Unauthenticated:
        told = f"{place.address} is taken: a seem server answers there, and wants a token"
        return Finding("port", State.OK, told)
    except NotOffered:
        told = f"{place.address} is taken by another gRPC server"
        return Finding("port", State.FAULT, told, mend)
    except Exception:  # noqa: BLE001  (whatever strangers answer)
        told = f"{place.address} is taken by something that is no seem server, or speaks TLS only"
        return Finding("port", State.FAULT, told, mend)
    return Finding("port", State.OK, f"{place.address} is taken: {found.told}")


HEALTH = "health"
_CHECKS = {
    "server": check_reach,
    "encryption": check_encryption,
    HEALTH: check_health,
    "model": check_model,
    "latency": check_latency,
}


def _end_of(encrypted: ssl.SSLSocket) -> datetime:
    certificate = encrypted.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
