"""The queue of native saves: one process writes at a time, and a limited number of clients may wait.

A save has the data as of the start of its process. Until then the connection is halted, so that later requests of its
client do not overtake the save; over RESP, with a single reply, it is halted until the process has ended.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from januskv.commands.params import NativeError
from januskv.commands.status import Status, code_word
from januskv.storage.durability.children import Child
from januskv.storage.durability.saves import BadSave, Save

from .client_context import ClientContext
from .config import Config
from .core import Core
from .json_text import dumps
from .wire import Wire

log = logging.getLogger("januskv")

# How many clients may wait for their saves to begin.
MOST_WAITING: Final = 16
_POLL_S: Final = 0.005


def folder_of(config: Config) -> Path:
    """The folder of saves."""
    return Path(config.dir) / "saves"


class Saving:
    """A save that a client has asked for. ``files`` gives the data files as of the moment of its call."""

    def __init__(
        self,
        saves: SaveQueue,
        context: ClientContext,
        command: str,
        name: str,
        kind: int,
        files: Callable[[], Iterable[bytes]],
    ) -> None:
        self.saves, self.connection = saves, context.connected.connection
        self.command, self.name, self.kind, self.files = command, name, kind, files
        self.over_resp = not context.as_json
        self.asked = time.monotonic()
        self.holds = False  # whether the connection is halted for it

    @property
    def gone(self) -> bool:
        """Whether the client is gone."""
        return self.connection.transport is None or self.connection.closing

    def begin(self) -> None:
        """Begin writing. Raises NativeError."""
        try:
            self.save = Save(folder_of(self.saves.core.config), self.name, self.kind)
        except (BadSave, OSError) as error:
            raise NativeError(Status.SAVE_DIR_WRITE_FAIL, str(error)) from error
        try:
            self.child = Child(lambda: self.save.write(self.files()))
        except OSError as error:
            self.save.remove()
            raise NativeError(Status.SAVE_ERROR, f"cannot begin: {error.strerror}") from error

    def wait(self) -> None:
        """Halt the connection until there is a reply."""
        self.holds = self.connection.halted = self.connection.sending = True

    def answer(self, status: int, **members: Any) -> None:
        """Send a reply, if the client is still connected; a halted one continues."""
        connection = self.connection
        if connection.transport is None:
            return
        reply = {f"{self.command}_RSP": {"st": status, "name": self.name, **members}}
        # The reply waits for the end of one that is being sent, not for the connection's next save.
        waits_for_save = self.holds or self.saves.has(connection)
        if waits_for_save:
            connection.sending = False
        if self.over_resp:
            connection.push(dumps(reply))
        else:
            connection.push_native(reply)
        if self.holds:
            self.holds = False
            connection.sent()
        elif waits_for_save:
            connection.sending = True

    def ended(self) -> None:
        """Send the reply for the end of the process."""
        if self.child.error:
            log.warning("the save %r has failed: %s", self.name, self.child.error)
            self.save.remove()  # in case the process was killed
            self.count_failure(Status.SAVE_ERROR)
        status = Status.SAVE_ERROR if self.child.error else Status.SAVE_COMPLETE
        self.answer(status.value, duration=round((time.monotonic() - self.asked) * 1000))

    def refused(self, error: NativeError) -> None:
        """Send the reply for a save that has waited and cannot begin."""
        self.count_failure(Status(error.status))
        self.answer(error.status, m=error.text)

    def count_failure(self, status: Status) -> None:
        """Count an error that is reported long after the command."""
        command = self.saves.core.table.native[self.command]
        self.saves.core.accounts.failed(command)
        self.saves.core.accounts.error(code_word(command.rules.dialect, status))


class SaveQueue:
    """The save that is being written, and those that wait for it, in order of arrival."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.running: Saving | None = None
        self.waiting: deque[Saving] = deque()

    def take(self, saving: Saving) -> bool:
        """Begin a save, or let it wait: False then. Raises NativeError."""
        if self.core.store.feed.undivided:
            raise NativeError(Status.NOT_PERMITTED, "a save cannot be part of a transaction")
        if self.running is None:
            self.begin(saving)
            return True
        if len(self.waiting) >= MOST_WAITING:
            raise NativeError(Status.SAVE_ERROR, f"{MOST_WAITING} saves are waiting already")
        self.waiting.append(saving)
        saving.wait()
        return False

    def has(self, connection: Wire) -> bool:
        """Whether a save of a connection waits."""
        return any(each.connection is connection for each in self.waiting)

    def begin(self, saving: Saving) -> None:
        """Begin a save while there is no other. Raises NativeError."""
        saving.begin()
        self.running = saving
        if saving.over_resp:
            saving.wait()
        self.core.later(_POLL_S, self.poll)

    def poll(self) -> None:
        """Check whether the process has ended; then begin the next save."""
        saving = self.running
        if saving is None:
            return
        if not saving.child.poll():
            self.core.later(_POLL_S, self.poll)
            return
        self.running = None
        try:
            saving.ended()
        finally:
            self.begin_next()

    def begin_next(self) -> None:
        """Begin the first waiting save that can; those of clients that are gone are dropped."""
        while self.waiting and self.running is None:
            saving = self.waiting.popleft()
            if saving.gone:
                continue
            try:
                self.begin(saving)
            except NativeError as error:
                saving.refused(error)
                continue
            if not saving.over_resp:
                saving.answer(Status.SAVE_START.value)

    def close(self) -> None:
        """Give up the waiting saves, and the one being written together with its files."""
        self.waiting.clear()
        if self.running is not None:
            saving, self.running = self.running, None
            saving.child.kill()
            saving.save.remove()
            log.warning("the save %r is not complete, it has been removed", saving.name)
