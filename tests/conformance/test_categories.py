"""The categories of commands against those of redis-server 7.4, which ``redis74_acl.jsonl`` has; commands of ours left out."""

from __future__ import annotations

import pytest
from tests.conformance.test_recorded import cases

from januskv.compat.commands import build_table
from januskv.compat.server.acl.rules import Rules
from januskv.compat.server.config import Config

TABLE = build_table()
# Not built here, or parts of containers whose parts differ.
_MISSING = frozenset({"dump", "migrate", "restore", "restore-asking"})
_DIFFERENT = ("cluster|", "debug|")
_OURS = ("ts.", "timeseries.", "client|maint_notifications", *_DIFFERENT)


def recorded() -> list[tuple[str, frozenset[str]]]:
    [case] = [case for case in cases("redis74_acl") if case["name"] == "cat" and case["resp"] == 2]
    asked = [command for command in case["commands"] if len(command["argv"]) == 3 and "bag" in command["reply"]]
    return [(each["argv"][2], frozenset(item["bulk"] for item in each["reply"]["bag"])) for each in asked]


@pytest.mark.parametrize(("category", "commands"), [pytest.param(*each, id=each[0]) for each in recorded()])
def test_commands_of_a_category(category: str, commands: frozenset[str]) -> None:
    ours = {
        command.text_name
        for command in Rules(TABLE, Config()).by_category[category]
        if command.handle is None and not command.text_name.startswith(_OURS)
    }
    assert ours == {name for name in commands - _MISSING if not name.startswith(_DIFFERENT)}
