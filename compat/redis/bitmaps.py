"""Bitmap commands: strings as arrays of bits. JSON numbers, booleans and null are strings to these commands too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Reply
from januskv.storage.bits import Bits, combine, count, find, get_field, set_field
from januskv.storage.errors import NotAnInteger
from januskv.storage.strings import data_of, editable, edited, set_bit, string_text

from .args import SYNTAX_ERROR, Args, parse_int

verbs = Family("bitmap")

_WRITE = Flag.WRITE | Flag.DENYOOM
_BAD_OFFSET = "ERR bit offset is not an integer or out of range"


def read_text(ctx: Context, name: bytes) -> Bits:
    """The bytes of a key for a reading command, to be used immediately; b"" if absent. Raises WrongType."""
    value = ctx.keyspace.read(name)
    return b"" if value is None else data_of(value)


def offset_of(ctx: Context, text: bytes, width: int = 0) -> int:
    """A bit offset; ``#3`` counts in fields of a width. Raises RespError."""
    scaled = width and text[:1] == b"#"
    try:
        offset = parse_int(text[1:] if scaled else text)
    except NotAnInteger:
        raise RespError(_BAD_OFFSET) from None
    if scaled:
        offset *= width
    if offset < 0 or offset >> 3 >= ctx.store.max_string_bytes:
        raise RespError(_BAD_OFFSET)
    return offset


@verbs.verb("SETBIT", arity=4, flags=_WRITE, keys=key("RW", "access", "update"), since="2.2.0")
def setbit(ctx: Context, argv: list[bytes]) -> Reply:
    """SETBIT key offset value

    Sets or clears the bit at an offset of a string, which is padded with zeros; returns the old bit.

    Cost: O(1), and O(N) with N bytes that the string grows by
    """
    offset = offset_of(ctx, argv[2])
    if argv[3] not in (b"0", b"1"):
        raise RespError("ERR bit is not an integer or out of range")
    return int(set_bit(ctx.keyspace, argv[1], offset, argv[3] == b"1"))


@verbs.verb("GETBIT", arity=3, flags=Flag.READONLY | Flag.FAST, keys=key("RO", "access"), since="2.2.0")
def getbit(ctx: Context, argv: list[bytes]) -> Reply:
    """GETBIT key offset

    Returns the bit at an offset of a string.

    Cost: O(1)
    """
    offset = offset_of(ctx, argv[2])
    return get_field(read_text(ctx, argv[1]), offset, 1)


def unit_in_bits(text: bytes) -> bool:
    """Whether a range is in bits, not in bytes. Raises RespError."""
    unit = text.upper()
    if unit not in (b"BIT", b"BYTE"):
        raise RespError(SYNTAX_ERROR)
    return unit == b"BIT"


def bits_between(start: int, stop: int, size: int, *, in_bits: bool) -> tuple[int, int]:
    """First bit and end (exclusive) of a range in a string of ``size`` bytes. Negative positions count from the end.

    An empty range ends at or before its first bit.
    """
    total = size << 3 if in_bits else size
    start = max(start + total, 0) if start < 0 else start
    stop = min(max(stop + total, 0) if stop < 0 else stop, total - 1)
    return (start, stop + 1) if in_bits else (start << 3, (stop + 1) << 3)


@verbs.verb("BITCOUNT", arity=-2, flags=Flag.READONLY, keys=key("RO", "access"), since="2.6.0")
def bitcount(ctx: Context, argv: list[bytes]) -> Reply:
    """BITCOUNT key [start end [BYTE | BIT]]

    Counts the bits that are set in a string, or in a part of it.

    Cost: O(N)
    """
    if len(argv) == 3 or len(argv) > 5:
        raise RespError(SYNTAX_ERROR)
    start, stop = (0, -1) if len(argv) == 2 else (parse_int(argv[2]), parse_int(argv[3]))
    in_bits = len(argv) == 5 and unit_in_bits(argv[4])
    text = read_text(ctx, argv[1])
    if stop < start < 0:  # before either is clamped to the start of a shorter string; BITPOS does not return here
        return 0
    return count(text, *bits_between(start, stop, len(text), in_bits=in_bits))


