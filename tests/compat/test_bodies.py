"""Bodies that come packed and in pieces."""

from __future__ import annotations

import gzip
import zlib

import pytest

from januskv.compat.server.bodies import BadPacking, BodyTooLong, UnknownCoding, Unpacker

TEXT = b'{"a":1}\n' * 20_000


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def unpacked(coding: str, data: bytes, size: int = 1 << 20, most: int = 1 << 20) -> bytes:
    unpacker = Unpacker(coding, most)
    found = b"".join(b"".join(unpacker.feed(data[i : i + size])) for i in range(0, len(data), size))
    unpacker.end()
    return found


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT[:800]) + gzip.compress(TEXT[800:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", bare(TEXT)),
        ("deflate", gzip.compress(TEXT)),
    ],
    ids=["none", "identity", "gzip", "two members", "zlib", "bare deflate", "gzip called deflate"],
)
def test_codings(coding: str, data: bytes, size: int) -> None:
    assert unpacked(coding, data, size) == TEXT


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(TEXT)[:-1]),
        ("gzip", TEXT),
        ("gzip", gzip.compress(TEXT) + b"more"),
        ("deflate", zlib.compress(TEXT) + b"more"),
        ("gzip", b""),
    ],
    ids=["cut short", "not packed", "followed by something", "zlib and more", "empty"],
)
def test_what_is_not_packed_so(coding: str, data: bytes) -> None:
    with pytest.raises(BadPacking):
        unpacked(coding, data)


def test_no_more_is_unpacked_than_is_taken() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    unpacker = Unpacker("gzip", 1 << 20)
    with pytest.raises(BodyTooLong) as caught:
        for _ in unpacker.feed(bomb):
            pass
    assert caught.value.most == 1 << 20
    assert unpacker.length <= (1 << 20) + (1 << 16)
    assert unpacked("gzip", gzip.compress(bytes(1 << 20))) == bytes(1 << 20)


def test_unknown_codings() -> None:
    for coding in ("br", "zstd", "gzip, gzip"):
        with pytest.raises(UnknownCoding):
            Unpacker(coding, 10)
