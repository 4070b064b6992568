"""The same command lines on JanusKV and on redis-server: equal replies, differences listed by name (tests/transcripts)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.transcripts.reading import PROTOCOLS, Case, Speaker, cases, differences, empty

pytestmark = pytest.mark.live


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases()])
def test_same_replies(case: Case, protocol: int, janus: Any, oracle: Any) -> None:
    ours, theirs = Speaker(janus.port, protocol), Speaker(oracle.port, protocol)
    for speaker in (ours, theirs):
        empty(speaker)
    ours.ask(9, [b'{"SH_END_ALL":{}}'])
    wrong = differences(case, ours, theirs)
    assert not wrong, "\n" + "\n".join(wrong)
