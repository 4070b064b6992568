"""Usage lines as structures: ``SET key value [NX | XX]`` becomes what COMMAND DOCS calls arguments.

    line     = name sequence
    sequence = (word | "[" choice "]" | "<" choice ">")* ["..."]
    choice   = sequence ("|" sequence)*

A word in capitals is a token. The values right after it belong to it: ``EX seconds`` is one
argument with a token, ``LIMIT offset count`` a block with a token. ``[key ...]`` after ``key``
means that it may be repeated; so does ``[field value ...]`` after ``field value``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from januskv.resp.replies import SetReply, Simple

_SIGNS = re.compile(r"\.\.\.|[\[\]<>|]|[^\s\[\]<>|]+")

_KEYS = {"key", "newkey", "key1", "key2", "source", "destination"}
_NUMBERS = """
    client-id count cursor db decrement destination-db end increment index index1 index2 length maxage milliseconds
    min-match-len offset protover samples seconds start timeout version
"""
_KINDS = dict.fromkeys(_NUMBERS.split(), "integer") | {
    "pattern": "pattern",
    "unix-time-seconds": "unix-time",
    "unix-time-milliseconds": "unix-time",
}


@dataclass
class Argument:
    """One argument of a command, in Redis' terms. ``parts`` are those of a block or a choice."""

    name: str
    kind: str
    token: str | None = None
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False  # every repetition begins with the token again
    key_spec: int | None = None
    parts: list[Argument] = field(default_factory=list)

    def as_reply(self) -> dict[str, Any]:
        """The map for COMMAND DOCS."""
        reply: dict[str, Any] = {"name": self.name, "type": self.kind}
        if not self.parts and self.kind != "pure-token":
            reply["display_text"] = self.name
        if self.key_spec is not None:
            reply["key_spec_index"] = self.key_spec
        if self.token is not None:
            reply["token"] = self.token
        flags = [name for name in ("optional", "multiple", "multiple_token") if getattr(self, name)]
        if flags:
            reply["flags"] = SetReply([Simple(name.encode()) for name in flags])  # redis-cli insists on simple strings
        if self.parts:
            reply["arguments"] = [part.as_reply() for part in self.parts]
        return reply

    def same_as(self, other: Argument) -> bool:
        """Whether both stand for the same words, apart from repetition."""
        return (self.name, self.kind, self.token) == (other.name, other.kind, other.token) and (
            len(self.parts) == len(other.parts) and all(map(Argument.same_as, self.parts, other.parts))
        )


class _Sequence:
    """Arguments one after the other, with the values that belong to the last token still open."""

    def __init__(self) -> None:
        self.found: list[Argument] = []
        self.token: str | None = None  # of a token whose values may follow
        self.values: list[Argument] = []

    def close(self) -> None:
        """End the values of the open token."""
        if self.token is None:
            return
        name = self.token.lower()
        if not self.values:
            self.found.append(Argument(name, "pure-token", self.token))
        elif len(self.values) == 1:
            self.values[0].token = self.token
            self.found.append(self.values[0])
        else:
            self.found.append(Argument(name, "block", self.token, parts=self.values))
        self.token, self.values = None, []

    def open(self, token: str) -> None:
        self.close()
        self.token = token

    def add(self, argument: Argument) -> None:
        (self.found if self.token is None else self.values).append(argument)

    def add_optional(self, arguments: list[Argument], repeated: bool) -> None:
        """Add what is in square brackets: a repetition of the preceding arguments, or an optional part."""
        if repeated and (self._repeats(self.values, arguments) if self.token is not None else False):
            return
        self.close()
        if repeated and self._repeats(self.found, arguments):
            return
        argument = _joined(arguments)
        argument.optional = True
        argument.multiple |= repeated
        self.found.append(argument)

    @staticmethod
    def _repeats(before: list[Argument], again: list[Argument]) -> bool:
        """Mark the end of ``before`` as repeated if ``again`` is the same. False, and nothing is done, if not."""
        count = len(again)
        tail = before[-count:]
        if len(tail) < count or not all(map(Argument.same_as, tail, again)):
            return False
        argument = _joined(tail)
        argument.multiple = True
        argument.multiple_token = argument.token is not None
        before[-count:] = [argument]
        return True


class _Reader:
    def __init__(self, signs: list[str]) -> None:
        self.signs = signs
        self.at = 0

    def sequence(self, closing: str) -> tuple[list[Argument], bool]:
        """Arguments up to a closing bracket, and whether an ellipsis marks them as repeated."""
        sequence, repeated = _Sequence(), False
        while self.at < len(self.signs) and self.signs[self.at] not in ("|", closing):
            sign = self.signs[self.at]
            self.at += 1
            if sign == "...":
                repeated = True
            elif sign == "[":
                sequence.add_optional(*self.choice("]"))
            elif sign == "<":
                sequence.add(_joined(self.choice(">")[0]))
            elif sign == sign.upper() and sign != sign.lower():
                sequence.open(sign)
            else:
                sequence.add(_value(sign))
        sequence.close()
        return sequence.found, repeated

    def choice(self, closing: str) -> tuple[list[Argument], bool]:
        """The content of brackets: one sequence, or one argument that is a choice between several."""
        alternatives = [self.sequence(closing)]
        while self.at < len(self.signs) and self.signs[self.at] == "|":
            self.at += 1
            alternatives.append(self.sequence(closing))
        self.at += 1
        if len(alternatives) == 1:
            return alternatives[0]
        parts = [_joined(arguments) for arguments, _ in alternatives]
        return [Argument("-or-".join(part.name for part in parts[:2]), "oneof", parts=parts)], False


def _value(word: str) -> Argument:
    return Argument(word, "key" if word in _KEYS else _KINDS.get(word, "string"))


def _joined(arguments: list[Argument]) -> Argument:
    """Several arguments as one block; a single argument as it is."""
    if len(arguments) == 1:
        return arguments[0]
    return Argument("-".join(argument.name for argument in arguments[:2]), "block", parts=arguments)


def _number_keys(arguments: list[Argument], specs: int, next_spec: int = 0) -> int:
    """Number the arguments that are keys by the command's key spec that finds them, in order."""
    for argument in arguments:
        if argument.kind == "key" and specs:
            argument.key_spec = min(next_spec, specs - 1)
            next_spec += 1
        elif argument.kind == "pattern" and specs > 1:  # SORT: BY and GET share the second spec
            argument.key_spec, next_spec = 1, 2
        next_spec = _number_keys(argument.parts, specs, next_spec)
    return next_spec


def arguments_of(usage: str, name_words: int = 1, key_specs: int = 0) -> list[Argument]:
    """The arguments in a usage line, whose first words are the command's name."""
    arguments, _ = _Reader(_SIGNS.findall(usage)[name_words:]).sequence("")
    _number_keys(arguments, key_specs)
    return arguments
