"""Configuration parameters: declared once, with Redis' names where Redis has them.

A parameter says its type, default, whether it may change while running, and what it does. CONFIG
GET, SET and REWRITE, the command line, redis.conf files and TOML files all read this table.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}


class ConfigError(Exception):
    """A parameter has a value that it cannot take; the text says why, in Redis' words where it has them."""


# ---------------------------------------------------------------- types


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type is read from text and shown as text."""

    parse: Callable[[str], Any]
    show: Callable[[Any], str]


def _parse_bool(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ConfigError("argument must be 'yes' or 'no'")
    return text.lower() == "yes"


def integer(least: int = 0, most: int = sys.maxsize) -> Kind:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", text):
            raise ConfigError("argument couldn't be parsed into an integer")
        if not least <= int(text) <= most:
            raise ConfigError(f"argument must be between {least} and {most} inclusive")
        return int(text)

    return Kind(parse, str)


def memory(least: int = 0, most: int = sys.maxsize) -> Kind:
    """Bytes, with Redis' units (1k is 1000, 1kb is 1024)."""

    def parse(text: str) -> int:
        found = re.fullmatch(r"([0-9]{1,19})([a-z]{0,2})", text.lower())
        if found is None or found[2] not in _UNITS:
            raise ConfigError("argument must be a memory value")
        value = int(found[1]) * _UNITS[found[2]]
        if not least <= value <= most:
            raise ConfigError(f"argument must be between {least} and {most} inclusive")
        return value

    return Kind(parse, str)


def choice(*words: str) -> Kind:
    """One of some words, in any letter case."""

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ConfigError(f"argument(s) must be one of the following: {', '.join(words)}")
        return text.lower()

    return Kind(parse, str)


BOOL = Kind(_parse_bool, lambda value: "yes" if value else "no")
TEXT = Kind(str, str)


def _parse_output_limits(text: str) -> dict[str, tuple[int, int, int]]:
    words = text.split()
    if not words or len(words) % 4:
        raise ConfigError("Wrong number of arguments in buffer limit configuration.")
    limits = dict(OUTPUT_LIMITS)
    size = memory()
    for i in range(0, len(words), 4):
        name = {"slave": "replica"}.get(words[i].lower(), words[i].lower())
        if name not in OUTPUT_LIMITS:
            raise ConfigError("Invalid client class specified in buffer limit configuration.")
        try:
            limits[name] = (size.parse(words[i + 1]), size.parse(words[i + 2]), integer().parse(words[i + 3]))
        except ConfigError:
            raise ConfigError("Error in hard, soft or soft_seconds setting in buffer limit configuration.") from None
    return limits


def _show_output_limits(limits: dict[str, tuple[int, int, int]]) -> str:
    shown = {"replica": "slave"}
    return " ".join(f"{shown.get(name, name)} {hard} {soft} {s}" for name, (hard, soft, s) in limits.items())


OUTPUT_LIMITS: dict[str, tuple[int, int, int]] = {
    "normal": (0, 0, 0),
    "replica": (256 << 20, 64 << 20, 60),
    "pubsub": (32 << 20, 8 << 20, 60),
}
OUTPUT_LIMIT = Kind(_parse_output_limits, _show_output_limits)


