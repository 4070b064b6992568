"""Scripts whose replies were recorded from redis-server: see record.py."""

from __future__ import annotations

import json

import pytest
from tests.conftest import Process
from tests.lua.conftest import FakeHost, evaluate, wire
from tests.lua.record import RECORDED, Speaker, scripts

from januskv.lua import LuaEngine

# Script -> why ours differs from redis-server 7.0.15.
DIFFERENT: dict[str, str] = {
    'return string.find("x",("a?"):rep(100000)..("a"):rep(1000))': "such long patterns are refused",
}


def replies() -> list[tuple[str, str]]:
    return [(script, reply) for script, reply in json.loads(RECORDED.read_text())]


def test_the_recording_is_of_these_scripts() -> None:
    assert [script for script, _ in replies()] == scripts()


@pytest.mark.parametrize(("script", "reply"), replies())
def test_a_script(script: str, reply: str) -> None:
    same = wire(evaluate(LuaEngine(FakeHost()), script)) == reply
    assert same == (script not in DIFFERENT)


def test_one_after_the_other() -> None:
    """What one script does is not seen by the next."""
    engine = LuaEngine(FakeHost())
    wrong = [
        (script, got, reply)
        for script, reply in replies()
        if script not in DIFFERENT and (got := wire(evaluate(engine, script))) != reply
    ]
    assert not wrong


@pytest.mark.live
def test_redis_still_says_so(oracle: Process) -> None:
    speaker = Speaker(oracle.port)
    for script, reply in replies():
        assert speaker.ask(b"EVAL", script.encode(), b"0").decode("latin-1") == reply, script
    speaker.close()
