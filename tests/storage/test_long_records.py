"""Records that are longer than a window are read in pieces, and mean what they mean when they are read as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.storage.durability import records
from januskv.storage.durability.records import CHANGES, HEADER_BYTES, LOG, PART, Damaged, RecordFile, header, record

DATA_SET = bytes(16)


@pytest.fixture
def content() -> bytes:
    """A segment with short and long records, two of which are parts."""
    sizes = [(CHANGES, 3), (CHANGES, 1000), (PART, 400), (PART, 5), (CHANGES, 900), (CHANGES, 0), (CHANGES, 70)]
    parts = [record(kind, seq, bytes([seq]) * size) for seq, (kind, size) in enumerate(sizes, 1)]
    return header(LOG, DATA_SET, 1) + b"".join(parts)


def outcome(data: bytes, window: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The records, and how the file ends; or the damage."""
    monkeypatch.setattr(records, "_WINDOW_BYTES", window)
    file = RecordFile("file", data, LOG, DATA_SET)
    found = []
    try:
        found += list(file.records(open_ended=True))
    except Damaged as error:
        return found, error.offset, error.reason
    return found, file.end, file.torn


def test_what_is_read_does_not_depend_on_the_window(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for end in range(HEADER_BYTES, len(content) + 1):
        whole = outcome(content[:end], 1 << 20, monkeypatch)
        assert outcome(content[:end], 64, monkeypatch) == whole, end
    for at in range(HEADER_BYTES, len(content), 7):
        broken = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        assert outcome(broken, 64, monkeypatch) == outcome(broken, 1 << 20, monkeypatch), at


def test_a_long_record_is_read_in_steps(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_WINDOW_BYTES", 64)
    read: list[int] = []

    class Content(bytes):
        def __getitem__(self, part: Any) -> Any:
            found = bytes.__getitem__(self, part)
            read.append(len(found))
            return found

    steps = list(RecordFile("file", Content(content), LOG, DATA_SET).records_in_steps(open_ended=True))
    assert [each.seq for each in steps if each is not None] == list(range(1, 8))
    assert steps.count(None) >= (1000 + 400 + 900) // 64
    assert max(read) <= 64
