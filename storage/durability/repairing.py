"""Repairs of a damaged data directory: unreadable parts are cut off, never changed.

A repair keeps everything before the first problem and gives up the rest. The bytes given up are first copied to side
files, ``<file>.cut-<offset>``, and made durable. Then the manifest is replaced, then files are cut: an interrupted
repair leaves either the old state, or a directory that can be repaired again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

from januskv.storage.store import Store

from .checking import HEADER, MANIFEST, MISSING, RECORDS, UNPLAYABLE, VERSION, Findings, Problem, examine, header_of
from .generations import Directory, Manifest, write_snapshot
from .records import END, HEADER_BYTES, LOG, SNAPSHOT, Damaged, RecordFile


class NoRepair(Exception):
    """The damage cannot be cut off; the text says why."""


@dataclass(slots=True)
class Repair:
    """What a repair gives up, and the resulting directory.

    ``cuts`` are (file, offset): bytes from there on are given up; offset 0 means the whole file. ``keep`` are the
    segments that stay. ``new_base``: the readable part of the snapshot is written as a new one.
    """

    cuts: list[tuple[str, int]] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    new_base: bool = False
    new_manifest: Manifest | None = None  # if the old one cannot be read


def plan(directory: Directory, found: Findings, databases: int) -> Repair | None:
    """The repair of the problems found; None if there are none. Raises NoRepair, OSError."""
    if not found.problems:
        torn = found.torn
        if torn is None or found.manifest is None:
            return None
        return Repair([(torn.name, torn.end)], list(found.manifest.segments))
    problem = found.problems[0]
    if problem.kind == MANIFEST:
        return Repair(new_manifest=_found_again(directory))
    manifest = found.manifest
    assert manifest is not None
    _refuse_what_is_no_damage(found, problem, databases)
    if problem.file == manifest.base:
        if problem.kind not in (RECORDS, UNPLAYABLE):
            raise NoRepair(
                f"nothing of the snapshot {problem.file} can be read, and the log is worth nothing without it"
            )
        gone = [name for name in manifest.segments if os.path.exists(directory.at(name))]
        return Repair([(name, 0) for name in (manifest.base, *gone)], new_base=True)
    at = manifest.segments.index(problem.file)
    whole = problem.kind in (HEADER, MISSING)
    gone = [name for name in manifest.segments[at + 1 :] if os.path.exists(directory.at(name))]
    cuts = [(name, 0) for name in gone]
    if problem.kind != MISSING:
        cuts.insert(0, (problem.file, 0 if whole else problem.offset))
    return Repair(cuts, manifest.segments[: at + (not whole)])


def _refuse_what_is_no_damage(found: Findings, problem: Problem, databases: int) -> None:
    if problem.kind == VERSION:
        raise NoRepair(f"{problem.file} was written by another version of the server")
    if problem.kind == UNPLAYABLE:
        highest = max((each.highest_database for each in found.files), default=-1)
        if highest >= databases:
            raise NoRepair(f"nothing is damaged: the data is for {highest + 1} databases, see 'databases'")


def _found_again(directory: Directory) -> Manifest:
    """A manifest for the existing files: the newest complete snapshot and the segments that follow it.

    Raises NoRepair, OSError.
    """
    bases: list[tuple[int, str, bytes, int]] = []
    segments: list[tuple[int, str, bytes, int]] = []
    for name in os.listdir(directory.path):
        stem, _, number = name.partition(".")
        if stem not in ("base", "log") or not number.isdigit():
            continue
        try:
            kind, data_set, first_seq = header_of(directory, name)
        except Damaged:
            continue
        if stem == "log" and kind == LOG:
            segments.append((int(number), name, data_set, first_seq))
        elif stem == "base" and kind == SNAPSHOT and (follows := _follows(directory, name, data_set)) is not None:
            bases.append((int(number), name, data_set, follows))
    segments.sort()
    numbers = [each[0] for each in (*bases, *segments)]
    for _, base, data_set, follows in (*sorted(bases, reverse=True), (0, "", b"", 1)):
        chain: list[str] = []
        for _, name, of_set, first_seq in segments:
            if base and of_set != data_set:
                continue
            if first_seq == follows or chain:
                data_set = of_set if not chain else data_set
                chain.append(name)
        if chain:
            return Manifest(data_set, base, chain, max(numbers) + 1)
    raise NoRepair("the manifest cannot be read, and there are no files that could have been in it")


def _follows(directory: Directory, name: str, data_set: bytes) -> int | None:
    """The number of the record that follows a snapshot; None if it is not whole."""
    base = RecordFile(name, directory.read(name), SNAPSHOT, data_set)
    told = None
    try:
        for each in base.records(open_ended=False):
            told = json.loads(each.payload) if each.kind == END else None
    except Damaged:
        return None
    return None if told is None else int(told["next_seq"])


def repair(directory: Directory, found: Findings, todo: Repair, databases: int) -> list[str]:
    """Do a repair; returns the names of the side files. ``directory`` holds the lock. Raises OSError."""
    sides = [_set_aside(directory, name, offset) for name, offset in todo.cuts]
    if todo.new_manifest is not None:
        if os.path.exists(directory.at("manifest")):
            sides.append(_set_aside(directory, "manifest", 0))
        directory.sync()
        directory.write_manifest(todo.new_manifest)
        return sides
    directory.sync()
    assert found.manifest is not None
    manifest = found.manifest
    changed = Manifest(manifest.data_set, manifest.base, list(todo.keep), manifest.next_number)
    if todo.new_base:
        # The readable part is loaded and written again: the old snapshot lacks its end, which cannot be added in place.
        store = Store(databases)
        again = examine(directory, store)
        changed.base = changed.new_name("base")
        _write_base(directory, changed, store, again.next_seq)
    if not changed.segments:
        _, fd, unsure = directory.new_segment(changed, found.next_seq)
        os.close(fd)
        if unsure is not None:
            raise unsure
    elif changed.segments != manifest.segments:
        directory.write_manifest(changed)
    for name, offset in todo.cuts:
        if offset and name in changed.segments:
            _cut(directory.at(name), offset)
        else:
            os.unlink(directory.at(name))
    directory.sync()
    return sides


def _write_base(directory: Directory, manifest: Manifest, store: Store, next_seq: int) -> None:
    path = directory.at(manifest.base)
    directory.remove(f"{manifest.base}.new")  # of a repair that was killed
    write_snapshot(f"{path}.new", store, manifest.data_set, next_seq)
    os.replace(f"{path}.new", path)
    directory.sync()


def _set_aside(directory: Directory, name: str, offset: int) -> str:
    """Copy the end of a file to a side file and make that durable; returns its name."""
    side = f"{name}.cut-{offset}"
    number = 1
    while os.path.exists(directory.at(side)):
        number += 1
        side = f"{name}.cut-{offset}.{number}"
    with open(directory.at(name), "rb") as file:
        file.seek(offset)
        data = file.read()
    # An incomplete side file has another name, so that it is not taken for a complete one.
    directory.write_file(f"{side}.new", data)
    os.replace(directory.at(f"{side}.new"), directory.at(side))
    return side


def _cut(path: str, offset: int) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, max(offset, HEADER_BYTES))
        os.fsync(fd)
    finally:
        os.close(fd)
