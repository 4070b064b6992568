"""The command line: every configuration parameter is an option, as with redis-server."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence

from . import __version__
from .compat.server.config import USER, Config
from .compat.server.parameters import BY_NAME, GROUPS, PARAMETERS, ConfigError, Parameter
from .process_title import VARIABLES

_USAGE = """\
usage: januskv [FILE] [--PARAMETER VALUE ...] ...

One data server with two faces: Redis' RESP2/RESP3 and native JSON commands over one engine.

  FILE, --config FILE      configuration file, TOML (.toml) or in the style of redis.conf
  -p PORT                  short for --port PORT
  -h, --help               show this and end
  -v, --version            show the version and end
"""

_EPILOG = """\
Every parameter of the configuration file can be given as an option and wins over the file.
Memory values take units (64mb). Port 0 opens no listener; port -1 lets the kernel choose one,
which the start-up line then names. A password is better kept in the file, or in the environment
as JANUSKV_REQUIREPASS: as an option it can briefly be read by anyone who can list processes.
--user 'NAME RULES' makes a user, as a line of the file does; it can be repeated (docs/users.md).
Parameters of redis.conf that are not listed here are known too: see docs/configuration.md.

examples:
  januskv
  januskv --port 6380 --http-port 8380 --requirepass secret
  januskv januskv.toml --loglevel verbose
  januskv /etc/redis/redis.conf --dir . --daemonize no

tools (each has a --help of its own):
  januskv check-log DIR    contents of a data directory, and any damage; --fix repairs it
  januskv export           all data as commands or as JSON lines
  januskv import FILE      loads an export, or a Redis append-only file, into a server
"""

# Word -> module of januskv.tools with a ``main``; loaded on demand.
_TOOLS = {"check-log": "check_log", "export": "exporting", "import": "importing"}
# Options that print text instead of starting a server.
_HELP, _VERSION = ("-h", "--help"), ("-v", "--version")
_ABOUT_COLUMN = 27
_WIDTH = 100


def help_text() -> str:
    """The text of --help: the parameters that can be set and have an effect, by group."""
    lines = [_USAGE.rstrip()]
    for parameter in PARAMETERS:
        if parameter.name in GROUPS:
            lines.append(f"\n{GROUPS[parameter.name]}:")
        if parameter.kind.form and not parameter.idle:
            lines += _entry(parameter)
    return "\n".join([*lines, "", _EPILOG])


def _entry(parameter: Parameter) -> Iterator[str]:
    default = parameter.kind.show(parameter.default)
    shown = f" (default: {default})" if default and not parameter.secret else ""
    name = f"  --{parameter.name} {parameter.kind.form}"
    about = textwrap.wrap(parameter.about + shown, _WIDTH - _ABOUT_COLUMN, break_on_hyphens=False)
    if len(name) + 2 <= _ABOUT_COLUMN:
        yield name.ljust(_ABOUT_COLUMN) + about.pop(0)
    else:
        yield name
    yield from (" " * _ABOUT_COLUMN + line for line in about)


def read_options(words: Sequence[str]) -> tuple[str | None, list[tuple[str, str]]]:
    """The configuration file, if one is named, and the options: name, value. Raises ConfigError.

    As with redis-server, words without '--' belong to the preceding option, and the file comes first.
    """
    path: str | None = None
    options: list[tuple[str, list[str]]] = []
    for position, word in enumerate(words):
        if word == "-p":
            options.append(("port", []))
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            options.append((name.lower(), [value] if equals else []))
        elif options:
            options[-1][1].append(word)
        elif position == 0 and not word.startswith("-"):
            path = word
        else:
            raise ConfigError(f"unexpected argument {word!r}: a file comes first, options begin with '--'")
    wrong: list[str] = []
    given: list[tuple[str, str]] = []
    for name, values in options:
        if name == "config":
            if len(values) != 1 or path is not None:
                wrong.append("--config: one file can be given")
            else:
                path = values[0]
        elif name not in BY_NAME and name != USER:
            near = difflib.get_close_matches(name, [*BY_NAME, USER, "config", "help", "version"], 1, 0.6)
            meant = f", did you mean --{near[0]}?" if near else ""
            wrong.append(f"there is no option --{name}{meant}")
        elif not values and name != "save":
            wrong.append(f"--{name}: a value is missing")
        else:
            given.append((name, " ".join(values)))
    if wrong:
        raise ConfigError("\n".join(wrong))
    return path, given


def read_config(words: Sequence[str]) -> Config:
    """Defaults, then the file, then secrets in the environment, then the options. Raises ConfigError."""
    path, options = read_options(words)
    config = Config()
    if path is not None:
        config.apply_file(path)
    for name, variable in VARIABLES.items():
        if name in BY_NAME and (secret := os.environ.get(variable)) is not None:
            config.set_text(name, secret)
    wrong: list[str] = []
    points: list[str] = []
    for name, value in options:
        if name == USER:
            config.add_user(value, "--user")
            continue
        if name == "save":  # repeated options accumulate
            points.append(value)
            value = " ".join(points) if value else ""
        try:
            config.set_text(name, value)
        except ConfigError as error:
            wrong.append(f"--{name}: {error}")
    if not (config.port or config.http_port or config.unixsocket or config.tls_port or config.tls_http_port):
        wrong.append(
            "there is nothing to listen on: 'port', 'http-port', 'tls-port' and 'tls-http-port' are 0"
            " and there is no 'unixsocket'"
        )
    if wrong:
        raise ConfigError("\n".join(wrong))
    config.settle()
    return config


def main(words: Sequence[str] | None = None) -> int:
    """Entry point of the ``januskv`` command. Returns the exit status."""
    words = sys.argv[1:] if words is None else words
    if words and words[0] in _TOOLS:
        tool = importlib.import_module(f"januskv.tools.{_TOOLS[words[0]]}")
        return int(tool.main(words[1:]))
    if any(word in _HELP for word in words):
        print(help_text())
        return 0
    if any(word in _VERSION for word in words):
        print(f"JanusKV {__version__}")
        return 0
    try:
        config = read_config(words)
    except ConfigError as error:
        for line in str(error).splitlines():
            print(f"januskv: {line}", file=sys.stderr)
        return 2
    from .app import run  # loading the server takes a while, which tools and --help do not need

    return run(config)
