"""The server as a system process: background, process id file, log file, and notifications to systemd."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
from collections.abc import Iterator

from .compat.server.config import Config
from .compat.server.logs import NOTICE

log = logging.getLogger("januskv")

LOG_LEVELS = {
    "debug": logging.DEBUG,
    "verbose": logging.INFO,
    "notice": NOTICE,
    "warning": logging.WARNING,
    "nothing": 100,
}
_STDOUT = 1
_MARKS = {logging.DEBUG: ".", logging.INFO: "-", NOTICE: "*"}


# ---------------------------------------------------------------- standard files


def open_standard_files() -> None:
    """Open closed standard files as /dev/null, so that no other file gets descriptors 0 to 2."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


# ---------------------------------------------------------------- log


class LogLine(logging.Formatter):
    """Lines in Redis' format: ``pid:M day month year time mark text``."""

    def format(self, record: logging.LogRecord) -> str:
        when = self.formatTime(record, "%d %b %Y %H:%M:%S")
        mark = _MARKS.get(record.levelno, "#")
        # Not record.process: a process in the background has another id than at the start.
        text = f"{os.getpid()}:M {when}.{int(record.msecs):03d} {mark} {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class LogFile(logging.FileHandler):
    """The file that 'logfile' names."""

    def reopen(self) -> None:
        """Open the file again if it has been moved away. Raises OSError and keeps the old one."""
        fresh = self._open()
        with self.lock or contextlib.nullcontext():
            old, self.stream = self.stream, fresh
        if old is not None:
            old.close()


class StandardOutput(logging.Handler):
    """Standard output. If it is a pipe that is not read, lines are lost instead of blocking the server."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_lines = 0
        self.output = select.poll()
        self.output.register(_STDOUT, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record) + "\n"
            if self.lost_lines:
                text = f"({self.lost_lines} lines have been lost: standard output was not read)\n{text}"
            left = memoryview(text.encode(errors="backslashreplace"))
            while left and self.output.poll(0):
                left = left[os.write(_STDOUT, left[: select.PIPE_BUF]) :]
            self.lost_lines = self.lost_lines + 1 if left else 0
        except Exception:
            self.handleError(record)


def set_up_logging(config: Config) -> None:
    """Send log lines to 'logfile', or to standard output. Raises OSError."""
    logging.addLevelName(NOTICE, "NOTICE")
    handler = LogFile(config.logfile, encoding="utf-8") if config.logfile else StandardOutput()
    handler.setFormatter(LogLine())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LOG_LEVELS[config.loglevel])


def reopen_log() -> None:
    """Open the log file again, for SIGHUP after it has been moved away."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            try:
                handler.reopen()
            except OSError as error:
                log.error(
                    "SIGHUP: %s cannot be opened, the old one stays in use: %s", handler.baseFilename, error.strerror
                )
            else:
                log.log(NOTICE, "SIGHUP: the log file has been reopened")
            return
    log.log(NOTICE, "SIGHUP: nothing to do, there is no log file; SIGTERM ends the server")


# ---------------------------------------------------------------- background


class Foreground:
    """A server in the foreground: no parent waits for it to be ready."""

    def ready(self) -> None:
        """Note that the server is ready."""


class Background(Foreground):
    """A server in the background, whose parent process waits until it is ready."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def ready(self) -> None:
        """Detach from the terminal and release the parent."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        os.close(nowhere)
        os.write(self.pipe, b"\0")
        os.close(self.pipe)


def go_to_background() -> Background | int:
    """Fork. The child, in a session of its own, gets a Background; the parent waits and gets its exit status.

    Call it before there are threads or an event loop.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return 0 if os.read(reading, 1) else 1
    os.close(reading)
    os.setsid()
    return Background(writing)


@contextlib.contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Write the process id to a file while the server runs, if a path is given."""
    if path:
        path = os.path.abspath(path)
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as error:
            log.warning("pidfile %s cannot be written: %s", path, error.strerror)
            path = ""
    try:
        yield
    finally:
        if path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


# ---------------------------------------------------------------- systemd


class Supervisor:
    """The supervisor to notify of the server's state: systemd, over a datagram socket; or none."""

    def __init__(self, supervised: str) -> None:
        self.address = "" if supervised == "no" else os.environ.pop("NOTIFY_SOCKET", "")
        if supervised == "systemd" and not self.address:
            log.warning("supervised is systemd, but there is no NOTIFY_SOCKET: is the service of Type=notify?")

    def tell(self, state: str) -> None:
        """Send a state, such as ``READY=1``."""
        if not self.address:
            return
        # A name that begins with '@' is in the abstract namespace, whose names begin with a zero byte.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto(state.encode(), address)
        except OSError as error:
            log.warning("cannot notify systemd of %s: %s", state, error.strerror)
