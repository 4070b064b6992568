"""The contents of a data directory, file by file, and its problems: for people, and for repairs (``repairing.py``).

``examine`` reads all files like a starting server, with the same reader and the same operations, but continues after
damage to measure it. It changes nothing and takes no lock.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from januskv.storage.sessions import LEAST_TOKEN
from januskv.storage.store import Store

from .codec import unpacker
from .generations import Directory, Manifest
from .records import CHANGES, END, HEADER_BYTES, LOG, PART, RECORD_BYTES, SNAPSHOT, Damaged, Record, RecordFile, Torn
from .replay import Unplayable, redo

RECORD_NAMES: Final = {CHANGES: "changes", END: "end", PART: "part"}

# The kinds of problems, which decide what a repair can do.
MANIFEST: Final = "manifest"
HEADER: Final = "header"
RECORDS: Final = "records"
MISSING: Final = "missing"
VERSION: Final = "version"
UNPLAYABLE: Final = "unplayable"


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why a server would not start. ``file`` is a name in the directory, ``offset`` in bytes."""

    kind: str
    file: str
    offset: int
    reason: str


@dataclass(slots=True)
class FileReport:
    """One file that the manifest names.

    ``end`` is the offset after the last record before any damage; ``later`` is the number of whole records after the
    damage. ``operations`` counts those of the records before it by name.
    """

    name: str
    kind: int
    size: int = 0
    first_seq: int = 0
    last_seq: int = 0
    end: int = 0
    records: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    highest_database: int = -1
    later: int = 0
    torn: Torn | None = None
    allocated: int = 0  # zeros after the last record, allocated ahead


@dataclass(slots=True)
class Findings:
    """All that is known about a data directory. ``next_seq`` follows the last record before any problem."""

    folder: str
    manifest: Manifest | None = None
    fresh: bool = False  # a server would begin from scratch here
    files: list[FileReport] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    cut_files: list[str] = field(default_factory=list)
    next_seq: int = 1
    keys: int = 0
    sessions: int = 0

    @property
    def starts(self) -> bool:
        """Whether a server would start, with a torn tail cut."""
        return not self.problems

    @property
    def torn(self) -> FileReport | None:
        """The file that ends in an unfinished record."""
        return next((each for each in self.files if each.torn is not None), None)


class ReadOnly(Directory):
    """A data directory that is read without its lock, and never changed."""

    def __init__(self, path: str) -> None:
        """Raises FileNotFoundError, NotADirectoryError."""
        self.path = path
        os.listdir(path)

    def close(self) -> None:
        """Nothing to release."""


def examine(directory: Directory, store: Store | None = None) -> Findings:
    """Read a data directory. ``store``, an empty one, takes the data before the first problem. Raises OSError."""
    return _Examination(directory, Store() if store is None else store).run()


