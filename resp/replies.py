"""The values that a command can answer with: a closed set, which the encoder covers wholly.

| value                         | RESP3            | RESP2                         |
|-------------------------------|------------------|-------------------------------|
| None                          | null             | null bulk string              |
| NULL_ARRAY                    | null             | null array                    |
| bool                          | boolean          | integer 1 or 0                |
| int                           | integer, beyond 64 bits big number | integer, beyond 64 bits bulk string |
| float                         | double           | bulk string                   |
| bytes, str (as UTF-8)         | bulk string      | bulk string                   |
| list, tuple                   | array            | array                         |
| dict                          | map              | array of keys and values      |
| SetReply, Push                | set, push        | array                         |
| Verbatim                      | verbatim string  | bulk string, text only        |
| Attribute                     | attribute, reply | the reply alone               |
| Simple, ErrorReply            | simple string, simple error | the same           |
| RawReply                      | its bytes        | its bytes                     |
| NO_REPLY                      | nothing          | nothing                       |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final


class Simple:
    """A simple string, such as OK."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Simple({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Simple) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class ErrorReply:
    """A simple error; the text begins with its code word: ``ERR syntax error``."""

    __slots__ = ("text",)

    def __init__(self, text: str | bytes) -> None:
        self.text = text.encode() if isinstance(text, str) else text

    def __repr__(self) -> str:
        return f"ErrorReply({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ErrorReply) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class Verbatim:
    """Text with its format, three bytes such as ``txt`` or ``mkd``."""

    __slots__ = ("format", "text")

    def __init__(self, format: bytes, text: bytes) -> None:
        self.format = format
        self.text = text

    def __repr__(self) -> str:
        return f"Verbatim({self.format!r}, {self.text!r})"


class SetReply:
    """Members in no particular order."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __repr__(self) -> str:
        return f"SetReply({self.items!r})"


class Push:
    """A message out of turn."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __repr__(self) -> str:
        return f"Push({self.items!r})"


class Attribute:
    """A reply with attributes that a client may ignore."""

    __slots__ = ("attributes", "reply")

    def __init__(self, attributes: dict[Any, Any], reply: Reply) -> None:
        self.attributes = attributes
        self.reply = reply

    def __repr__(self) -> str:
        return f"Attribute({self.attributes!r}, {self.reply!r})"


class RawReply:
    """A reply that is already on the wire form."""

    __slots__ = ("wire",)

    def __init__(self, wire: bytes) -> None:
        self.wire = wire

    def __repr__(self) -> str:
        return f"RawReply({self.wire!r})"


class NullArray:
    """The null that stands for an array; there is one instance, ``NULL_ARRAY``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL_ARRAY"


class NoReply:
    """Nothing is answered; there is one instance, ``NO_REPLY``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


Reply = (
    None
    | bool
    | int
    | float
    | bytes
    | str
    | list[Any]
    | tuple[Any, ...]
    | dict[Any, Any]
    | Simple
    | ErrorReply
    | Verbatim
    | SetReply
    | Push
    | Attribute
    | RawReply
    | NullArray
    | NoReply
)

NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()
OK: Final = Simple(b"OK")
PONG: Final = Simple(b"PONG")
QUEUED: Final = Simple(b"QUEUED")
