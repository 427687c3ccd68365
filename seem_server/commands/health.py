"""`seem health`: whether a server takes work, by exit code, for whatever starts and watches it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from seem_client.channel import error_of, reach_of

if TYPE_CHECKING:
    import argparse

    from seem_client.channel import Reach

SERVING = "SERVING"

TIMEOUT_S = 4.0
"""Less than the five seconds that who watches a container commonly waits."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "health",
        help="tell whether a server takes work",
        description="Asks a server's gRPC health service, which needs no token. Exit code 0 while "
        "it takes work and does it; 1 while it warms up or goes down, while its worker or its "
        "store fails, and where nothing answers.",
    )
    parser.add_argument("server", metavar="HOST:PORT", help="the server, or unix:PATH")
    parser.add_argument("--tls", action="store_true", help="encrypt; trust the usual authorities")
    parser.add_argument("--tls-ca", metavar="FILE", help="encrypt; trust those of this PEM file")
    parser.add_argument(
        "--client-cert",
        nargs=2,
        metavar=("FILE", "KEYFILE"),
        help="a certificate of one's own and its key, in PEM",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--timeout-s", type=float, default=TIMEOUT_S, help="how long to wait (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Asks, and prints the answer; gives the exit code."""
    reach = reach_of(
        arguments.server,
        token="",  # anybody may ask
        tls=arguments.tls_ca or arguments.tls,
        client_cert=arguments.client_cert,
    )
    status = status_of(reach, arguments.server, timeout_s=arguments.timeout_s)
    print(json.dumps({"status": status}) if arguments.json else status)
    return int(status != SERVING)


def status_of(reach: Reach, address: str, *, service: str = "", timeout_s: float) -> str:
    """What the health service says of `service`, or without one of the server as a whole.

    Raises:
        SeemError: Nothing answers, or something else does.
    """
    with reach.channel() as channel:
        asking = health_pb2_grpc.HealthStub(channel).Check
        try:
            answer = asking(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s)
        except grpc.RpcError as failure:
            raise error_of(failure, address) from None
    status: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return status
