"""The files of a data directory, and which of them count.

    manifest   JSON and its CRC32C: the data set's id, the base if there is one, the segments in order
    base.N     a snapshot, consistent at a sequence number
    log.N      a segment: the records after the base, or after the segment before it
    lock       held by the server that uses the directory

The manifest is replaced as a whole; files that it does not name are left over from a crash.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import google_crc32c

from januskv.storage.keyspace import Keyspace
from januskv.storage.store import Store

from .codec import packer
from .records import (
    CHANGES,
    END,
    HEADER_BYTES,
    LOG,
    SNAPSHOT,
    Damaged,
    FileContent,
    Record,
    RecordFile,
    Torn,
    header,
    record,
    record_pieces,
)
from .replacing import sync_folder
from .replay import Unplayable, put_operation, redo_in_steps, session_operation

_OURS = re.compile(r"(base|log)\.[0-9]+(\.new)?|manifest\.new")
# Operations of a snapshot are collected up to about this size for one record.
_CHUNK_BYTES = 1 << 20


class DirectoryTaken(Exception):
    """Another server uses the data directory."""


class NameNotDurable(OSError):
    """The new manifest is in place, but a power failure may bring the old one back."""


@dataclass(slots=True)
class Manifest:
    """The contents of the manifest. ``base`` is "" before the first snapshot."""

    data_set: bytes
    base: str = ""
    segments: list[str] = field(default_factory=list)
    next_number: int = 1

    def new_name(self, stem: str) -> str:
        """A file name that was never used."""
        self.next_number += 1
        return f"{stem}.{self.next_number - 1}"


@dataclass(slots=True)
class Recovered:
    """The result of loading. ``next_seq`` is the number of the next record, ``end`` the last segment's true end."""

    next_seq: int = 1
    end: int = 0
    records: int = 0
    base_bytes: int = 0
    torn: Torn | None = None


