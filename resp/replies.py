"""The values that a command can reply with: a closed set, which the encoder covers completely.

Instances of subclasses are encoded like their base class (an IntEnum is an int).

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
| FlatMap                       | map              | array of keys and values      |
| Rows                          | array of arrays  | array of all their items      |
| PairMap                       | map              | array of pairs                |
| NamedRows                     | map of arrays    | array of arrays               |
| Choice                        | one value        | another one                   |
| SampleNumber                  | double           | simple string                 |
| SpeltDouble                   | double           | bulk string                   |
| Framed                        | array of bulk strings | the same                 |
| Entries                       | array of arrays of id and fields | the same      |
| Several                       | some replies, one after the other | the same     |
| Sliced                        | what its pieces come to | the same               |
| RawReply                      | its bytes        | its bytes                     |
| NO_REPLY                      | nothing          | nothing                       |
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
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
    """An out-of-band message."""

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


class Shaped:
    """A reply whose form depends on the protocol. ``shape`` gives it as other reply values."""

    __slots__ = ()

    def shape(self, three: bool) -> Any:
        """The value in RESP3, or in RESP2."""
        raise NotImplementedError


class FlatMap:
    """A map as one list of alternating keys and values. Keys may repeat."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any]) -> None:
        self.items: list[Any] = items

    def __repr__(self) -> str:
        return f"FlatMap({self.items!r})"


@final
class Rows(Shaped):
    """Rows of equal length: members and their scores."""

    __slots__ = ("rows",)

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.rows = rows

    def shape(self, three: bool) -> list[Any]:
        """An array of rows, or of their items."""
        return list(self.rows) if three else [item for row in self.rows for item in row]

    def __repr__(self) -> str:
        return f"Rows({self.rows!r})"


@final
class PairMap(Shaped):
    """A map that is an array of pairs in RESP2. Keys may repeat."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Collection[tuple[Any, Any]]) -> None:
        self.pairs = pairs

    def shape(self, three: bool) -> Any:
        """A map, or an array of pairs."""
        return FlatMap([part for pair in self.pairs for part in pair]) if three else list(self.pairs)

    def __repr__(self) -> str:
        return f"PairMap({self.pairs!r})"


@final
class NamedRows(Shaped):
    """Rows that begin with a name: ``(name, item, ...)``. Some items may be for RESP3 only."""

    __slots__ = ("only_three", "rows")

    def __init__(self, rows: Collection[tuple[Any, ...]], only_three: slice = slice(0, 0)) -> None:
        self.rows = rows
        self.only_three = only_three  # these items of a row are left out in RESP2

    def shape(self, three: bool) -> Any:
        """A map of arrays, or an array of arrays that begin with the name."""
        if three:
            return FlatMap([part for name, *cells in self.rows for part in (name, cells)])
        hidden = self.only_three
        return [row[: hidden.start] + row[hidden.stop :] for row in self.rows]

    def __repr__(self) -> str:
        return f"NamedRows({self.rows!r}, {self.only_three!r})"


@final
class Choice(Shaped):
    """One value in RESP2, another in RESP3."""

    __slots__ = ("three", "two")

    def __init__(self, two: Any, three: Any) -> None:
        self.two = two
        self.three = three

    def shape(self, three: bool) -> Any:
        """One of the two."""
        return self.three if three else self.two

    def __repr__(self) -> str:
        return f"Choice({self.two!r}, {self.three!r})"


class SampleNumber:
    """The value of a sample: a double, in RESP2 a simple string in the spelling of RedisTimeSeries."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"SampleNumber({self.value!r})"


@final
class SpeltDouble:
    """A double with given digits."""

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"SpeltDouble({self.text!r})"


class Framed:
    """An array of byte strings whose container writes many of them at once.

    ``frame(part, mark, end)`` returns the bytes of a part: before each string ``mark``, its size and
    ``end``, and ``end`` after it.
    """

    __slots__ = ("count", "frame", "parts")

    def __init__(self, count: int, parts: Collection[Any], frame: Callable[[Any, bytes, bytes], bytes]) -> None:
        self.count = count
        self.parts = parts
        self.frame = frame

    def __repr__(self) -> str:
        return f"Framed({self.count!r})"


class Entries:
    """Entries of a stream: pairs of an id, whose halves of 64 bits are shown with '-' between, and of its fields."""

    __slots__ = ("items",)

    def __init__(self, items: list[tuple[int, tuple[bytes, ...]]]) -> None:
        self.items = items

    def __repr__(self) -> str:
        return f"Entries({self.items!r})"


@final
class Several:
    """Several replies to one command, one after the other."""

    __slots__ = ("replies",)

    def __init__(self, replies: Collection[Any]) -> None:
        self.replies = replies

    def __repr__(self) -> str:
        return f"Several({self.replies!r})"


class Sliced:
    """A reply that is encoded in pieces. Its data must not change meanwhile.

    With ``many`` items it is sent in pieces where the channel supports that; elsewhere the encoder joins them.
    See ``slices``.
    """

    __slots__ = ()

    @property
    def many(self) -> bool:
        """Whether it is worth sending in pieces."""
        return True

    def pieces(self, protocol: int) -> Iterator[bytes]:
        """The encoded reply in pieces."""
        raise NotImplementedError


@final
class RawReply:
    """A reply that is already encoded."""

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
    """No reply is sent; there is one instance, ``NO_REPLY``.

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
    | Shaped
    | FlatMap
    | SampleNumber
    | SpeltDouble
    | Framed
    | Entries
    | Several
    | Sliced
    | RawReply
    | NullArray
    | NoReply
)

NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()
OK: Final = Simple(b"OK")
PONG: Final = Simple(b"PONG")
QUEUED: Final = Simple(b"QUEUED")