@verbs.verb("BITPOS", arity=-3, flags=Flag.READONLY, keys=key("RO", "access"), since="2.8.7")
def bitpos(ctx: Context, argv: list[bytes]) -> Reply:
    """BITPOS key bit [start [end [BYTE | BIT]]]

    Finds the first set or clear bit in a string, or in a part of it; -1 if there is none.

    Without an end a string of ones counts as followed by zeros.

    Cost: O(N)
    """
    if argv[2] not in (b"0", b"1"):
        parse_int(argv[2])
        raise RespError("ERR The bit argument must be 1 or 0.")
    bit = int(argv[2])
    if len(argv) > 6:
        raise RespError(SYNTAX_ERROR)
    start = parse_int(argv[3]) if len(argv) > 3 else 0
    in_bits = len(argv) == 6 and unit_in_bits(argv[5])
    open_ended = len(argv) < 5
    stop = -1 if open_ended else parse_int(argv[4])
    text = read_text(ctx, argv[1])
    if not text and ctx.keyspace.get(argv[1]) is None:
        return -1 if bit else 0
    first, end = bits_between(start, stop, len(text), in_bits=in_bits)
    if first >= end:
        return -1
    position = find(text, bit, first, end)
    return len(text) << 3 if position < 0 and not bit and open_ended else position


@verbs.verb(
    "BITOP",
    arity=-4,
    flags=_WRITE,
    keys=(key("OW", "update", begin=2), key("RO", "access", begin=3, last=-1)),
    since="2.6.0",
)
def bitop(ctx: Context, argv: list[bytes]) -> Reply:
    """BITOP <AND | OR | XOR | NOT> destkey key [key ...]

    Stores a bitwise operation over strings in a key; returns its length.

    Cost: O(N) with N bytes of all strings
    """
    operation = argv[1].upper().decode(errors="replace")
    if operation not in ("AND", "OR", "XOR", "NOT"):
        raise RespError(SYNTAX_ERROR)
    if operation == "NOT" and len(argv) != 4:
        raise RespError("ERR BITOP NOT must be called with a single source key.")
    values = [ctx.keyspace.read(name) for name in argv[3:]]
    result = combine(operation, [b"" if value is None else string_text(value) for value in values])
    if result:
        ctx.keyspace.put(argv[2], result, "set")
    else:
        ctx.keyspace.delete(argv[2])
    return len(result)


# ---------------------------------------------------------------- integers of any width


@dataclass(slots=True)
class FieldStep:
    """One step of BITFIELD: GET, SET or INCRBY of the integer at an offset, and how it overflows."""

    verb: bytes
    signed: bool
    width: int
    offset: int
    amount: int = 0
    overflow: bytes = b"WRAP"

    def fitted(self, value: int) -> int | None:
        """A result as it is stored; None if it overflows under FAIL."""
        low = -(1 << (self.width - 1)) if self.signed else 0
        high = low + (1 << self.width) - 1
        if low <= value <= high:
            return value
        if self.overflow == b"SAT":
            return low if value < low else high
        if self.overflow == b"FAIL":
            return None
        return (value - low) % (1 << self.width) + low


def field_steps(ctx: Context, args: Args) -> Iterator[FieldStep]:
    """The steps of a command line. Raises RespError, NotAnInteger."""
    overflow = b"WRAP"
    while args.more():
        verb = args.word()
        if verb == b"OVERFLOW" and args.more():
            overflow = args.word()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise RespError("ERR Invalid OVERFLOW type specified")
            continue
        wanted = {b"GET": 2, b"SET": 3, b"INCRBY": 3}.get(verb)
        if wanted is None or args.left() < wanted:
            raise RespError(SYNTAX_ERROR)
        signed, width = field_type(args.take())
        step = FieldStep(verb, signed, width, offset_of(ctx, args.take(), width), overflow=overflow)
        if verb != b"GET":
            step.amount = args.integer()
            if verb == b"SET" and not signed:
                step.amount %= 1 << 64  # as C takes a negative number for an unsigned one
        yield step