class Directory:
    """A data directory whose lock this process holds. Raises DirectoryTaken, OSError."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.lock = os.open(self.at("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.lock)
            raise DirectoryTaken(f"{path} is used by another server") from None

    def at(self, name: str) -> str:
        """The path of a file in the directory."""
        return os.path.join(self.path, name)

    def close(self) -> None:
        """Release the directory's lock."""
        os.close(self.lock)

    @contextmanager
    def open(self, name: str) -> Iterator[int]:
        """A file that the manifest names, to be read. Raises Damaged if it is missing, OSError."""
        try:
            fd = os.open(self.at(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Damaged(self.at(name), 0, "the file is missing, and the manifest names it") from None
        try:
            yield fd
        finally:
            os.close(fd)

    def read(self, name: str) -> bytes:
        """The whole of a file that the manifest names. Raises Damaged if it is missing, OSError."""
        with self.open(name) as fd:
            content = FileContent(fd)
            return content[: len(content)]

    def size(self, name: str) -> int:
        """The size of a file that the manifest names, in bytes. Raises Damaged if it is missing, OSError."""
        with self.open(name) as fd:
            return os.fstat(fd).st_size

    # ------------------------------------------------------------ manifest

    def read_manifest(self) -> Manifest | None:
        """The manifest; None in a fresh directory. Raises Damaged."""
        path = self.at("manifest")
        if not os.path.exists(path):
            # A first start that ended before it wrote the manifest leaves a segment without records.
            held = [
                name
                for name in sorted(os.listdir(self.path))
                if re.fullmatch(r"(base|log)\.[0-9]+", name)
                and (name.startswith("base") or os.path.getsize(self.at(name)) > HEADER_BYTES)
            ]
            if held:
                raise Damaged(path, 0, f"the file is missing, and there is {held[0]}")
            return None
        with open(path, "rb") as file:
            text, _, crc = file.read().rpartition(b"\n#")
        if not text or crc != b"%08x\n" % google_crc32c.value(text):
            raise Damaged(path, 0, "its checksum is wrong")
        told = json.loads(text)
        return Manifest(bytes.fromhex(told["data_set"]), told["base"], told["segments"], told["next_number"])

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest atomically: after a crash there is either the old or the new one.

        Raises OSError if the old one is still in place, NameNotDurable if the new one is.
        """
        told = {
            "data_set": manifest.data_set.hex(),
            "base": manifest.base,
            "segments": manifest.segments,
            "next_number": manifest.next_number,
        }
        text = json.dumps(told, indent=1).encode()
        self.write_file("manifest.new", text + b"\n#%08x\n" % google_crc32c.value(text))
        os.replace(self.at("manifest.new"), self.at("manifest"))
        try:
            self.sync()
        except OSError as error:
            raise NameNotDurable(error.errno, error.strerror) from error

    def write_file(self, name: str, data: bytes) -> None:
        """Write a small file and make it durable. Raises OSError."""
        with open(os.open(self.at(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def remove(self, name: str) -> None:
        """Remove a file, if it exists. Raises OSError."""
        with suppress(FileNotFoundError):
            os.unlink(self.at(name))

    def sync(self) -> None:
        """Make created, renamed and removed names durable. Raises OSError."""
        sync_folder(self.path)

    def remove_leftovers(self, manifest: Manifest) -> None:
        """Remove our files that the manifest does not name."""
        kept = {manifest.base, *manifest.segments}
        for name in os.listdir(self.path):
            if _OURS.fullmatch(name) and name not in kept:
                os.unlink(self.at(name))

    # ------------------------------------------------------------ segments

    def make_segment(self, manifest: Manifest, first_seq: int) -> tuple[str, int]:
        """Create an empty segment that no manifest names yet; returns its name and its file. Raises OSError."""
        name = manifest.new_name("log")
        try:
            self.write_file(name, header(LOG, manifest.data_set, first_seq))
            return name, os.open(self.at(name), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            self.remove(name)
            raise

    def new_segment(self, manifest: Manifest, first_seq: int) -> tuple[str, int, NameNotDurable | None]:
        """Create an empty segment and write a manifest that names it.

        Returns its name, its file, and the error if a power failure may undo it. Raises OSError if nothing has changed.
        """
        changed = Manifest(manifest.data_set, manifest.base, list(manifest.segments), manifest.next_number)
        name, fd = self.make_segment(changed, first_seq)
        changed.segments.append(name)
        unsure = None
        try:
            self.write_manifest(changed)
        except NameNotDurable as error:
            unsure = error
        except OSError:
            os.close(fd)
            self.remove(name)
            raise
        manifest.segments, manifest.next_number = changed.segments, changed.next_number
        return name, fd, unsure


class Recovery:
    """Loads the files of a directory into an empty store, in steps; makes the first files of a fresh one.

    Changes no file that contains data: a torn tail is reported, and cut by the caller. Nothing expires and no
    listener of the change feed is notified meanwhile. ``loaded_bytes`` of ``total_bytes`` have been read so far.
    """

    def __init__(self, directory: Directory, store: Store) -> None:
        """Read the manifest. Raises Damaged, OSError."""
        self.directory = directory
        self.store = store
        self.found = Recovered()
        self.manifest = directory.read_manifest() or self._begin()
        if not self.manifest.segments:
            raise Damaged(directory.at("manifest"), 0, "it names no segment")
        self.total_bytes = sum(map(directory.size, self._names()))
        self.loaded_bytes = 0
        self.began_s = time.time()
        self._steps = self._replay()

    def _begin(self) -> Manifest:
        manifest = Manifest(secrets.token_bytes(16))
        _, fd, unsure = self.directory.new_segment(manifest, 1)
        os.close(fd)
        if unsure is not None:
            raise unsure
        return manifest

    def _names(self) -> list[str]:
        return [*filter(None, (self.manifest.base,)), *self.manifest.segments]

    def go_on(self, budget_s: float) -> bool:
        """Do a slice of the work: a few milliseconds, more only for one huge value; True once all is done.

        Raises Damaged, OSError.
        """
        store = self.store
        feed = store.feed
        listeners, wanted = feed.listeners, feed.wanted
        feed.listeners, feed.wanted = [], frozenset()
        store.clock.now_ms = 0  # nothing expires during replay
        deadline = time.perf_counter() + budget_s
        try:
            done = all(time.perf_counter() <= deadline for _ in self._steps)
        finally:
            store.clock.tick()
            feed.listeners, feed.wanted = listeners, wanted
        if done:
            for keyspace in store.keyspaces():
                keyspace.access.begin(len(keyspace), store.clock.now_ms)
        return done

    @property
    def share(self) -> float:
        """The share that has been loaded, 0 to 1."""
        return self.loaded_bytes / self.total_bytes if self.total_bytes else 1.0

    def left_s(self) -> float:
        """Estimated seconds for the rest, at the speed so far."""
        share = self.share
        return (time.time() - self.began_s) * (1 - share) / share if share else 0.0

    def finish(self) -> None:
        """Do all remaining work. Raises Damaged, OSError."""
        while not self.go_on(60.0):
            pass

    def _replay(self) -> Iterator[None]:
        """Replay the records of all files, long ones in several steps."""
        manifest = self.manifest
        read_bytes = 0
        for name in self._names():
            is_base = name == manifest.base
            with self.directory.open(name) as fd:
                file = RecordFile(
                    self.directory.at(name), FileContent(fd), SNAPSHOT if is_base else LOG, manifest.data_set
                )
                for _ in self._base(file) if is_base else self._segment(file):
                    self.loaded_bytes = read_bytes + file.end
                    yield
                read_bytes += len(file.data)
        self.loaded_bytes = read_bytes

    def _segment(self, segment: RecordFile) -> Iterator[None]:
        found = self.found
        if segment.first_seq != found.next_seq:
            reason = f"it begins with record {segment.first_seq}, and {found.next_seq} has to follow"
            raise Damaged(segment.path, 0, reason)
        is_last = segment.path == self.directory.at(self.manifest.segments[-1])
        for each in segment.records_in_steps(open_ended=is_last):
            if each is None:
                yield
                continue
            yield from _redo(self.store, segment, each)
            found.records += 1
            found.next_seq = each.seq + 1
            yield
        found.end, found.torn = segment.end, segment.torn

    def _base(self, base: RecordFile) -> Iterator[None]:
        ended = False
        for each in base.records_in_steps(open_ended=False):
            if each is None:
                yield
                continue
            if ended:
                raise Damaged(base.path, each.end, "records follow the last one")
            if each.kind == CHANGES:
                yield from _redo(self.store, base, each)
                continue
            ended = True
            told = json.loads(each.payload)
            keys = sum(map(len, self.store.keyspaces()))
            if told["keys"] != keys:
                raise Damaged(base.path, each.end, f"it holds {keys} keys instead of {told['keys']}")
            self.found.next_seq = int(told["next_seq"])
        if not ended:
            raise Damaged(base.path, len(base.data), "the end is missing")
        self.found.base_bytes = len(base.data)


def _redo(store: Store, file: RecordFile, each: Record) -> Iterator[None]:
    try:
        yield from redo_in_steps(store, each.payload)
    except Unplayable as error:
        raise Damaged(file.path, each.end, f"the record that ends here cannot be replayed: {error}") from error


# ---------------------------------------------------------------- snapshots


def write_snapshot(path: str, store: Store, data_set: bytes, next_seq: int) -> int:
    """Write all stored data to a new file and make it durable; returns its size. Raises OSError.

    ``next_seq`` is the number of the first record of the log that the snapshot does not contain.
    """
    size = 0
    pack = packer().pack
    # A child that has outlived its server may use the same name: each needs its own file.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        size += file.write(header(SNAPSHOT, data_set, 1))
        seq, keys = 1, 0
        chunk: list[bytes] = []
        room = _CHUNK_BYTES
        for session in store.sessions.by_token.values():
            chunk.append(pack(list(session_operation(session))))
        chunk += [pack(["library", name, code]) for name, code in store.libraries.code.items()]
        for place, keyspace in _places(store):
            deadlines = keyspace.deadlines
            for key, value in keyspace.data.items():
                packed = put_operation(pack, place, key, value, deadlines.get(key))
                packed_bytes = sum(map(len, packed))
                if chunk and packed_bytes > room:
                    size += sum(map(file.write, record_pieces(CHANGES, seq, chunk)))
                    chunk, room, seq = [], _CHUNK_BYTES, seq + 1
                chunk += packed
                room -= packed_bytes
                keys += 1
        if chunk:
            size += sum(map(file.write, record_pieces(CHANGES, seq, chunk)))
            seq += 1
        size += file.write(record(END, seq, json.dumps({"keys": keys, "next_seq": next_seq}).encode()))
        file.flush()
        os.fsync(file.fileno())
    return size


def _places(store: Store) -> list[tuple[int, Keyspace]]:
    databases = [(keyspace.index, keyspace) for keyspace in store.databases]
    return databases + [(session.token, session.keyspace) for session in store.sessions.by_token.values()]
