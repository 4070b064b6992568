"""Saves of the native commands: JSON files that NemesisDB reads too (specs: nemesis.md, section 8).

    <folder>/<name>/<nanoseconds since the epoch>/md/md.json
    <folder>/<name>/<nanoseconds since the epoch>/data/0, 1, 2, ...

| saved      | a data file holds                                                                              |
|------------|------------------------------------------------------------------------------------------------|
| key-values | ``{"keys": {name: value, ...}}``                                                               |
| sessions   | ``[{"sh": {"tkn", "shared", "expiry": {"duration", "deleteSession"}}, "keys": {...}}, ...]``   |
| series     | MessagePack, an array of [name, series]; ours                                                  |

Metadata are written with status 0 before the data and with status 1 after them, so that an interrupted save is not
loaded. Ours in JSON files: ``name`` of a session, and ``{"$base64": text}`` for strings that are not UTF-8. Values that
JSON lacks are restored as its own types: sets as arrays, sorted sets as objects.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from januskv.storage.keyspace import Keyspace
from januskv.storage.sessions import Session
from januskv.storage.values import from_json, is_series, name_to_json, to_json

from .codec import pack, unpack

KEY_VALUES: Final = 0
SESSIONS: Final = 1
SERIES: Final = 2

_VERSION = 2
_PENDING, _COMPLETE = 0, 1
_FILE_BYTES = 10 << 20
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BadSave(Exception):
    """No save of this name can be loaded; the text says why."""


def check_name(name: str) -> None:
    """Raise BadSave for a name with characters other than letters, digits, - and _: it becomes part of a path."""
    if not _NAME.fullmatch(name):
        raise BadSave("a name has 1 to 64 letters, digits, - and _")


# ---------------------------------------------------------------- writing


class Save:
    """A save that is being written."""

    def __init__(self, folder: Path, name: str, kind: int) -> None:
        """Make its directories. Raises BadSave, OSError, and then leaves nothing behind."""
        check_name(name)
        self.name, self.kind = name, kind
        self.started_ms = time.time_ns() // 1_000_000
        # Loading takes the highest number, so this one must be higher even if the clock was set back.
        self.path = folder / name / str(max(time.time_ns(), max(_numbers(folder / name), default=0) + 1))
        try:
            (self.path / "md").mkdir(parents=True)
            (self.path / "data").mkdir()
        except OSError:
            self.remove()
            raise

    def _describe(self, status: int, completed_ms: int) -> None:
        metadata = {
            "name": self.name,
            "version": _VERSION,
            "status": status,
            "start": self.started_ms,
            "complete": completed_ms,
            "saveDataType": self.kind,
        }
        _write(self.path / "md" / "md.new", orjson.dumps(metadata))
        os.replace(self.path / "md" / "md.new", self.path / "md" / "md.json")

    def write(self, files: Iterable[bytes]) -> None:
        """Write the metadata, the data files, and that the save is complete. Raises OSError, and then leaves nothing behind."""
        try:
            self._describe(_PENDING, 0)
            for number, content in enumerate(files):
                _write(self.path / "data" / str(number), content)
            self._describe(_COMPLETE, time.time_ns() // 1_000_000)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove the incomplete save: the disk may be full."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # there are other saves of the name, or the directory was not made
            self.path.parent.rmdir()


def _numbers(folder: Path) -> list[int]:
    """The numbers of the saves of a name."""
    return [int(each.name) for each in folder.glob("*") if each.name.isdigit()]


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _pairs(keyspace: Keyspace) -> Iterator[bytes]:
    """Each key-value of a keyspace as JSON: ``"name":value``."""
    for key in keyspace.live_keys():
        value = keyspace.data[key]
        if not is_series(value):
            yield orjson.dumps(name_to_json(key)) + b":" + orjson.dumps(to_json(value))


def _packed(parts: Iterable[bytes], opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Parts separated by commas; a new file is begun after about ten megabytes."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _FILE_BYTES:
            yield opening + b",".join(held) + closing
            held, size = [], 0
    if held:
        yield opening + b",".join(held) + closing


def key_value_files(keyspace: Keyspace) -> Iterator[bytes]:
    """The data files of a keyspace."""
    return _packed(_pairs(keyspace), b'{"keys":{', b"}}")


def session_files(sessions: Iterable[Session]) -> Iterator[bytes]:
    """The data files of sessions."""

    def described() -> Iterator[bytes]:
        for session in sessions:
            expiry = {"duration": session.duration_s, "deleteSession": session.delete_on_expiry}
            about = {"tkn": session.token, "shared": session.shared, "name": session.name, "expiry": expiry}
            yield b'{"sh":' + orjson.dumps(about) + b',"keys":{' + b",".join(_pairs(session.keyspace)) + b"}}"

    return _packed(described(), b"[", b"]")


def series_files(keyspace: Keyspace) -> Iterator[bytes]:
    """The data files of a keyspace's series, one each."""
    for key in keyspace.live_keys():
        if is_series(keyspace.data[key]):
            yield pack([[key, keyspace.data[key]]])


# ---------------------------------------------------------------- reading


def newest(folder: Path, name: str) -> tuple[Path, int]:
    """The newest save of a name and the kind of its data. Raises BadSave."""
    check_name(name)
    found = _numbers(folder / name)
    if not found:
        raise BadSave("there is no save of this name")
    path = folder / name / str(max(found))
    try:
        metadata = orjson.loads((path / "md" / "md.json").read_bytes())
        version, status = metadata["version"], metadata["status"]
        kind = metadata["saveDataType"] if version == _VERSION else SESSIONS
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadSave("its metadata cannot be read") from error
    if version not in (1, _VERSION) or status != _COMPLETE:
        raise BadSave("the save was not completed")
    return path, kind


def contents(path: Path) -> Iterator[bytes]:
    """The data files of a save, in order. Raises OSError."""
    for file in sorted((each for each in (path / "data").glob("*") if each.name.isdigit()), key=lambda e: int(e.name)):
        yield file.read_bytes()


def _values(keys: Any) -> dict[bytes, object]:
    if type(keys) is not dict:
        raise BadSave("its data are not what a save holds")
    return {name.encode(): from_json(value) for name, value in keys.items()}


def read_key_values(content: bytes) -> dict[bytes, object]:
    """The key-values of a data file. Raises BadSave."""
    try:
        return _values(orjson.loads(content)["keys"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadSave("its data are not what a save holds") from error


def read_sessions(content: bytes) -> list[tuple[dict[str, Any], dict[bytes, object]]]:
    """The sessions of a data file: settings (tkn, shared, name, duration, deleteSession) and values. Raises BadSave."""
    try:
        found = []
        for each in orjson.loads(content):
            about = each["sh"]
            settings = {
                "tkn": int(about["tkn"]),
                "shared": bool(about["shared"]),
                "name": str(about.get("name", "")),
                "duration": int(about["expiry"]["duration"]),
                "deleteSession": bool(about["expiry"]["deleteSession"]),
            }
            found.append((settings, _values(each["keys"])))
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSave("its data are not what a save holds") from error


def read_series(content: bytes) -> list[tuple[bytes, object]]:
    """The series of a data file. Raises BadSave."""
    try:
        return [(key, series) for key, series in unpack(content)]
    except Exception as error:  # any other content
        raise BadSave("its data are not what a save holds") from error
