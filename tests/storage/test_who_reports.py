"""Changes are reported by the engine alone: a face, or a command, calls a named operation of storage/."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import januskv

ROOT = Path(januskv.__file__).parent
ABOVE = sorted(
    path
    for path in [
        *ROOT.glob("*.py"),
        *(each for folder in ("commands", "compat", "tools") for each in (ROOT / folder).rglob("*.py")),
    ]
)
# What tells the feed of a change, and what the feed counts changes by.
REPORTS = {"changed"}
COUNTERS = {"changes", "extra"}


def reports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines that report a change themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REPORTS:
            yield node.lineno, node.func.attr
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        )
        for target in targets:
            if (
                isinstance(target, ast.Attribute)
                and target.attr in COUNTERS
                and ast.unparse(target.value).endswith("feed")
            ):
                yield node.lineno, target.attr


def test_there_is_something_to_look_at() -> None:
    assert len(ABOVE) > 80
    assert sorted(reports(ast.parse("keyspace.changed('set', key)\nctx.keyspace.feed.extra += 1"))) == [
        (1, "changed"),
        (2, "extra"),
    ]


@pytest.mark.parametrize("path", ABOVE, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_engine_reports(path: Path) -> None:
    assert list(reports(ast.parse(path.read_text()))) == []
