"""Saves of the native commands wait for each other: one process writes at a time, and only so many clients may wait.

What is saved is as it is when the process begins. Until then the connection is halted, so that what its client sends after
the request is done later; over RESP, where there is one reply, it is halted until the process has ended.
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

# So many clients may wait for their saves to begin.
MOST_WAITING: Final = 16
_POLL_S: Final = 0.005


def folder_of(config: Config) -> Path:
    """Where saves are."""
    return Path(config.dir) / "saves"


class Saving:
    """A save that a client has asked for. ``files`` gives the data files, of the moment at which it is called."""

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
        self.holds = False  # the connection is halted for it

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self.connection.transport is None or self.connection.closing

    def begin(self) -> None:
        """Begin to write. Raises NativeError."""
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
        """Halt the connection until there is an answer."""
        self.holds = self.connection.halted = self.connection.sending = True

    def answer(self, status: int, **members: Any) -> None:
        """Send an answer, if the client is still there; one that has waited for it goes on."""
        connection = self.connection
        if connection.transport is None:
            return
        reply = {f"{self.command}_RSP": {"st": status, "name": self.name, **members}}
        # An answer waits for the end of a reply that is being sent, not for the connection's next save.
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
        """Send the answer for the end of the process."""
        if self.child.error:
            log.warning("the save %r has failed: %s", self.name, self.child.error)
            self.save.remove()  # where the process was killed
            self.count_failure(Status.SAVE_ERROR)
        status = Status.SAVE_ERROR if self.child.error else Status.SAVE_COMPLETE
        self.answer(status.value, duration=round((time.monotonic() - self.asked) * 1000))

    def refused(self, error: NativeError) -> None:
        """Send the answer for a save that has waited and cannot begin."""
        self.count_failure(Status(error.status))
        self.answer(error.status, m=error.text)

    def count_failure(self, status: Status) -> None:
        """Count an error that is answered when the command is long over."""
        command = self.saves.core.table.native[self.command]
        self.saves.core.accounts.failed(command)
        self.saves.core.accounts.error(code_word(command.rules.dialect, status))


class SaveQueue:
    """The save that is being written, and those that wait for its end, in the order in which they came."""

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
        """See whether the process has ended; then it is the next one's turn."""
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
        """Begin the first save that waits and can begin; those of clients that have left are forgotten."""
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
        """Give up what waits, and what is being written with its files."""
        self.waiting.clear()
        if self.running is not None:
            saving, self.running = self.running, None
            saving.child.kill()
            saving.save.remove()
            log.warning("the save %r is not complete, it has been removed", saving.name)
