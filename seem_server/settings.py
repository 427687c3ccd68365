"""What can be set: each option a flag of `seem serve` and an environment variable, here alone read.

`max_sessions` is `--max-sessions` and SEEM_MAX_SESSIONS. A flag goes before the environment, the
environment before the default.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seem_server.runtime.load import Provider
from seem_server.telemetry.logs import LogFormat

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_METAVARS = {"s": "SECONDS"}

MAX_THREADS = 1024
"""More than any machine has cores: each costs a stack, and a slip of the finger all memory."""

MAX_IMAGE_BYTES = (1 << 30) - (1 << 23)
"""A message may hold two, and gRPC counts its bytes in 32 bits, sign and all."""

DEFAULT_STORE = "sqlite"
"""A file of the user's own, where their system has programs keep what is to last."""

LOCAL_ENGINE, RAY_ENGINE = "local", "ray"
MAX_REPLICAS = 10_000

STORE_PREFIXES = ("sqlite:", "valkey://", "valkeys://", "redis://", "rediss://")

LEVELS = ("debug", "info", "warning", "error")

_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
"""What a variable may say where a flag is given or not."""


class SettingInvalid(ValueError):
    """A setting is out of its range; the message says which, and what it may be."""


def _option(
    default: Any, meaning: str, *, least: float | None = None, most: float | None = None
) -> Any:
    """A field with its default, what it means, and the least and most it may be."""
    return field(default=default, metadata={"meaning": meaning, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a server.

    Raises:
        SettingInvalid: One is out of its range.
    """

    host: str = _option("127.0.0.1", "where to listen: a host's address, or unix:PATH")
    port: int = _option(50051, "where to listen; 0 takes any free port", least=0, most=65535)
    bundle: str = _option("lite", "the model: a shipped bundle's name, a folder, or 'fake'")
    provider: str = _option("auto", f"where it runs: {', '.join(Provider)}; auto prefers cuda")
    threads: int = _option(
        0, "threads within one run of the model; 0 for one a core", least=0, most=MAX_THREADS
    )
    engine: str = _option(
        LOCAL_ENGINE, "where the model runs: local, ray (replicas on this machine) or ray:HOST:PORT"
    )
    replicas: int = _option(2, "of the model in Ray, at least", least=1, most=MAX_REPLICAS)
    most_replicas: int = _option(
        0, "of the model in Ray, at most; 0 for no more than the least", least=0, most=MAX_REPLICAS
    )
    encoders: int = _option(
        0, "replicas in Ray that only encode images; 0 has each replica encode", least=0
    )
    replica_cpus: float = _option(1.0, "cores that Ray keeps for a replica", least=0)
    replica_gpus: float = _option(0.0, "GPUs that Ray gives a replica, or a share of one", least=0)
    max_sessions: int = _option(256, "sessions at once; more are refused", least=1)
    idle_timeout_s: float = _option(
        3600.0, "a session left alone for so long makes room; it can be attached to", least=1
    )
    linger_s: float = _option(60.0, "so does one whose client is gone for so long", least=0)
    store: str = _option(
        DEFAULT_STORE, "what keeps sessions: memory, sqlite:PATH or valkey://HOST:PORT/DB"
    )
    store_replicas: int = _option(
        0, "of Valkey that must have a session's record before it is answered", least=0
    )
    keep_s: float = _option(
        7 * 86_400.0, "how long a session that nobody uses is kept in the store", least=1
    )
    max_age_s: float = _option(30 * 86_400.0, "how long any session is kept", least=1)
    store_images_bytes: int = _option(8 * 1024**3, "of image files in the store", least=0)
    store_answers_bytes: int = _option(
        256 * 1024**2, "of answers in the store, from which long sessions go on quickly", least=0
    )
    max_calls: int = _option(512, "streams and calls at once; more are refused", least=1)
    max_image_bytes: int = _option(32 * 1024**2, "of an image file", least=1, most=MAX_IMAGE_BYTES)
    max_image_pixels: int = _option(64 * 1024**2, "of an image", least=1)
    max_objects: int = _option(64, "in a session", least=1, most=65_536)
    max_waiting: int = _option(
        256, "pieces of a tenant's work in the queue; more are refused", least=1
    )
    max_wait_s: float = _option(
        0.0,
        "a click that is likely to wait longer is refused; 0 for one and a half times what a click "
        "takes, so that under any load none takes three times what it takes alone",
        least=0,
    )
    max_batch: int = _option(8, "pieces of work in one run on a GPU; on a CPU it is 1", least=1)
    images_bytes: int = _option(512 * 1024**2, "of images kept to be encoded", least=0)
    features_bytes: int = _option(1024**3, "of encoded images kept, for quick clicks", least=0)
    memory_bytes: int = _option(256 * 1024**2, "of masks kept for next rounds and undo", least=0)
    read_threads: int = _option(
        2, "threads that decode images and read large messages", least=1, most=MAX_THREADS
    )
    grace_s: float = _option(5.0, "how long running calls may go on when going down", least=0)
    log_level: str = _option("info", f"from which level on to log: {', '.join(LEVELS)}")
    log_format: str = _option("text", f"how to log: {', '.join(LogFormat)}")
    tls_cert: str = _option("", "a PEM file with the server's certificate: TLS, with tls_key")
    tls_key: str = _option("", "a PEM file with the certificate's key")
    tls_client_ca: str = _option("", "a PEM file: clients need certificates of this authority")
    tokens_file: str = _option("", "who may call, a line each (see 'seem token'); empty: anybody")
    insecure: bool = _option(
        False, "listen to other machines without TLS and authentication, all the same"
    )
    share_features: bool = _option(
        False, "tenants share encoded images, and may tell what others sent"
    )
    tenant_sessions: int = _option(0, "sessions of a tenant at once; 0 is no quota", least=0)
    tenant_requests_per_s: float = _option(
        0.0, "commands and calls of a tenant, on average; 0 is no quota", least=0
    )
    tenant_image_bytes_per_minute: int = _option(
        0, "of image files that a tenant sends; 0 is no quota", least=0
    )
    tenant_device_s_per_minute: float = _option(
        0.0, "seconds in which the device works for a tenant; 0 is no quota", least=0
    )
    web_port: int = _option(
        0,
        "where to serve the annotator to browsers on this machine; 0 for nowhere",
        least=0,
        most=65535,
    )
    metrics_host: str = _option("127.0.0.1", "where to serve metrics and probes over HTTP")
    metrics_port: int = _option(
        0, "where to serve metrics and probes over HTTP; 0 for nowhere", least=0, most=65535
    )
    otel_endpoint: str = _option("", "where to send traces (OTLP over gRPC); empty for nowhere")
    channelz: bool = _option(False, "let clients look into channels and sockets (channelz)")
    fake_encode_s: float = _option(0.0, "how long the bundle 'fake' takes for an image", least=0)
    fake_decode_s: float = _option(0.0, "how long the bundle 'fake' takes for a click", least=0)

    def __post_init__(self) -> None:
        for one in fields(self):
            value, least = getattr(self, one.name), one.metadata["least"]
            if least is not None and not value >= least:
                raise SettingInvalid(f"{_flag(one.name)} is {value}; it must be at least {least}.")
            most = one.metadata["most"]
            if most is not None and value > most:
                raise SettingInvalid(f"{_flag(one.name)} is {value}; it must be at most {most}.")
        _check_choice("provider", self.provider, tuple(Provider))
        check_store(self.store)
        if self.engine not in {LOCAL_ENGINE, RAY_ENGINE} and not self.ray_address:
            raise SettingInvalid(
                f"engine is {self.engine!r}; it must be local, ray or ray:HOST:PORT."
            )
        _check_choice("log_level", self.log_level, LEVELS)
        _check_choice("log_format", self.log_format, tuple(LogFormat))
        if bool(self.tls_cert) is not bool(self.tls_key):
            raise SettingInvalid("--tls-cert and --tls-key go together; one of them is missing.")
        if self.tls_client_ca and not self.tls_cert:
            raise SettingInvalid("--tls-client-ca needs --tls-cert and --tls-key.")
        if self.web_port and self.tls_cert:
            raise SettingInvalid(
                "--web-port is for a server without TLS: start `seem web --server …` beside it."
            )

    @property
    def ray_address(self) -> str:
        """Of the Ray cluster where the model runs; empty for none, or for one of its own."""
        kind, _, address = self.engine.partition(":")
        return address if kind == RAY_ENGINE else ""

    @property
    def authenticates(self) -> bool:
        """Whether clients have to show who they are."""
        return bool(self.tokens_file or self.tls_client_ca)

    @property
    def local(self) -> bool:
        """Whether only programs on this machine can reach the server."""
        return self.host.startswith("unix:") or _is_loopback(self.host)

    def check_exposure(self) -> None:
        """Raises SettingInvalid where strangers could use the server, and nobody said they may."""
        if self.local or self.insecure or (self.tls_cert and self.authenticates):
            return
        raise SettingInvalid(
            f"--host is {self.host!r}, which other machines can reach. Give --tls-cert and "
            "--tls-key, and --tokens-file or --tls-client-ca; or --insecure, where the network "
            "keeps strangers out."
        )

    def check_files(self) -> None:
        """Raises SettingInvalid where a file that is named cannot be read, and says by which."""
        for name in ("tls_cert", "tls_key", "tls_client_ca", "tokens_file"):
            if path := getattr(self, name):
                check_readable(_flag(name), path)

    @property
    def address(self) -> str:
        """What to listen on, as gRPC writes it."""
        if self.host.startswith("unix:"):
            return self.host
        host = f"[{self.host}]" if ":" in self.host and "[" not in self.host else self.host
        return f"{host}:{self.port}"

    def reached_at(self, port: int) -> str:
        """Where a client on this machine reaches a server that listens on `port` of this host."""
        if self.host.startswith("unix:"):
            return self.host
        everywhere = self.host in {"0.0.0.0", "::", "[::]"}  # noqa: S104  (compared, not bound)
        return f"localhost:{port}" if everywhere else replace(self, port=port).address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Gives `parser` a flag for each setting."""
    for one in fields(Settings):
        meaning = f"{one.metadata['meaning']} (default: {one.default})"
        kind = _type_of(one.default)
        if kind is bool:
            on_or_off = argparse.BooleanOptionalAction
            parser.add_argument(_flag(one.name), action=on_or_off, default=None, help=meaning)
            continue
        parser.add_argument(
            _flag(one.name), type=kind, default=None, metavar=_metavar(one.name), help=meaning
        )


def read(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """The settings of a command line and an environment.

    Raises:
        SettingInvalid: One is out of its range, or a variable is no number where it should be.
    """
    chosen: dict[str, Any] = {}
    for one in fields(Settings):
        flag = getattr(arguments, one.name, None)
        variable = f"SEEM_{one.name.upper()}"
        if flag is not None:
            chosen[one.name] = flag
        elif variable in environment:
            chosen[one.name] = _parse(variable, environment[variable], _type_of(one.default))
    return Settings(**chosen)


def check_readable(option: str, path: str | os.PathLike[str]) -> None:
    """Raises SettingInvalid where the file that an option names cannot be read."""
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingInvalid(
            f"{option} is {str(path)!r}, which cannot be read: {error.strerror}."
        ) from error


def check_store(store: str) -> None:
    """Raises SettingInvalid where a store is named in no way that is known."""
    if not (store in {"memory", DEFAULT_STORE} or store.startswith(STORE_PREFIXES)):
        raise SettingInvalid(f"--store is {store!r}; it must be memory, sqlite:PATH or valkey://….")


def _parse(variable: str, text: str, kind: type) -> Any:
    try:
        return _TRUTHS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError) as error:
        raise SettingInvalid(f"{variable} is {text!r}; it must be {_named(kind)}.") from error


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise SettingInvalid(f"{_flag(name)} is {value!r}; it must be one of {', '.join(choices)}.")


def _type_of(default: object) -> type:
    return type(default)


def _named(kind: type) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(kind, "text")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _metavar(name: str) -> str:
    if "_per_" in name:
        return "N"
    unit = name.rpartition("_")[2]
    return _METAVARS.get(unit) or unit.upper()
