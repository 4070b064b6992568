"""HyperLogLog commands. The strings are compatible with Redis in both directions."""

from __future__ import annotations

import random
from collections.abc import Iterator

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK, Reply, Simple
from januskv.storage.hyperloglog import (
    HEADER,
    add,
    added,
    count_of,
    dense,
    empty,
    estimate,
    is_sparse,
    merge,
    merged,
    registers_of,
    sparse,
    stale,
    stored_estimate,
    with_estimate,
)
from januskv.storage.strings import overwrite, put_text, string_text

verbs = Family("hyperloglog")

_WRITE = Flag.WRITE | Flag.DENYOOM


def _hyperloglog_of(ctx: Context, name: bytes) -> bytes | None:
    """The HyperLogLog of a key, None if absent. Raises WrongType, NotHyperLogLog."""
    value = ctx.keyspace.get(name)
    if value is None:
        return None
    data = string_text(value)
    is_sparse(data)
    return data


@verbs.verb("PFADD", arity=-2, flags=_WRITE | Flag.FAST, keys=key("RW", "insert"), since="2.8.9")
def pfadd(ctx: Context, argv: list[bytes]) -> Reply:
    """PFADD key [element [element ...]]

    Adds elements to a HyperLogLog, which is created if the key doesn't exist; returns whether its estimate may have changed.

    Cost: O(1) for each element
    """
    registers = _hyperloglog_of(ctx, argv[1])
    data = empty() if registers is None else registers
    changed, count = added(data, argv[2:], ctx.settings.hll_sparse_max_bytes)
    if changed is None and registers is not None:
        return 0
    elements = count + (registers is None)
    put_text(ctx.keyspace, argv[1], data, stale(data) if changed is None else changed, "pfadd", elements)
    return 1


@verbs.verb(
    "PFCOUNT",
    arity=-2,
    flags=Flag.READONLY | Flag.MAY_REPLICATE,
    keys=key(
        "RW",
        "access",
        last=-1,
        notes="RW because it may change the internal representation of the key, and propagate to replicas",
    ),
    since="2.8.9",
)
def pfcount(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PFCOUNT key [key ...]

    Estimates how many different elements were added to a HyperLogLog, or to any of several. The estimate of a single
    one is cached in it until elements are added.

    Cost: O(N) with N keys
    """
    for name in argv[1:]:
        ctx.keyspace.read(name)
    if len(argv) > 2:
        return estimate(merged(_several(ctx, argv[1:])))
    registers = _hyperloglog_of(ctx, argv[1])
    if registers is None:
        return 0
    number = count_of(registers)
    if stored_estimate(registers) is None and not ctx.server.state.write_fault:
        overwrite(ctx.keyspace, argv[1], 0, with_estimate(registers, number), len(registers), "pfcount")
    return number


def _several(ctx: Context, names: list[bytes]) -> Iterator[bytes]:
    """The HyperLogLogs of the existing keys, one after the other. Raises WrongType, NotHyperLogLog."""
    for name in names:
        registers = _hyperloglog_of(ctx, name)
        if registers is not None:
            yield registers


@verbs.verb(
    "PFMERGE",
    arity=-2,
    flags=_WRITE,
    keys=(key("RW", "access", "insert"), key("RO", "access", begin=2, last=-1)),
    since="2.8.9",
)
def pfmerge(ctx: Context, argv: list[bytes]) -> Reply:
    """PFMERGE destkey [sourcekey [sourcekey ...]]

    Merges HyperLogLogs into one.

    Cost: O(N) with N keys
    """
    for name in argv[1:]:
        ctx.keyspace.read(name)
    registers = _hyperloglog_of(ctx, argv[1])
    target = empty() if registers is None else registers
    new = merge(target, _several(ctx, argv[2:]), ctx.settings.hll_sparse_max_bytes)
    ctx.keyspace.replace(argv[1], new, "pfadd")
    return OK


@verbs.verb("PFDEBUG", arity=3, flags=_WRITE | Flag.ADMIN, keys=key("RW", "access", begin=2), since="2.8.9")
def pfdebug(ctx: Context, argv: list[bytes]) -> Reply:
    """PFDEBUG subcommand key

    Shows the inside of a HyperLogLog: GETREG its registers, DECODE its sparse runs, ENCODING its form, TODENSE makes
    it dense.

    Cost: O(1)
    """
    data = _hyperloglog_of(ctx, argv[2])
    if data is None:
        raise RespError("ERR The specified key does not exist")
    word = argv[1].upper()
    if word in (b"GETREG", b"TODENSE"):
        was_sparse = is_sparse(data)
        registers = registers_of(data)
        if was_sparse:
            ctx.keyspace.replace(argv[2], dense(registers, data), "pfdebug")
        return registers.tolist() if word == b"GETREG" else int(was_sparse)
    if word == b"ENCODING":
        return Simple(b"sparse" if is_sparse(data) else b"dense")
    if word == b"DECODE":
        if not is_sparse(data):
            raise RespError("ERR HLL encoding is not sparse")
        return b" ".join(_runs(data))
    raise RespError(f"ERR Unknown PFDEBUG subcommand '{argv[1].decode(errors='surrogateescape')}'")


def _runs(data: bytes) -> list[bytes]:
    """The runs of a sparse HyperLogLog, in Redis' notation."""
    runs, offset = [], HEADER
    while offset < len(data):
        code = data[offset]
        if code & 0x80:
            runs.append(b"v:%d,%d" % ((code >> 2 & 31) + 1, (code & 3) + 1))
        elif code & 0x40:
            offset += 1
            runs.append(b"Z:%d" % (((code & 63) << 8 | data[offset]) + 1))
        else:
            runs.append(b"z:%d" % (code + 1))
        offset += 1
    return runs


@verbs.verb("PFSELFTEST", arity=1, flags=Flag.ADMIN, since="2.8.9")
def pfselftest(ctx: Context, argv: list[bytes]) -> Reply:
    """PFSELFTEST

    Compares the sparse and the dense form after 100, 200, 300, 500, 900 … 20,000 elements, and the estimate with
    the true count.

    Cost: O(N) with 20,000 elements
    """
    data = empty()
    elements = [b"%d" % random.getrandbits(64) for _ in range(20_000)]
    compared = 0
    for start in range(0, len(elements), 100):
        data = add(data, elements[start : start + 100], 3000) or data
        if start < 2 * compared and start + 100 < len(elements):  # a comparison takes 2 ms
            continue
        compared = start
        registers = registers_of(data)
        small = sparse(registers, 1 << 20)
        forms = [dense(registers), small or b""]
        if any(not small or registers_of(form).tobytes() != registers.tobytes() for form in forms):
            raise RespError("ERR TESTFAILED the forms of the registers differ")
    if abs(count_of(data) - len(elements)) > len(elements) * 0.05:
        raise RespError("ERR TESTFAILED too high error")
    return OK