class _Examination:
    def __init__(self, directory: Directory, store: Store) -> None:
        self.directory = directory
        self.store = store
        self.found = Findings(directory.path)

    def run(self) -> Findings:
        found = self.found
        try:
            found.manifest = self.directory.read_manifest()
        except Damaged as error:
            self.wrong(MANIFEST, "manifest", error.offset, error.reason)
        except (ValueError, KeyError, TypeError) as error:
            self.wrong(MANIFEST, "manifest", 0, f"it is not what a manifest says: {error!r}")
        self.list_others()
        if found.manifest is None:
            found.fresh = not found.problems
            return found
        self.store.clock.now_ms = 0  # nothing expires during replay
        try:
            self.read_files(found.manifest)
        finally:
            self.store.clock.tick()
        found.keys = sum(map(len, self.store.keyspaces()))
        found.sessions = len(self.store.sessions.by_token)
        return found

    def wrong(self, kind: str, file: str, offset: int, reason: str) -> None:
        self.found.problems.append(Problem(kind, file, offset, reason))

    def list_others(self) -> None:
        manifest = self.found.manifest
        named = {manifest.base, *manifest.segments} if manifest is not None else set()
        for name in sorted(os.listdir(self.directory.path)):
            if re.search(r"\.cut-[0-9]+(\.[0-9]+)?$", name):
                self.found.cut_files.append(name)
            elif name not in named and re.fullmatch(r"(base|log)\.[0-9]+(\.new)?|manifest\.new", name):
                self.found.leftovers.append(name)

    def read_files(self, manifest: Manifest) -> None:
        found = self.found
        if manifest.base:
            self.read_base(manifest)
        if not manifest.segments:
            self.wrong(MANIFEST, "manifest", 0, "it names no segment")
        for name in manifest.segments:
            before = len(found.problems)
            report = FileReport(name, LOG)
            file = self.open(report, manifest)
            if file is None:
                continue
            if not before and file.first_seq != found.next_seq:
                reason = f"it begins with record {file.first_seq}, and {found.next_seq} has to follow"
                self.wrong(HEADER, name, 0, reason)
            self.read_records(file, report, open_ended=name == manifest.segments[-1])
            if len(found.problems) == before:
                found.next_seq = report.last_seq + 1

    def open(self, report: FileReport, manifest: Manifest) -> RecordFile | None:
        self.found.files.append(report)
        try:
            data = self.directory.read(report.name)
        except Damaged as error:
            self.wrong(MISSING, report.name, 0, error.reason)
            return None
        report.size = len(data)
        try:
            file = RecordFile(report.name, data, report.kind, manifest.data_set)
        except Damaged as error:
            self.wrong(VERSION if error.offset == 8 else HEADER, report.name, error.offset, error.reason)
            return None
        report.first_seq, report.last_seq, report.end = file.first_seq, file.first_seq - 1, file.end
        return file

    def read_records(self, file: RecordFile, report: FileReport, *, open_ended: bool) -> list[Record]:
        """Read all records of a file. Returns those other than changes."""
        special = []
        try:
            for each in file.records(open_ended=open_ended):
                if each.kind == CHANGES or report.kind == LOG:  # loading treats every record of a segment as changes
                    self.redo(report, each)
                else:
                    special.append(each)
                report.records[RECORD_NAMES.get(each.kind, f"type {each.kind}")] += 1
                report.last_seq, report.end = each.seq, each.end
        except Damaged as error:
            report.later = _records_from(file, error.offset + 1, report.last_seq + 1)
            self.wrong(RECORDS, report.name, error.offset, error.reason)
            return special
        report.torn = file.torn
        lost = 0 if file.torn is None else file.torn.bytes_lost
        report.allocated = report.size - file.end - lost
        return special

    def redo(self, report: FileReport, each: Record) -> None:
        if self.found.problems:
            self.count(report, each.payload)
            return
        try:
            redo(self.store, each.payload)
        except Unplayable as error:
            at = each.end - len(each.payload) - RECORD_BYTES
            self.wrong(UNPLAYABLE, report.name, at, f"a whole record that cannot be replayed: {error}")
        self.count(report, each.payload)

    def count(self, report: FileReport, payload: bytes) -> None:
        """Count the operations of a record by name, as far as they can be read."""
        reader = unpacker(len(payload), restores=False)
        reader.feed(payload)
        try:
            for operation in reader:
                report.operations[str(operation[0])] += 1
                place: Any = operation[1]
                if type(place) is int and place < LEAST_TOKEN:
                    report.highest_database = max(report.highest_database, place)
        except (ValueError, TypeError, LookupError):
            report.operations["unreadable"] += 1

    def read_base(self, manifest: Manifest) -> None:
        report = FileReport(manifest.base, SNAPSHOT)
        file = self.open(report, manifest)
        if file is None:
            return
        before = len(self.found.problems)
        special = self.read_records(file, report, open_ended=False)
        if len(self.found.problems) > before:
            return
        if not special:
            self.wrong(RECORDS, report.name, report.size, "the end is missing")
            return
        if len(special) > 1 or special[0].end != report.size:
            self.wrong(RECORDS, report.name, special[0].end, "records follow the last one")
            return
        told = json.loads(special[0].payload)
        keys = sum(map(len, self.store.keyspaces()))
        if told["keys"] != keys:
            self.wrong(RECORDS, report.name, special[0].end, f"it holds {keys} keys instead of {told['keys']}")
        self.found.next_seq = int(told["next_seq"])


def _records_from(file: RecordFile, start: int, seq: int) -> int:
    """The number of whole records from an offset on."""
    count = 0
    at = file.later_record(start, seq)
    while at is not None:
        count += 1
        end = file.end_of_whole(at)
        assert end is not None
        at = end if file.end_of_whole(end) is not None else file.later_record(end, seq)
    return count


def header_of(directory: Directory, name: str) -> tuple[int, bytes, int]:
    """File type, data set and first sequence number in the header of a file, unchecked. Raises Damaged, OSError."""
    with open(directory.at(name), "rb") as file:
        start = file.read(HEADER_BYTES)
    data_set = start[11:27]
    kind = start[10] if len(start) > 10 else 0
    return kind, data_set, RecordFile(name, start, kind, data_set).first_seq
