"""What keys and tokens allow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from januskv.compat.server.config import Config
from januskv.compat.server.parameters import ConfigError
from januskv.compat.server.permissions import (
    ALL,
    BadPermissions,
    Permissions,
    digest_of,
    keys_in,
    keys_of,
    read_permissions,
)

SENSORS = {"read": {"everything": True}, "write": {"everything": False, "timeseries": ["sensors-.*", "a|b"]}}


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("sensors-1", True),
        ("sensors-", True),
        ("my-sensors-1", False),
        ("sensors", False),
        ("a", True),
        ("ab", False),
        ("sensors-1\nx", False),
        (None, False),
    ],
)
def test_the_whole_name_is_matched(name: str | None, allowed: bool) -> None:
    permissions = read_permissions(SENSORS)
    assert permissions.write.allows(name) is allowed
    assert permissions.read.allows(name)


def test_nothing_is_allowed_that_is_not_said() -> None:
    assert read_permissions({}) == Permissions()
    assert not Permissions().read.allows("a")
    assert not Permissions().write.allows(None)
    assert ALL.write.allows(None)


BAD: list[Any] = [
    [],
    "read",
    {"read": True},
    {"read": {"everything": 1}},
    {"write": {"timeseries": "a"}},
    {"write": {"timeseries": [1]}},
    {"write": {"timeseries": ["("]}},
    {"write": {"timeseries": ["a" * 1025]}},
]


@pytest.mark.parametrize("document", BAD, ids=repr)
def test_what_is_no_permission(document: object) -> None:
    with pytest.raises(BadPermissions):
        read_permissions(document)


def test_unknown_members_are_refused_in_the_configuration_only() -> None:
    for document in ({"wirte": {}}, {"read": {"everithing": True}}):
        assert read_permissions(document) == Permissions()
        with pytest.raises(BadPermissions):
            read_permissions(document, strict=True)
    assert read_permissions({"read": {"queriesByCollection": {}}}, strict=True) == Permissions()


def test_keys() -> None:
    found = keys_of(json.dumps({"one": SENSORS, "two": {}}))
    assert found[digest_of("one")].write.allows("a")
    assert found[digest_of("two")] == Permissions()
    assert digest_of("three") not in found
    assert keys_of("") == keys_of(" ") == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "1",
        '{"s3cret key": {}}',
        '{"": {}}',
        '{"s3cret\\u00e9": {}}',
        '{"s3cret": {"read": 1}}',
        '{"s3cret": {}, "s3cret": {}}',
        '{"s3cret": {"read": {}, "read": {"everything": true}}}',
        '{"s3cret": {"reed": {}}}',
        "[" * 100_000,
    ],
)
def test_bad_keys_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config().set_text("ditto-api-keys", text)
    assert "s3cret" not in str(caught.value)


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"one": SENSORS}))
    assert keys_in(str(path)).keys() == {digest_of("one")}
    path.write_text(json.dumps({"two": SENSORS}))
    os.utime(path, ns=(1, 1))
    assert keys_in(str(path)).keys() == {digest_of("two")}


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(BadPermissions):
        keys_in(str(path))
    for data in (b"{", b"\xff", b'{"a": 1}'):
        path.write_bytes(data)
        os.utime(path, ns=(len(data), len(data)))
        with pytest.raises(BadPermissions):
            keys_in(str(path))