# ---------------------------------------------------------------- parameters


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``fixed`` ones are set at start only; ``secret`` ones are never logged."""

    name: str
    kind: Kind
    default: Any
    about: str
    fixed: bool = False
    secret: bool = False
    alias: str | None = None

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")


PARAMETERS: tuple[Parameter, ...] = (
    # listeners
    Parameter("bind", TEXT, "127.0.0.1 -::1", "Addresses that both listeners bind; '-' before one: no error if absent.", fixed=True),
    Parameter("port", integer(-1, 65535), 6379, "TCP port of the data listener; 0: none, -1: one that the kernel chooses.", fixed=True),
    Parameter("http-port", integer(-1, 65535), 8379, "TCP port of the HTTP and WebSocket listener; 0: none, -1: one that the kernel chooses.", fixed=True),
    Parameter("unixsocket", TEXT, "", "Path of a unix socket for the data listener; empty: none.", fixed=True),
    Parameter("unixsocketperm", TEXT, "0", "Permissions of the unix socket, octal; 0: as the umask says.", fixed=True),
    Parameter("tcp-backlog", integer(0), 511, "Connections that may wait to be accepted.", fixed=True),
    Parameter("protected-mode", BOOL, True, "Without a password, serve only clients of this machine."),
    Parameter("timeout", integer(0, 2**31 - 1), 0, "Close a client that is idle for so many seconds; 0: never."),
    Parameter("tcp-keepalive", integer(0, 2**31 - 1), 300, "Seconds between TCP keepalive probes; 0: none."),
    Parameter("maxclients", integer(1, 2**32 - 1), 10000, "Most connections at a time."),
    Parameter("http-allowed-origins", TEXT, "", "Origins whose pages may open a WebSocket besides the server's own; '*': any."),
    # limits
    Parameter("proto-max-bulk-len", memory(1 << 20), 512 << 20, "Largest argument, and largest string value, in bytes."),
    Parameter("client-query-buffer-limit", memory(1 << 20), 1 << 30, "Most unparsed input of a client, in bytes."),
    Parameter("client-output-buffer-limit", OUTPUT_LIMIT, OUTPUT_LIMITS, "Most unread replies by class of client: hard, soft, seconds."),
    Parameter("json-max-payload", memory(64), 64 << 20, "Largest native JSON message, in bytes."),
    # access
    Parameter("requirepass", TEXT, "", "Password of the default user; empty: none.", secret=True),
    Parameter("enable-debug-command", choice("no", "yes", "local"), "no", "Whether DEBUG may be used.", fixed=True),
    Parameter("enable-protected-configs", choice("no", "yes", "local"), "no", "Whether protected parameters may be set.", fixed=True),
    Parameter("enable-module-command", choice("no", "yes", "local"), "no", "Always refused: there are no modules.", fixed=True),
    # engine
    Parameter("databases", integer(1, 10000), 16, "Numbered databases.", fixed=True),
    Parameter("sessions-required", BOOL, False, "Refuse KV_ commands without a session token."),
    Parameter("save", TEXT, "", "Save points; only '' works until persistence is built."),
    Parameter("appendonly", choice("no", "yes"), "no", "Only 'no' works until persistence is built.", fixed=True),
    Parameter("maxmemory", choice("0"), "0", "No limit: eviction is not built yet."),
    Parameter("maxmemory-policy", choice("noeviction"), "noeviction", "Nothing is evicted: eviction is not built yet."),
    Parameter("hz", integer(1, 500), 10, "How often a second expired keys are looked for."),
    # thresholds of OBJECT ENCODING
    Parameter("hash-max-listpack-entries", integer(0), 512, "Most fields of a hash that is called a listpack.", alias="hash-max-ziplist-entries"),
    Parameter("hash-max-listpack-value", integer(0), 64, "Longest field or value in such a hash, in bytes.", alias="hash-max-ziplist-value"),
    Parameter("list-max-listpack-size", integer(-5, 2**31 - 1), -2, "Size of a list that is called a listpack: entries, or -1 to -5 for 4 to 64 KiB.", alias="list-max-ziplist-size"),
    # observation
    Parameter("loglevel", choice("debug", "verbose", "notice", "warning", "nothing"), "notice", "Least important log lines that are written."),
    Parameter("slowlog-log-slower-than", integer(-1), 10000, "Microseconds from which a command is logged as slow; -1: never."),
    Parameter("slowlog-max-len", integer(0), 128, "Entries of the slow log."),
    Parameter("latency-monitor-threshold", integer(0), 0, "Milliseconds from which LATENCY notes an event; 0: never."),
    Parameter("server-name", TEXT, "januskv", "The server_name of INFO.", fixed=True),
)

BY_NAME: dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS} | {
    parameter.alias: parameter for parameter in PARAMETERS if parameter.alias is not None
}


class Config:
    """The values in force, as attributes: ``config.slowlog_max_len``.

    ``on_change`` is called with a parameter after CONFIG SET has changed it.
    """

    def __init__(self, **values: Any) -> None:
        for parameter in PARAMETERS:
            setattr(self, parameter.attribute, parameter.default)
        self.path: str | None = None  # the file the server was started with
        self.on_change: Callable[[Parameter], None] = lambda parameter: None
        for name, value in values.items():
            if name.replace("_", "-") not in BY_NAME:
                raise ConfigError(f"no parameter is called {name!r}")
            setattr(self, name, value)
        self.derive()

    def __getattr__(self, name: str) -> Any:  # for the type checker: all attributes are set in __init__
        raise AttributeError(name)

    def __iter__(self) -> Iterator[tuple[Parameter, Any]]:
        for parameter in PARAMETERS:
            yield parameter, getattr(self, parameter.attribute)

    def derive(self) -> None:
        """Compute what hot paths would otherwise compute each time."""
        thresholds = [self.slowlog_log_slower_than] if self.slowlog_log_slower_than >= 0 else []
        if self.latency_monitor_threshold:
            thresholds.append(self.latency_monitor_threshold * 1000)
        self.slow_threshold_us: int = min(thresholds, default=sys.maxsize)

    def shown(self, parameter: Parameter) -> str:
        """The value of a parameter as text."""
        return parameter.kind.show(getattr(self, parameter.attribute))

    def set_text(self, name: str, text: str) -> Parameter:
        """Set a parameter from text. Raises ConfigError for an unknown name or an impossible value."""
        parameter = BY_NAME.get(name.lower())
        if parameter is None:
            raise ConfigError(f"no parameter is called {name!r}")
        setattr(self, parameter.attribute, parameter.kind.parse(text))
        self.derive()
        return parameter

    def update(self, values: dict[str, Any]) -> None:
        """Set parsed values by attribute while the server runs, and tell ``on_change`` of each."""
        for attribute, value in values.items():
            setattr(self, attribute, value)
        self.derive()
        for attribute in values:
            self.on_change(BY_NAME[attribute.replace("_", "-")])

    # ------------------------------------------------------------ files

    def apply_file(self, path: str) -> None:
        """Set what a configuration file says: TOML if it ends in .toml, else in the style of redis.conf.

        Raises ConfigError, with the line where there is one.
        """
        self.path = os.path.abspath(path)
        try:
            with open(path, "rb") as file:
                text = file.read().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {path}: {error}") from None
        if path.endswith(".toml"):
            self._apply_toml(text, path)
        else:
            for number, name, value in read_directives(text, path):
                self._apply(name, value, f"{path}:{number}")

    def _apply_toml(self, text: str, path: str) -> None:
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: {error}") from None
        for name, value in table.items():
            if isinstance(value, list):
                value = " ".join(map(str, value))
            elif isinstance(value, bool):
                value = "yes" if value else "no"
            elif isinstance(value, dict):
                raise ConfigError(f"{path}: {name} is no table")
            self._apply(name, str(value), path)

    def _apply(self, name: str, value: str, where: str) -> None:
        try:
            self.set_text(name, value)
        except ConfigError as error:
            raise ConfigError(f"{where}: {name}: {error}") from None

    def rewrite(self) -> None:
        """Write the values in force into the file the server was started with, which is replaced as a whole.

        Lines of redis.conf style keep their place and comments; a TOML file is written anew. Raises OSError.
        """
        assert self.path is not None
        with open(self.path, encoding="utf-8") as file:
            old = file.read()
        new = self._as_toml() if self.path.endswith(".toml") else self._as_directives(old)
        temporary = f"{self.path}.{os.getpid()}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, os.stat(self.path).st_mode & 0o7777)
        os.replace(temporary, self.path)

    def _changed(self) -> dict[str, Parameter]:
        return {each.name: each for each in PARAMETERS if getattr(self, each.attribute) != each.default}

    def _as_toml(self) -> str:
        return "".join(f"{name} = {json.dumps(self.shown(each))}\n" for name, each in self._changed().items())

    def _as_directives(self, old: str) -> str:
        lines: list[str] = []
        written: set[str] = set()
        for line in old.splitlines():
            parameter = BY_NAME.get(line.split(" ", 1)[0].strip().lower())
            if parameter is None:
                lines.append(line)
            elif parameter.name not in written:
                lines.append(f"{parameter.name} {quoted(self.shown(parameter))}")
                written.add(parameter.name)
        missing = [each for name, each in self._changed().items() if name not in written]
        if missing:
            lines += ["# Generated by CONFIG REWRITE"]
            lines += [f"{each.name} {quoted(self.shown(each))}" for each in missing]
        return "\n".join(lines) + "\n"

    def output_limit(self, client: Any) -> int:
        """Most bytes of replies that this client may leave unread; 0: any number."""
        limits: dict[str, tuple[int, int, int]] = self.client_output_buffer_limit
        return limits["pubsub" if client.monitoring else "normal"][0]


def quoted(value: str) -> str:
    """A value as redis.conf style writes it: in quotes where it is empty or could be misread."""
    if value and re.fullmatch(r"[^\s\"'#\\]+( [^\s\"'#\\]+)*", value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_directives(text: str, path: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, name and value of each directive of a file in the style of redis.conf."""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise ConfigError(f"{path}:{number}: {error}") from None
        yield number, words[0].lower(), " ".join(words[1:])
