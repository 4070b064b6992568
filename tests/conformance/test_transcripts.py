"""The transcripts against the recorded replies of redis-server, and whether every command has a line in one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.transcripts.reading import PROTOCOLS, Case, Recording, Speaker, cases, differences, empty

from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import Verbatim

DIFFERENCES = Path(__file__).parent.parent.parent / "docs" / "differences.md"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases()])
def test_recorded_replies(case: Case, protocol: int, janus: Any) -> None:
    ours = Speaker(janus.port, protocol)
    empty(ours)
    ours.ask(9, [b'{"SH_END_ALL":{}}'])
    recording = Recording(case, protocol)
    wrong = differences(case, ours, recording)
    assert not wrong, "\n" + "\n".join(wrong)
    assert recording.at == len(recording.replies), "more is recorded; run python -m tests.transcripts.record"


def test_every_named_difference_is_explained() -> None:
    explained = DIFFERENCES.read_text()
    named = {words[1] for case in cases() for line in case.lines for words in line.relaxations if words[0] == "differs"}
    assert not {name for name in named if f"`{name}`" not in explained}


def test_verbatim_is_compared_by_its_text() -> None:
    reader = ReplyReader()
    reader.feed(b"=7\r\ntxt:abc\r\n")
    reply = reader.gets()
    assert reply is not None
    assert isinstance(reply[1], Verbatim)
    assert reply[1].text == b"abc"
