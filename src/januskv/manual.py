"""The pages under docs/ that are generated from declarations by ``python -m januskv.manual``.

    docs/commands.md        from the command table: an index of the commands by family
    docs/commands/          a page a family: what every command does, costs, and how it differs
    docs/configuration.md   from the table of parameters
    docs/statuses.md        from the statuses of native commands, and their declarations

A test compares the files with what this module generates.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from .commands.table import Command, CommandTable
from .compat.commands import build_table
from .compat.server.parameters import DIRECTIVES, PARAMETERS, Parameter
from .statuses import sections

DOCS = Path(__file__).resolve().parents[2] / "docs"

_GENERATED = "<!-- Made by `python -m januskv.manual` from the declarations in the source; do not edit. -->"

# Group -> heading, in the order of the page.
GROUPS = {
    "connection": "Connection",
    "server": "Server",
    "generic": "Keys",
    "string": "Strings",
    "transactions": "Transactions",
    "hash": "Hashes",
    "list": "Lists",
    "set": "Sets",
    "sorted_set": "Sorted sets",
    "stream": "Streams",
    "bitmap": "Bitmaps",
    "hyperloglog": "HyperLogLog",
    "geo": "Geo",
    "pubsub": "Pub/Sub",
    "scripting": "Scripts",
    "cluster": "Cluster",
    "timeseries": "Time series",
    "native": "Native JSON commands",
}


# ---------------------------------------------------------------- commands


def shown_name(command: Command) -> str:
    """``CLIENT LIST``, as it is typed."""
    return command.name.replace("|", " ")


def _leaves(table: CommandTable) -> list[Command]:
    """Commands and subcommands, without mere containers."""
    found = [command for command in table.everything() if not command.subcommands or command.min_args == 1]
    return sorted(found, key=lambda command: command.name)


def _anchor(command: Command) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", shown_name(command).lower()).replace(" ", "-")


def _entry(command: Command) -> Iterator[str]:
    manual, options = command.manual, command.options
    yield f"## {shown_name(command)}"
    yield f"```\n{manual.usage}\n```"
    yield from (part for part in manual.text.split("\n\n") if not part.startswith(("Cost: ", "Differs: ")))
    facts = [f"Cost: {manual.cost}."] if manual.cost else []
    if command.params is None:
        facts.append(f"Since Redis {options.since}.")
    if options.deprecated is not None:
        since, replacement = options.deprecated
        facts.append(f"Deprecated since {since}: use {replacement}.")
    if facts:
        yield " ".join(facts)
    if manual.differs:
        yield f"**Differs:** {manual.differs}"


def _file_name(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()) + ".md"


def command_pages(table: CommandTable) -> dict[str, str]:
    """File name -> text of docs/commands.md, the index, and of docs/commands/, a page a family. Raises ValueError for a group without a heading."""
    commands = _leaves(table)
    used = {command.options.group for command in commands}
    index = [
        _GENERATED,
        "# Commands",
        f"{len(commands)} commands and subcommands. Names are not case-sensitive. "
        "A command that is not listed here gets an error reply.",
    ]
    found: dict[str, str] = {}
    for group in sorted(used, key=list(GROUPS).index):
        heading = GROUPS[group]
        family = [command for command in commands if command.options.group == group]
        name = f"commands/{_file_name(heading)}"
        links = " · ".join(f"[{shown_name(command)}]({name}#{_anchor(command)})" for command in family)
        index.append(f"**[{heading}]({name})**: {links}")
        parts = [_GENERATED, f"# {heading}"]
        for command in family:
            parts += _entry(command)
        found[name] = "\n\n".join(parts) + "\n"
    return {"commands.md": "\n\n".join(index) + "\n", **found}


# ---------------------------------------------------------------- configuration


def _row(parameter: Parameter) -> str:
    default = parameter.kind.show(parameter.default)
    name = f"`{parameter.name}`" + (f" (`{parameter.alias}`)" if parameter.alias is not None else "")
    changes = "at start" if parameter.fixed else "any time"
    return f"| {name} | {f'`{default}`' if default else ''} | {changes} | {parameter.about} |"


def _idle_row(parameter: Parameter) -> str:
    name, default, _, about = _row(parameter)[2:-2].split(" | ")
    return f"| {name} | {default} | {about.removeprefix('No effect: ')} |"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def configuration_page() -> str:
    """The text of docs/configuration.md."""
    refused = [name for name, reason in DIRECTIVES.items() if reason]
    ignored = [name for name, reason in DIRECTIVES.items() if not reason]
    rows = [_row(parameter) for parameter in PARAMETERS if not parameter.idle]
    idle_rows = [_idle_row(parameter) for parameter in PARAMETERS if parameter.idle]
    return (
        "\n\n".join(
            [
                _GENERATED,
                "# Configuration",
                "Every parameter is an option of the command line (`--maxclients 100`), a line of a file in the style of "
                "redis.conf (`maxclients 100`), or a member of a TOML file (`maxclients = 100`). The file comes first "
                "(`januskv redis.conf --port 6380`) or is named by `--config`; options win over it. `include other.conf` reads another file in its place. `CONFIG GET` "
                "and `CONFIG SET` read and change parameters while the server runs, `CONFIG REWRITE` writes them back.",
                "Passwords are best kept in the file, which nobody else need be able to read, or in the environment "
                "(`JANUSKV_REQUIREPASS`, which wins over the file). One that is given as an option is overwritten in the "
                "command line that the system shows (`ps`), but can be read there for a moment before, and stays in the "
                "shell's history; where it cannot be overwritten, the log warns at the start.",
                "`maxclients` counts the connections of both ports. At the start the limit of open files is raised as "
                "far as `maxclients` needs and the system lets it be; where that is not enough, `maxclients` is lowered, "
                "so that 64 files are left for the server itself. Both are logged.",
                "\n".join(["| parameter | default | may change | meaning |", "|---|---|---|---|", *rows]),
                "## Parameters of redis.conf without effect",
                "These are taken as redis-server takes them, and `CONFIG GET` shows them, so that a redis.conf need not be "
                "changed. Nothing depends on them; the log names those that are given, in one line at the start. "
                f"{_listed(refused)} in a file refuse the start: they ask for something that does not exist here. "
                f"{_listed(ignored)} are passed over, as in Redis.",
                "\n".join(["| parameter | default | why |", "|---|---|---|", *idle_rows]),
            ]
        )
        + "\n"
    )


# ---------------------------------------------------------------- all pages


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    table = build_table()
    return {
        **command_pages(table),
        "configuration.md": configuration_page(),
        "statuses.md": "\n\n".join([_GENERATED, *sections(table.native.values())]) + "\n",
    }


def main() -> int:
    """Write the pages. Returns the exit status."""
    if not DOCS.is_dir():
        print(f"januskv.manual: {DOCS} does not exist: run it in a source tree", file=sys.stderr)
        return 1
    for name, text in pages().items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")
        print(DOCS / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
