"""Usage lines as structures: ``SET key value [NX | XX]`` becomes what COMMAND DOCS calls arguments.

    line   = name group*
    group  = word | "[" alternatives "]" | "<" alternatives ">", each optionally followed by "..."
    alternatives = sequence ("|" sequence)*

A word in capitals is a token; a word in small letters is a value, and belongs to the token before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from januskv.resp.replies import SetReply, Simple

_TOKENS = re.compile(r"\.\.\.|[\[\]<>|]|[^\s\[\]<>|]+")
_NUMBERS = {"count", "seconds", "milliseconds", "index", "start", "end", "offset", "increment", "decrement", "db",
            "cursor", "timeout", "samples", "version", "protover", "client-id", "maxage", "min-match-len",
            "destination-db", "index1", "index2"}  # fmt: skip


@dataclass
class Argument:
    """One argument of a command, in Redis' terms."""

    name: str
    kind: str
    token: str | None = None
    optional: bool = False
    multiple: bool = False
    parts: list[Argument] = field(default_factory=list)

    def as_reply(self) -> dict[str, Any]:
        """The map that COMMAND DOCS shows."""
        shown: dict[str, Any] = {"name": self.name, "type": self.kind}
        if not self.parts and self.kind not in ("pure-token", "block", "oneof"):
            shown["display_text"] = self.name
        if self.kind == "key":
            shown["key_spec_index"] = 0
        if self.token is not None:
            shown["token"] = self.token
        flags = [flag for flag, is_set in (("optional", self.optional), ("multiple", self.multiple)) if is_set]
        if flags:
            shown["flags"] = SetReply([Simple(flag.encode()) for flag in flags])  # redis-cli insists on simple strings
        if self.parts:
            shown["arguments"] = [part.as_reply() for part in self.parts]
        return shown


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def sequence(self, closing: tuple[str, ...]) -> list[Argument]:
        """Arguments up to a closing sign."""
        found: list[Argument] = []
        while self.peek() and self.peek() not in closing:
            argument = self.group()
            while self.peek() == "...":
                self.take()
                argument.multiple = True
            previous = found[-1] if found else None
            if previous is not None and _same(previous, argument) and argument.optional:
                previous.multiple = True  # key [key ...]
            elif previous is not None and _takes_value(previous) and argument.kind not in ("pure-token", "oneof", "block"):
                # TOKEN value: one argument with a token
                argument.token, argument.optional = previous.token, previous.optional
                found[-1] = argument
            else:
                found.append(argument)
        return found

    def group(self) -> Argument:
        word = self.take()
        if word in "[<":
            closing = "]" if word == "[" else ">"
            alternatives = [self.sequence(("|", closing))]
            while self.peek() == "|":
                self.take()
                alternatives.append(self.sequence(("|", closing)))
            if self.peek() == closing:
                self.take()
            argument = _joined([_block(each) for each in alternatives if each])
            argument.optional = word == "["
            return argument
        return _word(word)


def _word(word: str) -> Argument:
    if word == word.upper() and word != word.lower():
        return Argument(word.lower(), "pure-token", token=word)
    name = word.strip('"')
    if name in ("key", "newkey", "key1", "key2", "source", "destination"):
        return Argument(name, "key")
    if name == "pattern":
        return Argument(name, "pattern")
    if name.startswith("unix-time"):
        return Argument(name, "unix-time")
    return Argument(name, "integer" if name in _NUMBERS else "string")


def _takes_value(argument: Argument) -> bool:
    return argument.kind == "pure-token" and not argument.multiple


def _same(left: Argument, right: Argument) -> bool:
    """Whether ``right`` is the repetition in ``left [left ...]``."""
    parts = right.parts if right.kind == "block" else [right]
    return bool(parts) and parts[-1].name == left.name and right.multiple | parts[-1].multiple


def _block(arguments: list[Argument]) -> Argument:
    return arguments[0] if len(arguments) == 1 else Argument(arguments[0].name, "block", parts=arguments)


def _joined(alternatives: list[Argument]) -> Argument:
    if len(alternatives) == 1:
        return alternatives[0]
    return Argument("-or-".join(each.name for each in alternatives[:2]), "oneof", parts=alternatives)


def arguments_of(usage: str) -> list[Argument]:
    """The arguments in a usage line, without the command's name."""
    words = _TOKENS.findall(usage)
    skip = 1
    while skip < len(words) and skip < 2 and usage.split(" ")[skip : skip + 1] == [words[skip]] and _is_subcommand(usage):
        skip += 1
    return _Reader(words[skip:]).sequence(())


def _is_subcommand(usage: str) -> bool:
    return usage.split(" ")[0] in ("CLIENT", "CONFIG", "OBJECT", "SLOWLOG", "LATENCY", "MEMORY", "MODULE", "COMMAND", "DEBUG")
