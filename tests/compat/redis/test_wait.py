"""WAITAOF with and without a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from januskv.compat.persistence import Persistence
from januskv.resp.replies import ErrorReply
from januskv.storage.durability.journal import open_journal


def test_without_a_log(wire: Any, house: Any) -> None:
    assert wire.line("WAITAOF 0 0 0") == [0, 0]
    text = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
    assert wire.line("WAITAOF 1 0 0") == ErrorReply(text)
    assert wire.send(b"WAITAOF 0 1 50\r\n") == b""
    house.run_timers(1)
    assert wire.transport.written == b"*2\r\n:0\r\n:0\r\n"


@pytest.mark.parametrize(
    "line", ["WAITAOF 2 0 0", "WAITAOF -1 0 0", "WAITAOF 0 -1 0", "WAITAOF x 0 0", "WAITAOF 0 0 x", "WAITAOF 0 0 -1"]
)
def test_refusals(wire: Any, line: str) -> None:
    assert isinstance(wire.line(line), ErrorReply)


def test_what_was_written_is_synced(make_house: Any, tmp_path: Path) -> None:
    house = make_house()
    persistence = Persistence(house.server, open_journal(str(tmp_path), house.store, cut_torn_tail=True))
    wire = house.connect()
    wire.line("SET a 1")
    assert wire.line("WAITAOF 1 0 100") == [1, 0]
    assert persistence.journal.durable
    wire.line("MULTI")
    wire.line("WAITAOF 0 1 0")
    assert wire.line("EXEC") == [[0, 0]]
    persistence.close()
