"""The log as the server writes it: collects the reports of the change feed, writes, syncs, and rewrites.

``commit`` is called before replies leave the server, so a record holds everything that changed since
the last replies did: a command, a transaction or a JSON request is never divided between two records.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from januskv.storage.event_table import EVENTS, Logged
from januskv.storage.keyspace import Keyspace
from januskv.storage.sessions import Session
from januskv.storage.store import Store

from . import records
from .changes import Changes
from .children import Child
from .codec import effects, packer
from .generations import Directory, Manifest, NameNotDurable, Recovered, Recovery, write_snapshot
from .records import CHANGES, HEADER_BYTES, PART, Damaged, record_pieces
from .replay import put_operation, session_operation

log = logging.getLogger("januskv")

# Appending to allocated space makes fdatasync cheaper: it need not write the file's size.
_AHEAD_BYTES = 4 << 20
# Pending writes are joined to pieces of up to this size; bigger ones are written unjoined.
_JOINED_BYTES = 1 << 20
# A packer that has packed more than this is replaced, because it keeps a buffer of twice the size.
_MOST_KEPT_BYTES = 16 << 20


class Journal:
    """The open log of a store. ``fault`` says why writes must be rejected; "" if they need not be.

    ``seq`` is the last record, ``written_seq`` the last one in the file, ``synced_seq`` the last one that
    a power failure cannot take. With ``logging`` False only snapshots are written: the segment that follows one stays empty.

    A change that cannot become a record is *lost*: it is in memory, but never in the log. Later changes
    may build on it, so nothing more is written to the segment. The changes after the next snapshot has begun are written
    to a segment that counts with the snapshot only; ``fault`` is set until then.
    """

    def __init__(
        self, directory: Directory, manifest: Manifest, found: Recovered, store: Store, *, logging: bool = True
    ) -> None:
        self.directory = directory
        self.manifest = manifest
        self.store = store
        self.seq = self.written_seq = self.synced_seq = found.next_seq - 1
        self.base_bytes = found.base_bytes
        self.pack = packer().pack
        self.effects = effects()
        self.tokens: dict[int, int] = {}  # id of a session's keyspace -> token
        part_bytes = min(records.PART_BYTES, records.MOST_PAYLOAD_BYTES)
        self.pending = Changes(self.change, self.effects, self.tokens, part_bytes)
        self.on_change = self.pending.on_change  # what the feed calls
        self.unwritten: list[bytes] = []  # pieces of records that did not fit on a full disk
        self.behind = False  # there are changes that are not in the file
        self.lost = False  # there are changes that no segment will contain
        self.lost_now = False  # since the segment began
        self.fault = ""
        self.sync_failed = False  # nothing in the segments counts as durable until there is a new base
        self.segment = manifest.segments[-1]
        self.named = True  # the manifest names the segment; otherwise it will once a snapshot is complete
        self.fd = os.open(directory.at(self.segment), os.O_RDWR | os.O_CLOEXEC)
        self.end = found.end
        os.ftruncate(self.fd, self.end)
        os.fsync(self.fd)
        self.allocated = self.end
        self.earlier_bytes = sum(os.path.getsize(directory.at(name)) for name in manifest.segments[:-1])
        self.child: Child | None = None
        self.snapshot_seconds = -1
        self.snapshot_failed = False
        self.snapshots = 0
        self.new_base = ""
        self.sessions: dict[int, tuple[Any, ...]] = {}  # token -> what the log knows of the session
        self.logging = False
        if logging:
            self.listen()

    def listen(self) -> None:
        """Collect all changes from now on."""
        self.tokens.clear()
        self.sessions.clear()
        for session in self.store.sessions.by_token.values():
            self.tokens[id(session.keyspace)] = session.token
            self.sessions[session.token] = session_operation(session)
        self.logging = True
        self.store.feed.subscribe(self.on_change)

    def start_logging(self) -> None:
        """Log all changes from now on. They count once the snapshot that begins here is complete. Raises OSError."""
        self.end_child()
        self.save_in_child()
        self.listen()

    def stop_logging(self) -> None:
        """Write and sync pending changes, and stop logging."""
        self.end_child()
        self.store.feed.unsubscribe(self.on_change)
        self.note_renewals()
        self.sync_now()
        self.logging = False

    # ------------------------------------------------------------ collecting

    def change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Take a change of any kind. One that cannot be encoded is lost."""
        try:
            declared = EVENTS.get(event)
            logged = Logged.VALUE if declared is None else declared.logged
            whole = _WHOLE.get(logged)
            if whole is not None:
                whole(self, keyspace, detail)
            elif logged not in _UNLOGGED:
                self.key_changed(keyspace, logged, key, detail)
        except Exception as error:
            self.lose(error, f"the change {event!r} of {key[:64]!r}")

    def key_changed(self, keyspace: Keyspace, logged: Logged, key: bytes, detail: tuple[object, ...]) -> None:
        """Note one key's change: as an effect if it has one, else as the key's new value."""
        place = keyspace.index
        if place < 0:
            place = self.tokens[id(keyspace)]
        value = keyspace.data.get(key)
        operation: list[object]
        if logged is Logged.RENAME:
            operation = ["rename", place, key, detail[0]]
        elif logged is Logged.COPY and value is not None:
            source: Any = detail[1]
            operation = ["copy", self.place(source), detail[0], place, key]
        elif value is None:
            operation = ["del", place, key]
        elif logged is Logged.DEADLINE:
            operation = ["deadline", place, key, keyspace.deadlines.get(key)]
        elif detail and type(detail[0]) is str and detail[0] in self.effects:
            operation = ["do", place, key, *detail]
        else:
            self.add(*put_operation(self.pack, place, key, value, keyspace.deadlines.get(key)))
            return
        self.add(self.pack(operation))

    def add(self, *operation: bytes) -> None:
        """Collect an operation, given in pieces."""
        if sum(map(len, operation)) > _MOST_KEPT_BYTES:
            self.pack = packer().pack
        self.pending.append(*operation)

    def place(self, keyspace: Keyspace) -> int:
        """The number of a database, the token of a session."""
        return keyspace.index if keyspace.index >= 0 else self.tokens[id(keyspace)]

    def cleared(self, keyspace: Keyspace, detail: tuple[object, ...]) -> None:
        self.add(self.pack(["flush", self.place(keyspace)]))

    def swapped(self, keyspace: Keyspace, detail: tuple[Any, ...]) -> None:
        first, second = self.place(keyspace), self.place(detail[0])
        if first < second:  # both report the exchange
            self.add(self.pack(["swap", first, second]))

    def session_opened(self, keyspace: Keyspace, detail: tuple[Any, ...]) -> None:
        session: Session = detail[0]
        self.tokens[id(keyspace)] = session.token
        self.note_session(session)

    def note_session(self, session: Session) -> None:
        operation = session_operation(session)
        self.sessions[session.token] = operation
        self.add(self.pack(list(operation)))

    def session_ended(self, keyspace: Keyspace, detail: tuple[Any, ...]) -> None:
        session: Session = detail[0]
        self.tokens.pop(id(keyspace), None)
        self.sessions.pop(session.token, None)
        self.add(self.pack(["end", session.token]))

    def library_changed(self, keyspace: Keyspace, detail: tuple[Any, ...]) -> None:
        self.add(self.pack(["library", *detail]))

    def note_renewals(self, most: int = sys.maxsize) -> bool:
        """Note up to ``most`` sessions whose time was restarted; return whether there are more.

        Call it about once a second, and sooner while it returns True. It costs O(renewed sessions).
        """
        if not self.logging:
            return False
        sessions = self.store.sessions
        sessions.note_renewed()
        for session in sessions.take_renewed(most):
            if session.duration_s and session_operation(session) != self.sessions.get(session.token):
                self.note_session(session)
        return bool(sessions.to_note)

    # ------------------------------------------------------------ writing

    def commit(self) -> None:
        """Write the collected changes, which count as a whole or not at all.

        Raises nothing: failed writes are retried at the next commit, changes that cannot become a record are lost.
        """
        if self.lost_now:
            self.pending.clear()
            return
        if self.pending:
            self.number()
        if self.unwritten:
            self.write_out()

    def number(self) -> None:
        """Make records of the collected changes: one, or several parts."""
        try:
            parts = self.pending.take()
            seq = self.seq + len(parts)
            pieces = record_pieces(CHANGES, seq, parts.pop())
            if parts:
                numbered = enumerate(parts, self.seq + 1)
                pieces = [piece for at, part in numbered for piece in record_pieces(PART, at, part)] + pieces
            self.unwritten = self.unwritten + pieces if self.unwritten else pieces
            self.seq = seq
        except Exception as error:
            self.lose(error, "changes")

    def lose(self, error: Exception, what: str) -> None:
        """Note that a change is missing in the log: nothing more is written to it before the next snapshot."""
        self.behind = self.lost = self.lost_now = True
        self.pending.clear()
        self.unwritten.clear()
        self.seq = self.written_seq
        self.fault = f"a change could not be logged ({error or type(error).__name__})"
        log.error("cannot log %s", what, exc_info=error)
        self.end_child()  # the snapshot that is being written lacks it

    def write_out(self) -> None:
        """Write the pending records; on an error the file ends with the last complete one."""
        pieces = self.unwritten
        size = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        at = self.end
        try:
            if at + size > self.allocated:
                self.allocate(size)
            for data in pieces if len(pieces) == 1 else _joined(pieces):
                done = os.pwrite(self.fd, data, at)
                while done < len(data):
                    done += os.pwrite(self.fd, memoryview(data)[done:], at + done)
                at += done
        except Exception as error:
            self.behind = True
            self.cut()
            reason = str(error) or type(error).__name__
            if isinstance(error, OSError):
                reason = error.strerror or reason
            if not self.fault:
                log.error("cannot write the log: %s", reason)
            self.fault = reason
            return
        self.end += size
        self.written_seq = self.seq
        self.unwritten = []
        self.behind = False
        if self.fault and not self.sync_failed and not self.lost:
            log.warning("the log is writable again")
            self.fault = ""

    def allocate(self, size: int) -> None:
        """Allocate this many more bytes, and some extra if the disk has them."""
        ahead = max(size, _AHEAD_BYTES)
        try:
            os.posix_fallocate(self.fd, self.end, ahead)
        except OSError:  # the space may still suffice for the data
            os.ftruncate(self.fd, self.end)
            self.allocated = self.end
        else:
            self.allocated = self.end + ahead

    def cut(self) -> None:
        """Cut everything after the last complete record."""
        try:
            os.ftruncate(self.fd, self.end)
        except OSError as error:
            log.error("cannot cut the log: %s", error.strerror)
        self.allocated = self.end

    # ------------------------------------------------------------ syncing

    @property
    def durable(self) -> bool:
        """Whether all collected changes would survive a power failure."""
        return self.synced_seq >= self.seq and not self.pending and not self.needs_base

    @property
    def needs_base(self) -> bool:
        """Whether the segments lack acknowledged changes, which only a snapshot can make durable."""
        return self.sync_failed or self.lost

    def sync(self, fd: int) -> OSError | None:
        """Make what was written durable. The only method that may run in another thread."""
        try:
            os.fdatasync(fd)
        except OSError as error:
            return error
        return None

    def synced(self, seq: int, error: OSError | None) -> None:
        """Take the result of a sync that covers the records up to a number. A failed one is not retried."""
        if error is not None:
            log.error("the log could not be made durable: %s", error.strerror)
            self.fault = f"sync failed: {error.strerror}"
            self.sync_failed = True
            self.end_child()  # its snapshot would count together with what was not synced
        elif not self.sync_failed:
            self.synced_seq = max(self.synced_seq, seq)

    def sync_now(self) -> None:
        """Write everything and make it durable."""
        self.commit()
        if self.synced_seq < self.written_seq and not self.sync_failed:
            self.synced(self.written_seq, self.sync(self.fd))

    def close(self) -> None:
        """Write and sync everything; the file is cut to its true length."""
        if self.logging and (self.lost or not self.named):  # some changes are not in any segment that counts
            self.end_child()
            self.save()
        self.stop_logging()
        os.ftruncate(self.fd, self.end)
        os.fsync(self.fd)
        os.close(self.fd)
        self.directory.close()

    # ------------------------------------------------------------ starting from scratch

    @property
    def log_bytes(self) -> int:
        """Size of all segments."""
        return self.earlier_bytes + self.end

    def begin_segment(self) -> None:
        """End the current segment and begin another one. Raises OSError; the old one stays in use then."""
        self.commit()
        if self.unwritten and not self.sync_failed:
            raise OSError(28, self.fault)
        if not self.sync_failed:
            os.ftruncate(self.fd, self.end)
            self.allocated = self.end
            try:
                os.fsync(self.fd)
            except OSError as error:
                self.synced(self.seq, error)
                raise
            self.synced_seq = self.seq
        if self.end == HEADER_BYTES and self.as_good_as_new:
            self.lost_now = False
            return  # failed attempts must not accumulate empty files
        if self.logging and self.named and not self.lost:
            name, fd, unsure = self.directory.new_segment(self.manifest, self.seq + 1)
            if unsure is not None:
                self.sync_failed = True
                self.fault = f"sync of the directory failed: {unsure.strerror}"
        else:  # changes before it are not in any segment: it counts with the snapshot only
            name, fd = self.directory.make_segment(self.manifest, self.seq + 1)
            if not self.named:
                os.unlink(self.directory.at(self.segment))
            self.named = False
        os.close(self.fd)
        self.earlier_bytes += self.end
        self.segment, self.fd, self.end = name, fd, HEADER_BYTES
        self.allocated = self.end
        self.unwritten = []  # only after a failed sync: the new base has their changes
        self.written_seq = self.seq
        self.lost_now = False

    @property
    def as_good_as_new(self) -> bool:
        """Whether the segment, if empty, can stay in use with the next snapshot."""
        if self.sync_failed:
            return False
        return not self.named or (self.logging and not self.lost)

    def save(self) -> None:
        """Write a snapshot while nothing else runs. Raises OSError, or any other error of the writing."""
        started = time.monotonic()
        name = ""
        try:
            self.begin_segment()
            name = self.manifest.new_name("base")
            write_snapshot(self.directory.at(f"{name}.new"), self.store, self.manifest.data_set, self.seq + 1)
            self.adopt(name)
        except Exception:
            self.snapshot_failed = True
            if name:
                self.drop(f"{name}.new")
            raise
        self.snapshot_seconds = round(time.monotonic() - started)

    def save_in_child(self) -> None:
        """Begin a snapshot in a forked process; ``poll_child`` takes it over. Raises OSError."""
        self.begin_segment()
        name = self.manifest.new_name("base")
        path, data_set, next_seq = self.directory.at(f"{name}.new"), self.manifest.data_set, self.seq + 1
        self.child = Child(lambda: write_snapshot(path, self.store, data_set, next_seq))
        self.new_base = name

    def poll_child(self, wait: bool = False) -> bool:
        """Take over a snapshot whose process has ended; True if that has just happened."""
        if self.child is None or not self.child.poll(wait=wait):
            return False
        child, self.child = self.child, None
        self.snapshot_seconds = round(child.seconds)
        self.snapshot_failed = bool(child.error)
        if child.error:
            log.error("the process that wrote the snapshot has failed: %s", child.error)
            self.drop(f"{self.new_base}.new")
            return False
        try:
            self.adopt(self.new_base)
        except OSError as error:
            self.snapshot_failed = True
            log.error("the finished snapshot cannot become the base: %s", error.strerror)
            self.drop(f"{self.new_base}.new")
            return False
        return True

    def adopt(self, name: str) -> None:
        """Make a finished snapshot the base, with only the newest segment. Raises OSError."""
        path = self.directory.at(name)
        os.replace(f"{path}.new", path)
        self.directory.sync()
        old = self.manifest
        changed = Manifest(old.data_set, name, [self.segment], old.next_number)
        try:
            self.directory.write_manifest(changed)
        except NameNotDurable as error:  # the old files stay, so that both manifests are valid
            self.manifest, self.named = changed, True
            self.sync_failed = True
            self.fault = f"sync of the directory failed: {error.strerror}"
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # certainly nothing has been replaced
                self.drop(name)
            raise
        self.manifest, self.named = changed, True
        self.base_bytes = os.path.getsize(path)
        self.earlier_bytes = 0
        self.snapshot_failed = False
        self.snapshots += 1
        self.directory.remove_leftovers(changed)
        if self.needs_base:
            self.sync_failed = self.lost = self.lost_now = False
            self.fault = ""
            self.behind = bool(self.unwritten)
            self.synced_seq = 0  # nothing of the new segment has been synced yet

    def end_child(self) -> None:
        """Stop a snapshot that is being written."""
        if self.child is not None:
            self.child.kill()
            self.child = None
            self.drop(f"{self.new_base}.new")

    def drop(self, name: str) -> None:
        """Remove an unfinished file: the log may need its space."""
        try:
            self.directory.remove(name)
        except OSError as error:
            log.error("cannot remove %s: %s", name, error.strerror)


