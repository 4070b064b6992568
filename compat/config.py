"""The configuration in force, and the files it is read from and written to."""

from __future__ import annotations

import glob
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from januskv.resp.inline import split_words

from .parameters import BY_NAME, PARAMETERS, REDIS_SAVE_POINTS, ConfigError, Parameter, SavePoints

# Bytes that an unauthenticated client may leave unread (as Redis) and send ahead while it is held (ours).
_UNAUTHENTICATED_OUTPUT = 1024
_UNAUTHENTICATED_INPUT = 1 << 20


class Config:
    """The values in force, as attributes: ``config.slowlog_max_len``.

    ``on_change`` is called with a parameter after CONFIG SET has changed it.
    """

    def __init__(self, **values: Any) -> None:
        self.appendonly: bool
        self.save: SavePoints
        self.dir: str
        for parameter in PARAMETERS:
            setattr(self, parameter.attribute, parameter.default)
        self.path: str | None = None  # the file the server was started with
        self.given: set[str] = set()  # parameters that the file or the command line sets
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
        self._store(parameter.attribute, parameter.kind.parse(text))
        self.given.add(parameter.name)
        self.derive()
        return parameter

    def settle(self) -> None:
        """Choose what depends on what was given, and on where: whether, how and in which directory data is kept."""
        if "appendonly" not in self.given and "save" in self.given and not self.save:
            self.appendonly = False
        if not self.appendonly and "save" not in self.given:
            self.save = REDIS_SAVE_POINTS
        self.dir = os.path.abspath(self.dir)

    @property
    def keeps_data(self) -> bool:
        """Whether data outlives the process: by the log or by snapshots."""
        return bool(self.appendonly or self.save)

    @property
    def keeps_nothing(self) -> bool:
        """Whether the server was told to keep nothing, and no directory was named where something could be."""
        return not self.keeps_data and "save" in self.given and "dir" not in self.given

    def _store(self, attribute: str, value: Any) -> None:
        """Set a parsed value; one with parts (output limits by class) keeps the parts that are not given."""
        setattr(self, attribute, {**getattr(self, attribute), **value} if isinstance(value, dict) else value)

    def update(self, values: dict[str, Any]) -> None:
        """Set parsed values by attribute while the server runs, and tell ``on_change`` of each."""
        for attribute, value in values.items():
            self._store(attribute, value)
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
            points = ""
            for where, name, value in read_directives(text, path):
                if name == "save":  # each line adds to those before, the empty one takes them away
                    value = points = f"{points} {value}".strip() if value else ""
                self._apply(name, value, where)

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

        Lines of redis.conf style keep their place and comments; a TOML file is written anew.
        Raises OSError, and ConfigError for a value that TOML cannot hold.
        """
        assert self.path is not None
        with open(self.path, "rb") as source:
            old = source.read().decode()
        new = self._as_toml() if self.path.endswith(".toml") else self._as_directives(old)
        temporary = f"{self.path}.{os.getpid()}.tmp"
        # It may hold a password: nobody else reads it before it has the old file's permissions.
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(new.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, os.stat(self.path).st_mode & 0o7777)
        os.replace(temporary, self.path)

    def _changed(self) -> dict[str, Parameter]:
        changed = {each.name: each for each in PARAMETERS if getattr(self, each.attribute) != each.default}
        if not self.appendonly:
            changed["save"] = BY_NAME["save"]  # its default is another one then
        elif not self.save:
            changed["appendonly"] = BY_NAME["appendonly"]  # an empty "save" alone would keep nothing
        return changed

    def _as_toml(self) -> str:
        return "".join(f"{name} = {_toml_text(self.shown(each))}\n" for name, each in self._changed().items())

    def _as_directives(self, old: str) -> str:
        lines: list[str] = []
        written: set[str] = set()
        for line in old.splitlines():
            parameter = BY_NAME.get((line.split(maxsplit=1) or [""])[0].lower())
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

    def output_limits(self, client: Any) -> tuple[int, int, int]:
        """How many bytes of replies this client may leave unread: never more than the first number, not more
        than the second for longer than the third in seconds; 0: any number."""
        if not client.authenticated:
            return _UNAUTHENTICATED_OUTPUT, 0, 0
        limits: dict[str, tuple[int, int, int]] = self.client_output_buffer_limit
        return limits["pubsub" if client.monitoring or client.subscriptions is not None else "normal"]

    def output_limit(self, client: Any) -> int:
        """Most bytes of replies that this client may ever leave unread; 0: any number."""
        return self.output_limits(client)[0]

    def input_limit(self, client: Any) -> int:
        """Most bytes that this client may send ahead of what has been run."""
        most: int = self.client_query_buffer_limit
        return most if client.authenticated else min(most, _UNAUTHENTICATED_INPUT)


def quoted(value: str) -> str:
    """A value as redis.conf style writes it: in quotes where it is empty or could be misread."""
    if value and re.fullmatch(r"[!-~]+( [!-~]+)*", value) and not re.search(r"[\"'#\\]", value):
        return value
    data = value.encode(errors="surrogateescape")
    return '"' + "".join(_ESCAPED.get(byte, chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data) + '"'


_ESCAPED = {ord("\\"): "\\\\", ord('"'): '\\"', 10: "\\n", 13: "\\r", 9: "\\t"}


def _toml_text(value: str) -> str:
    if any("\udc80" <= letter <= "\udcff" for letter in value):
        raise ConfigError("TOML holds UTF-8 only")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# Files that include each other would be read for ever.
_DEEPEST_INCLUDE = 10


def read_directives(text: str, path: str, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield place (file:line), name and value of each directive of a file in the style of redis.conf.

    ``include`` reads other files (a glob pattern names several) in its place. Raises ConfigError.
    """
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        words = split_words(line.encode(errors="surrogateescape"))
        if not words:
            raise ConfigError(f"{path}:{number}: unbalanced quotes")
        name, *values = [word.decode(errors="surrogateescape") for word in words]
        if name.lower() == "include":
            for pattern in values:
                yield from _included(pattern, f"{path}:{number}", depth)
        else:
            yield f"{path}:{number}", name.lower(), " ".join(values)


def _included(pattern: str, where: str, depth: int) -> Iterator[tuple[str, str, str]]:
    if depth >= _DEEPEST_INCLUDE:
        raise ConfigError(f"{where}: files include each other too deeply")
    paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except OSError as error:
            raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from None
        yield from read_directives(text, path, depth + 1)