def field_type(text: bytes) -> tuple[bool, int]:
    """Whether a type such as i16 or u8 is signed, and its width. Raises RespError."""
    signed = text[:1] == b"i"
    try:
        width = parse_int(text[1:])
    except NotAnInteger:
        width = 0
    if text[:1] not in (b"i", b"u") or not 1 <= width <= (64 if signed else 63):
        raise RespError(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
        )
    return signed, width


def _bitfield_flags(argv: Sequence[bytes]) -> tuple[str, ...]:
    """BITFIELD's key flags: read-only if all parts are GET."""
    args = Args(list(argv), 2)
    reads = True
    while args.more():
        word = args.word()
        wanted = {b"GET": 2, b"OVERFLOW": 1}.get(word)
        reads = reads and wanted is not None and args.left() >= wanted
        for _ in range(min(wanted or 0, args.left())):
            args.take()
    return ("RO", "access") if reads else ("RW", "access", "update")


@verbs.verb(
    "BITFIELD",
    arity=-2,
    flags=_WRITE,
    keys=key("RW", "access", "update", "variable_flags", flags_of=_bitfield_flags),
    since="3.2.0",
)
def bitfield(ctx: Context, argv: list[bytes]) -> Reply:
    """BITFIELD key [GET encoding offset] [OVERFLOW <WRAP | SAT | FAIL>] [SET encoding offset value] [INCRBY encoding offset increment]

    Reads and changes integers of any width in a string; one reply for each part, null for an overflow that fails. All
    parts may be repeated, in any order.

    Cost: O(1) for each, and O(N) with N bytes that the string grows by
    """
    steps = list(field_steps(ctx, Args(argv, 2)))
    writing = [step for step in steps if step.verb != b"GET"]
    if not writing:
        return _read_fields(ctx, argv[1], steps)
    data = editable(ctx.keyspace, argv[1])
    replies: list[Reply] = []
    parts: list[tuple[int, int]] = []
    written = 0
    for step in steps:
        old = get_field(data, step.offset, step.width, signed=step.signed)
        if step.verb == b"GET":
            replies.append(old)
            continue
        new = step.fitted(step.amount if step.verb == b"SET" else old + step.amount)
        if new is None:
            replies.append(None)
            continue
        replies.append(old if step.verb == b"SET" else new)
        written += 1
        size = len(data)
        set_field(data, step.offset, step.width, new)
        if new != old or len(data) != size:
            parts.append((step.offset >> 3, (step.offset + step.width + 7) >> 3))
    size = max((step.offset + step.width + 7) >> 3 for step in writing)
    if len(data) < size:  # also if all steps have failed: Redis grows the string before it runs them
        data.write(size, b"")
        parts.append((size - 1, size))
    if parts:
        edited(ctx.keyspace, argv[1], data, parts, "setbit", max(written, 1))
    return replies


@verbs.verb("BITFIELD_RO", arity=-2, flags=Flag.READONLY | Flag.FAST, keys=key("RO", "access"), since="6.0.0")
def bitfield_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]

    Reads integers of any width in a string.

    Cost: O(1) for each
    """
    steps = list(field_steps(ctx, Args(argv, 2)))
    if any(step.verb != b"GET" for step in steps):
        raise RespError("ERR BITFIELD_RO only supports the GET subcommand")
    return _read_fields(ctx, argv[1], steps)


def _read_fields(ctx: Context, name: bytes, steps: list[FieldStep]) -> list[Reply]:
    """The integers that steps read."""
    text = read_text(ctx, name)
    return [get_field(text, step.offset, step.width, signed=step.signed) for step in steps]