def _joined(pieces: list[bytes]) -> Iterator[bytes]:
    """Pieces in order, small ones joined."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > _JOINED_BYTES and small:
            yield b"".join(small)
            small, size = [], 0
        if len(piece) > _JOINED_BYTES:
            yield piece
        else:
            small.append(piece)
            size += len(piece)
    if small:
        yield b"".join(small)


Whole = Callable[[Journal, Keyspace, tuple[Any, ...]], None]

# Events of whole keyspaces, and events that are not logged.
_WHOLE: dict[Logged, Whole] = {
    Logged.FLUSH: Journal.cleared,
    Logged.SWAP: Journal.swapped,
    Logged.SESSION: Journal.session_opened,
    Logged.END: Journal.session_ended,
    Logged.LIBRARY: Journal.library_changed,
}
_UNLOGGED = frozenset((Logged.NOTHING, Logged.RENAMED))


class Opening:
    """A data directory that is being loaded into an empty store. Raises Damaged, DirectoryTaken, OSError."""

    def __init__(self, path: str, store: Store, *, cut_torn_tail: bool) -> None:
        self.store = store
        self.cut_torn_tail = cut_torn_tail
        self.directory = Directory(path)
        try:
            self.recovery = Recovery(self.directory, store)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Stop loading, leaving the directory unchanged."""
        self.directory.close()

    def journal(self, *, logging: bool = True) -> Journal:
        """The journal that continues where the loaded files end.

        Raises Damaged for a torn tail that may not be cut, OSError.
        """
        found, manifest = self.recovery.found, self.recovery.manifest
        if found.torn is not None:
            segment = self.directory.at(manifest.segments[-1])
            if not self.cut_torn_tail:
                raise Damaged(segment, found.torn.offset, f"{found.torn.reason} at the end; log-load-truncated is no")
            log.warning(
                "%s: %s at the end, %d bytes cut at offset %d",
                segment,
                found.torn.reason,
                found.torn.bytes_lost,
                found.torn.offset,
            )
        self.directory.remove_leftovers(manifest)
        return Journal(self.directory, manifest, found, self.store, logging=logging)


