"""The command line: every configuration parameter is an option, as with redis-server."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from . import __version__
from .app import run
from .compat.config import Config
from .compat.parameters import PARAMETERS, ConfigError
from .process_title import VARIABLES

_EPILOG = """\
Every parameter of the configuration file can be given as an option and wins over the file.
Memory values take units (64mb). Port 0 opens no listener; port -1 lets the kernel choose one,
which the start-up line then names. A password is better kept in the file, or in the environment
as JANUSKV_REQUIREPASS: as an option it can be read for a moment by whoever can list processes.

examples:
  januskv
  januskv --port 6380 --http-port 8380 --requirepass secret
  januskv --config januskv.toml --loglevel verbose

tools (each has a --help of its own):
  januskv check-log DIR    what is in a data directory, and whether it is whole; --fix repairs it
  januskv export           all data as commands or as JSON lines
  januskv import FILE      brings them, or a Redis append-only file, into a server
"""

# Word -> module of januskv.tools with a ``main``; loaded when it is called.
_TOOLS = {"check-log": "check_log", "export": "exporting", "import": "importing"}


def build_parser() -> argparse.ArgumentParser:
    """The options, made from the table of parameters."""
    parser = argparse.ArgumentParser(
        prog="januskv",
        description="One data server with two faces: Redis' RESP2/RESP3 and native JSON commands over one engine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"JanusKV {__version__}")
    parser.add_argument(
        "--config", metavar="FILE", help="configuration file, TOML (.toml) or in the style of redis.conf"
    )
    for parameter in PARAMETERS:
        default = parameter.kind.show(parameter.default)
        shown = f" (default: {default})" if default and not parameter.secret else ""
        parser.add_argument(
            f"--{parameter.name}",
            nargs="+",
            metavar="VALUE",
            dest=parameter.attribute,
            action="extend" if parameter.name == "save" else "store",
            help=(parameter.about + shown).replace("%", "%%"),
        )
    return parser


def read_config(words: Sequence[str]) -> Config:
    """Defaults, then the file, then secrets in the environment, then the options.

    Raises ConfigError; exits for --help and --version.
    """
    given = vars(build_parser().parse_args(words))
    config = Config()
    if given["config"] is not None:
        config.apply_file(given["config"])
    for parameter in PARAMETERS:
        if parameter.secret and (secret := os.environ.get(VARIABLES[parameter.name])) is not None:
            config.set_text(parameter.name, secret)
    for parameter in PARAMETERS:
        value = given[parameter.attribute]
        if value is not None:
            try:
                config.set_text(parameter.name, " ".join(value))
            except ConfigError as error:
                raise ConfigError(f"--{parameter.name}: {error}") from None
    config.settle()
    return config


def main(words: Sequence[str] | None = None) -> int:
    """Entry point of the ``januskv`` command; gives the exit status."""
    words = sys.argv[1:] if words is None else words
    if words and words[0] in _TOOLS:
        tool = importlib.import_module(f"januskv.tools.{_TOOLS[words[0]]}")
        return int(tool.main(words[1:]))
    try:
        config = read_config(words)
    except ConfigError as error:
        print(f"januskv: {error}", file=sys.stderr)
        return 2
    return run(config)
