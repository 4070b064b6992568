"""The process of a server: its memory, its listening addresses, and hooks of the composition root."""

from __future__ import annotations

import os
import resource
import secrets
import sys
from collections.abc import Callable
from typing import Any, Protocol

from .parameters import ConfigError

# Modules of the fast path with a compiled implementation.
_COMPILED = (
    "januskv.resp.parser",
    "januskv.resp.encoder",
    "januskv.compat.server.channel",
    "januskv.compat.server.connection",
    "januskv.compat.server.dispatch",
    "januskv.storage.keyspace",
)


class Timer(Protocol):
    """A scheduled call."""

    def cancel(self) -> object:
        """Cancel it, and drop its references; no error if it has already been made."""


class NoTimer:
    """The timer of a server without an event loop."""

    def cancel(self) -> None:
        """There is nothing to cancel."""


def build() -> str:
    """Whether the fast path is compiled: ``compiled`` or ``plain``."""
    modules = [sys.modules[name] for name in _COMPILED if name in sys.modules]
    return "plain" if any(str(module.__file__).endswith(".py") for module in modules) else "compiled"


def never(delay_s: float, call: Callable[[], None]) -> NoTimer:
    """A scheduler without an event loop: never calls."""
    return NoTimer()


def resident_bytes() -> int:
    """Memory of this process in RAM; its peak if the system does not tell the present value."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """The peak memory of this process in RAM."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def keeps_nothing(logging: bool) -> None:
    """Data cannot be kept. Raises ConfigError."""
    raise ConfigError("the server was started to keep nothing; start it with this setting")


class Process:
    """Facts about the process, and hooks that the composition root (``januskv.app``) sets."""

    def __init__(self) -> None:
        self.id = os.getpid()
        self.run_id = secrets.token_hex(20)
        self.startup_memory = resident_bytes()
        self.tcp_port = 0
        self.http_port = 0
        self.timely_port = 0
        self.timely_udp_port = 0
        self.tls_port = 0
        self.tls_http_port = 0
        self.tls_timely_port = 0
        self.unix_socket = ""
        # The event loop's call_later.
        self.later: Callable[[float, Callable[[], None]], Timer] = never
        self.stop: Callable[[], None] = lambda: None
        # Ends the process without waiting for anything.
        self.exit_now: Callable[[], None] = lambda: None
        # How many clients are possible, up to a number.
        self.most_clients: Callable[[int], int] = lambda wanted: wanted
        # Starts to keep data of a server that has not, with a log or without.
        self.begin_keeping: Callable[[bool], None] = keeps_nothing
        # Changes the listening addresses, and the data ports without and with TLS.
        self.rebind: Callable[[str, int, int], None] = lambda bind, port, tls_port: None
        self.tune_socket: Callable[[Any], None] = lambda sock: None