def open_journal(path: str, store: Store, *, cut_torn_tail: bool, logging: bool = True) -> Journal:
    """Load a data directory into an empty store in one go, and continue writing to it.

    Raises Damaged (also for a torn tail that may not be cut), DirectoryTaken, OSError.
    """
    opening = Opening(path, store, cut_torn_tail=cut_torn_tail)
    try:
        opening.recovery.finish()
        return opening.journal(logging=logging)
    except BaseException:
        opening.abandon()
        raise


class HoldsData(Exception):
    """A directory that must be empty holds the data of another run."""


# Reading a directory without data takes less.
_EMPTY_LOAD_S = 0.1


def begin_journal(path: str, store: Store) -> Journal:
    """The journal of a store already in use, in a directory without data; it logs nothing yet.

    Raises HoldsData, Damaged, DirectoryTaken, OSError.
    """
    scratch = Store(len(store.databases))
    opening = Opening(path, scratch, cut_torn_tail=False)
    recovery = opening.recovery
    try:
        if recovery.manifest.base or not recovery.go_on(_EMPTY_LOAD_S) or recovery.found.records:
            raise HoldsData(f"{path} holds the data of another run, which is not loaded")
        opening.store = store
        return opening.journal(logging=False)
    except BaseException:
        opening.abandon()
        raise
