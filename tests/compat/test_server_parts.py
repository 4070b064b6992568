"""The attributes of a server are its parts, which have methods: nobody else sets one."""

from __future__ import annotations

import ast
from pathlib import Path

import januskv

PACKAGE = Path(januskv.__file__).parent
SOURCES = sorted(
    path
    for pattern in ("*.py", "tools/*.py", "commands/*.py", "compat/*.py", "compat/*/*.py")
    for path in PACKAGE.glob(pattern)
)
# What calls a server or its base when it is used from elsewhere.
NAMES = {"server", "core"}


def set_from_outside(source: str) -> list[str]:
    """The attributes of servers that a source sets, with their lines."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in NAMES:
                found.append((node.lineno, f"{name}.{node.attr}"))
    return [f"{line}: {name}" for line, name in sorted(found)]


def test_nobody_else_sets_an_attribute_of_a_server() -> None:
    assert PACKAGE / "compat" / "server" / "server.py" in SOURCES
    assert {str(path): found for path in SOURCES if (found := set_from_outside(path.read_text(encoding="utf-8")))} == {}


def test_what_would_set_one_is_found() -> None:
    assert set_from_outside("self.server.loading = True\nserver.a, x = 1, 2\ncore.n += 1\nserver.state.x = 1") == [
        "1: server.loading",
        "2: server.a",
        "3: core.n",
    ]
