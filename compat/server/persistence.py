"""When the log is written, synced and rewritten, when snapshots begin, and which replies wait for that.

Replies pass the gate (``send``) at the end of a loop's round: by then the changes they confirm are in the log's file,
which survives the end of the process. A connection whose changes could not be written gets errors in place of its
replies. Under ``appendfsync always`` replies also wait for the sync that covers their changes; while one runs in a
thread, the changes and replies of later rounds gather for the next.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from januskv.storage.durability.generations import DirectoryTaken
from januskv.storage.durability.journal import HoldsData, Journal, begin_journal
from januskv.storage.durability.records import Damaged

from .core import Core
from .faults import RespError
from .logs import NOTICE
from .parameters import ConfigError

log = logging.getLogger("januskv")

# Renewed sessions noted at a time: about 1 ms.
_RENEWALS = 500
# A sync that is due while the one before has run for this long counts as delayed.
_DELAYED_S = 2.0
# After a failed snapshot none begins automatically before this time has passed.
_RETRY_S = 5.0

_UNCONFIRMED = "MISCONF Errors writing to the AOF file: {}; this was done, but a restart may undo it"
_SNAPSHOT_FAULT = (
    "JanusKV is configured to save snapshots, but the last one failed. Commands that change data are refused"
    " (stop-writes-on-bgsave-error); the server's log says why."
)

CallSoon = Callable[..., object]


class Persistence:
    """The policies around a journal. ``call_soon`` runs a function in the loop's thread; None: syncs run in place.

    Without ``appendonly`` the journal takes no changes, and only snapshots are written.
    """

    def __init__(self, core: Core, journal: Journal, call_soon: CallSoon | None = None) -> None:
        self.core = core
        self.journal = journal
        self.feed = core.store.feed
        self.call_soon = call_soon
        self.always = False
        self.held: deque[tuple[int, Any, bytes, bool]] = deque()  # record, connection, replies, whether the last ones
        self.syncing: Future[None] | None = None
        self.confirmed = self.failed = core.store.feed.changes  # changes between these two numbers are not in the log
        self.sync_started = 0.0
        self.synced_at = self.renewed_at = self.saved_at = time.monotonic()
        self.next_attempt = 0.0
        self.delayed_syncs = 0
        self.scheduled = False  # a requested snapshot could not begin immediately
        self.saved_ms = core.started_ms
        self.saved_elements = self.begun_elements = core.store.feed.elements
        self.keys_loaded = sum(map(len, core.store.keyspaces()))
        self.threads = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self.end_process: Callable[[int], Any] = os._exit

    def config_changed(self) -> None:
        """Apply the policy of the configuration."""
        config = self.core.config
        self.always = self.journal.logging and config.appendfsync == "always"
        self.note_fault()

    # ------------------------------------------------------------ the gate

    def send(self, connection: Any, data: bytes, last: bool) -> None:
        """Send a connection's replies, or hold them until the log has what they confirm."""
        journal = self.journal
        if journal.pending:
            self.commit()
        if journal.behind and self.denies(connection, data):
            return
        if self.held or (self.always and not journal.durable):
            self.held.append((journal.seq, connection, data, last))
            self.start_sync()
        else:
            connection.deliver(data, last)

    def commit(self) -> None:
        """Write the changes; an error makes the server reject writes until it is resolved."""
        self.journal.commit()
        self.note_fault()

    def denies(self, connection: Any, data: bytes) -> bool:
        """Whether replies confirm changes missing in the log; the connection gets errors instead.

        Changes while the server rejects writes (expired keys) were not made by a client.
        """
        if self.confirmed == self.failed:
            self.note_fault()
        if not self.confirmed < connection.changed <= self.failed:
            return False
        connection.changed = 0
        connection.deny(data, _UNCONFIRMED.format(self.journal.fault))
        return True

    def note_fault(self) -> None:
        """Note what is in the log, and tell the server whether writes have to be rejected."""
        journal = self.journal
        if not journal.behind:
            self.confirmed = self.failed = self.feed.changes
        elif self.confirmed == self.failed:
            self.failed = self.feed.changes
        fault = journal.fault
        if fault and self.always:
            # The data has changed already and cannot be confirmed: only a start from the log brings the two together.
            log.error("appendfsync is always and the log cannot be written, exiting: %s", fault)
            self.end_process(1)
        config = self.core.config
        if fault:
            fault = f"Errors writing to the AOF file: {fault}"
        elif journal.snapshot_failed and config.save and config.stop_writes_on_bgsave_error:
            fault = _SNAPSHOT_FAULT
        if fault != self.core.state.write_fault:
            self.core.state.set_write_fault(fault)

    def start_sync(self) -> None:
        """Sync what has been written, in a thread, unless one runs."""
        if self.syncing is not None:
            return
        journal = self.journal
        seq, fd = journal.written_seq, journal.fd
        if self.call_soon is None:
            self.sync_done(seq, journal.sync(fd))
            return
        self.sync_started = time.monotonic()
        self.syncing = self.threads.submit(self.sync_in_thread, seq, fd)

    def sync_in_thread(self, seq: int, fd: int) -> None:
        error = self.journal.sync(fd)
        assert self.call_soon is not None
        self.call_soon(self.sync_done, seq, error)

    def sync_done(self, seq: int, error: OSError | None) -> None:
        """Release the replies that a sync covers, and begin the next one for those that came meanwhile."""
        self.syncing = None
        self.synced_at = time.monotonic()
        self.journal.synced(seq, error)
        self.note_fault()
        held, synced_seq = self.held, self.journal.synced_seq
        while held and (held[0][0] <= synced_seq or not self.always):
            _, connection, data, last = held.popleft()
            connection.deliver(data, last)
        if held and not self.journal.fault:
            self.start_sync()

    def wait_for_sync(self) -> None:
        """Wait for a running sync, so that its file may be closed."""
        if self.syncing is not None:
            self.syncing.exception()

    # ------------------------------------------------------------ periodic tasks

    def run_cron(self) -> bool:
        """Write changes of expiry, sync once a second, manage snapshots; True if there is more to do right now.

        Call it ten times a second, or sooner while it returns True.
        """
        journal = self.journal
        now = time.monotonic()
        more = False
        if now - self.renewed_at >= 1:
            more = journal.note_renewals(_RENEWALS)
            if not more:
                self.renewed_at = now
        if journal.pending or journal.behind:
            self.commit()
        policy = self.core.config.appendfsync
        unsynced = journal.synced_seq < journal.written_seq and not journal.sync_failed
        if policy != "no" and now - self.synced_at >= 1 and unsynced:
            if self.syncing is not None and now - self.sync_started > _DELAYED_S:
                self.delayed_syncs += 1
            self.start_sync()
        if journal.poll_child():
            self.saved()
        self.note_fault()
        if not journal.child and (self.scheduled or (now >= self.next_attempt and self.snapshot_is_due(now))):
            self.scheduled = False
            self.next_attempt = now + _RETRY_S
            try:
                self.begin_snapshot()
            except OSError as error:
                log.error("cannot begin a snapshot: %s", error.strerror)
        return more

    def snapshot_is_due(self, now: float) -> bool:
        """Whether the log counts from the next snapshot only, is long, or a save point has been reached."""
        config, journal = self.core.config, self.journal
        if journal.needs_base or (journal.logging and not journal.named):
            return True
        if journal.logging:
            percentage, size = config.auto_aof_rewrite_percentage, journal.log_bytes
            least = max(config.auto_aof_rewrite_min_size, journal.base_bytes * percentage // 100)
            if percentage and size >= least:
                return True
        changes, waited_s = self.changes_since_save, now - self.saved_at
        return any(waited_s > seconds and changes >= count for seconds, count in config.save)

    @property
    def changes_since_save(self) -> int:
        """How many elements have changed since the last snapshot."""
        return self.feed.elements - self.saved_elements

    # ------------------------------------------------------------ snapshots

    def begin_snapshot(self) -> None:
        """Begin a snapshot in a process of its own. Raises OSError."""
        self.wait_for_sync()
        self.begun_elements = self.core.store.feed.elements
        try:
            self.journal.save_in_child()
        except Exception:
            self.journal.snapshot_failed = True
            raise
        finally:
            self.note_fault()
        log.log(NOTICE, "a snapshot is being written in the background")

    def save_in_background(self, refusal: str, *, schedule: bool = False) -> bool:
        """Begin a snapshot for a client; False if it has to begin soon after its transaction. Raises RespError.

        With ``schedule`` it begins after the one that is being written, if there is one.
        """
        if self.journal.child and not schedule:
            raise RespError(f"ERR {refusal}")
        if (
            self.journal.child or self.core.store.feed.undivided
        ):  # the new segment would divide the transaction's record
            self.scheduled = True
            return False
        try:
            self.begin_snapshot()
        except OSError as error:
            log.error("cannot begin a snapshot: %s", error.strerror)
            raise RespError(f"ERR cannot begin a snapshot: {error.strerror}") from error
        return True

    def switch_log(self, on: bool) -> None:
        """Start or stop logging changes. Raises ConfigError."""
        journal = self.journal
        if on == journal.logging:
            return
        if self.core.store.feed.undivided:
            raise ConfigError("it would divide the transaction in the log")
        self.wait_for_sync()
        if on:
            self.begun_elements = self.core.store.feed.elements
            try:
                journal.start_logging()
            except OSError as error:
                raise ConfigError(f"cannot begin a snapshot: {error.strerror}") from error
        else:
            journal.stop_logging()
        log.warning("changes are %s", "logged once the snapshot that begins is complete" if on else "no longer logged")

    def begin_logging(self) -> None:
        """Write a first snapshot and log changes from then on. Raises ConfigError."""
        try:
            self.save()
        except RespError as error:
            raise ConfigError(error.text.removeprefix("ERR ")) from error
        self.journal.listen()
        log.warning("changes are logged")

    def save_at_end(self) -> None:
        """Write the snapshot that the end of the server needs, if there is no log. Raises RespError."""
        if self.core.config.save and not self.journal.logging:
            self.journal.end_child()
            self.save()

    def save(self) -> None:
        """Write a snapshot now, blocking the server. Raises RespError."""
        if self.journal.child:
            raise RespError("ERR Background save already in progress")
        self.wait_for_sync()
        self.begun_elements = self.core.store.feed.elements
        try:
            self.journal.save()
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) else str(error) or type(error).__name__
            log.error("cannot save: %s", reason, exc_info=not isinstance(error, OSError))
            raise RespError(f"ERR cannot save: {reason}") from error
        finally:
            self.note_fault()
        self.saved()

    def saved(self) -> None:
        """Note that there is a new snapshot."""
        self.saved_ms = self.core.store.clock.now_ms
        self.saved_elements = self.begun_elements
        self.saved_at = time.monotonic()
        self.note_fault()
        log.log(NOTICE, "a snapshot has been written, %d bytes", self.journal.base_bytes)

    def log_fields(self) -> dict[str, Any]:
        """The fields of INFO that Redis shows only with a log."""
        journal = self.journal
        if not journal.logging:
            return {}
        return {
            "aof_current_size": journal.base_bytes + journal.log_bytes,
            "aof_base_size": journal.base_bytes,
            "aof_pending_rewrite": int(self.scheduled),
            "aof_buffer_length": sum(map(len, journal.unwritten)),
            "aof_pending_bio_fsync": int(self.syncing is not None),
            "aof_delayed_fsync": self.delayed_syncs,
        }

    def close(self) -> None:
        """Write and sync everything, release the last replies and close the files. Raises OSError."""
        self.wait_for_sync()
        self.threads.shutdown()
        self.journal.close()
        for _, connection, data, last in self.held:
            if not self.journal.fault:
                connection.deliver(data, last)
        self.held.clear()
        if self.journal.fault:
            raise OSError(5, self.journal.fault)


def journal_in(core: Core) -> Journal:
    """A journal in 'dir' for a server that has not kept data so far. Raises ConfigError."""
    path = core.config.dir
    if core.store.feed.undivided:
        raise ConfigError("it would divide the transaction in the log")
    try:
        return begin_journal(path, core.store)
    except (DirectoryTaken, HoldsData, Damaged) as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"data directory {path}: {error.strerror or error}") from error
