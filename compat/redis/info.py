"""INFO: the server's state and statistics as text."""

from __future__ import annotations

from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.sections import SECTIONS
from januskv.compat.server.server import Server
from januskv.resp.replies import Reply, Verbatim

verbs = Family("server")


def chosen_sections(words: list[str]) -> list[str]:
    """The sections that INFO's arguments name, each once, in the usual order; unknown ones are ignored."""
    chosen: set[str] = set()
    for word in words or ["default"]:
        if word in ("all", "everything"):
            chosen.update(SECTIONS)
        elif word == "default":
            chosen.update(name for name, (_, _, default) in SECTIONS.items() if default)
        elif word in SECTIONS:
            chosen.add(word)
    return [name for name in SECTIONS if name in chosen]


def render(server: Server, words: list[str]) -> str:
    """The text of INFO."""
    parts = []
    for name in chosen_sections(words):
        heading, make, _ = SECTIONS[name]
        lines = [f"# {heading}", *(f"{field}:{value}" for field, value in make(server).items())]
        parts.append("".join(f"{line}\r\n" for line in lines))
    return "\r\n".join(parts)


@verbs.verb(
    "INFO",
    arity=-1,
    flags=Flag.LOADING | Flag.STALE,
    categories=("dangerous",),
    hints=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def info(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """INFO [section [section ...]]

    Describes the server: its state and its statistics.

    Cost: O(1), with commandstats O(N) with N commands
    """
    words = [word.decode(errors="replace").lower() for word in argv[1:]]
    return Verbatim(b"txt", render(ctx.server, words).encode())
