"""Modules that are written twice, ``.py`` and ``.pyx``, offer the same: names, constants, attributes of classes."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

import januskv
from januskv import stale_extensions

PACKAGE = Path(januskv.__file__).parent
FOLDERS = [
    PACKAGE / name
    for name in ("resp", "storage", "storage/durability", "commands", "compat/server", "compat/redis", "compat/timely")
]
PAIRS = sorted(
    ".".join(("januskv", *path.relative_to(PACKAGE).with_suffix("").parts))
    for folder in FOLDERS
    for path in folder.glob("*.pyx")
    if path.with_suffix(".py").exists()
)
# Constants that may differ, and names that only one of the builds has, with the reason.
DIFFERENT = {
    "januskv.storage.packed_scores.EMPTY": "compiled, a string",
    "januskv.storage.walking.WINDOW": "how much is looked at in one go: compiled, a part; otherwise all",
}
ONE_BUILD_ONLY = {
    "januskv.storage.packed_scores.Packed": "a string when compiled",
    "januskv.storage.durability.changes.Changes.operation": "a C method when compiled",
    "januskv.resp.encoder.CRLF": "bytes are written one by one when compiled",
    "januskv.resp.parser.strict_int": "a C function when compiled",
    "januskv.resp.parser.whole_arrays": "a C loop when compiled",
}

# Runs in a process of each build: for each module its constants by value, its functions and classes with their methods.
LOOK = """
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    offered = found[name] = {"compiled": module.__file__.endswith((".so", ".pyd"))}
    for each, value in vars(module).items():
        if each.startswith("_"):
            continue
        own = getattr(value, "__module__", name) == name
        if isinstance(value, (set, frozenset)):
            value = sorted(value)
        if isinstance(value, type):
            methods = [part for part, held in vars(value).items() if not part.startswith("_") and callable(held)]
            offered[each] = own, sorted(methods)
        elif callable(value):
            offered[each] = own, "function"
        elif each.isupper():
            offered[each] = True, repr(value)
print(json.dumps(found))
"""


def own_names(module: str) -> set[str]:
    """The public names that the pure-Python module makes itself."""
    path = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    names = set()
    for part in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            names.add(part.name)
        elif isinstance(part, ast.Assign | ast.AnnAssign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            names |= {each.id for each in targets if isinstance(each, ast.Name) and each.id.isupper()}
    return {name for name in names if not name.startswith("_")}


def offered(*, pure: bool) -> dict[str, dict[str, Any]]:
    """What the modules offer in one of the builds."""
    environment = os.environ | {"JANUSKV_PURE": "1" if pure else "0", "PYTHONPATH": str(PACKAGE.parent)}
    ended = subprocess.run(
        [sys.executable, "-c", LOOK, *PAIRS], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, dict[str, Any]] = json.loads(ended.stdout)
    return found


def test_both_builds_offer_the_same() -> None:
    assert len(PAIRS) > 15
    plain, compiled = offered(pure=True), offered(pure=False)
    if not all(compiled[name].pop("compiled") for name in PAIRS):
        pytest.skip("nothing is compiled")
    assert not any(plain[name].pop("compiled") for name in PAIRS)
    one_build_only = set()
    for name in PAIRS:
        own = own_names(name)
        compiled_own = {each for each, (is_own, held) in compiled[name].items() if is_own and held == "function"}
        for each in own | compiled_own:
            found = plain[name].get(each), compiled[name].get(each)
            if None in found:
                one_build_only.add(f"{name}.{each}")
            elif isinstance(found[0][1], list):
                one_build_only |= {f"{name}.{each}.{method}" for method in set(found[0][1]) ^ set(found[1][1])}
            elif f"{name}.{each}" not in DIFFERENT:
                assert found[0][1] == found[1][1], f"{name}.{each}"
    assert one_build_only == ONE_BUILD_ONLY.keys()


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        pytest.param("a.py", True, id="the source of an extension"),
        pytest.param("a.pxd", True, id="its types"),
        pytest.param("b.pyx", True, id="a .pyx"),
        pytest.param("b.py", False, id="the pure-Python module beside a .pyx"),
        pytest.param("c.py", False, id="a module without an extension"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_an_extension_that_is_older_than_its_source(tmp_path: Path, changed: str | None, stale: bool) -> None:
    folder = tmp_path / "storage"
    folder.mkdir()
    for name in ("a.py", "a.pxd", "b.py", "b.pyx", "c.py", f"a{EXTENSION_SUFFIXES[0]}", f"b{EXTENSION_SUFFIXES[0]}"):
        (folder / name).touch()
        os.utime(folder / name, (1000, 2000 if name.endswith(EXTENSION_SUFFIXES[0]) else 1000))
    if changed is not None:
        os.utime(folder / changed, (3000, 3000))
    assert [Path(name).name[0] for name in stale_extensions(str(tmp_path))] == (
        [changed[0]] if changed and stale else []
    )
