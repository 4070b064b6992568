"""The values that a command can answer with: a closed set, which the encoder covers wholly.

Instances of subclasses count as what they are derived from (an IntEnum is an int).

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

from collections.abc import Collection
from typing import Any, Final, final


@final
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


@final
class ErrorReply:
    """A simple error; the text begins with its code word: ``ERR syntax error``."""

    __slots__ = ("text",)

    def __init__(self, text: str | bytes) -> None:
        # Texts quote what clients sent, which need not be UTF-8; see inline.unexpected.
        self.text = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text

    def __repr__(self) -> str:
        return f"ErrorReply({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ErrorReply) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


@final
class Verbatim:
    """Text with its format, three bytes such as ``txt`` or ``mkd``."""

    __slots__ = ("format", "text")

    def __init__(self, format: bytes, text: bytes) -> None:
        if len(format) != 3:
            raise ValueError("the format of a verbatim string has three bytes")
        self.format = format
        self.text = text

    def __repr__(self) -> str:
        return f"Verbatim({self.format!r}, {self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verbatim) and (other.format, other.text) == (self.format, self.text)

    def __hash__(self) -> int:
        return hash((self.format, self.text))


@final
class SetReply:
    """Members in no particular order."""

    __slots__ = ("items",)

    def __init__(self, items: Collection[Any]) -> None:
        self.items = items

    def __repr__(self) -> str:
        return f"SetReply({self.items!r})"


@final
class Push:
    """A message out of turn."""

    __slots__ = ("items",)

    def __init__(self, items: Collection[Any]) -> None:
        self.items = items

    def __repr__(self) -> str:
        return f"Push({self.items!r})"


@final
class Attribute:
    """A reply with attributes that a client may ignore."""

    __slots__ = ("attributes", "reply")

    def __init__(self, attributes: dict[Any, Any], reply: Reply) -> None:
        self.attributes = attributes
        self.reply = reply

    def __repr__(self) -> str:
        return f"Attribute({self.attributes!r}, {self.reply!r})"


@final
class RawReply:
    """A reply that is already on the wire form."""

    __slots__ = ("wire",)

    def __init__(self, wire: bytes) -> None:
        self.wire = wire

    def __repr__(self) -> str:
        return f"RawReply({self.wire!r})"


@final
class NullArray:
    """The null that stands for an array; there is one instance, ``NULL_ARRAY``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL_ARRAY"


@final
class NoReply:
    """Nothing is answered; there is one instance, ``NO_REPLY``.

    Inside an array it is nothing as well, so that the array falls short of its header.
    """

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
