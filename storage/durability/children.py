"""Work of a forked process: snapshots and saves, which show the data of one moment while the server continues.

The process has the data as of its start. It keeps only the standard streams of its server, and ends with it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# The exit status is the number of an OSError; this one is for everything else.
_OTHER_ERROR: Final = 255
# So that the server has priority if both share a processor.
_NICENESS: Final = 5

_PR_SET_PDEATHSIG: Final = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


@dataclass
class Forks:
    """How many processes were forked, and how long the last fork blocked the server."""

    count: int = 0
    latest_us: int = 0


forks: Final = Forks()


class Child:
    """A forked process that does some work. ``error`` says why it failed, once ``poll`` has reported its end; "" if it succeeded."""

    def __init__(self, work: Callable[[], object]) -> None:
        """Start the process. Raises OSError."""
        server = os.getpid()
        self.started = time.monotonic()
        self.error = ""
        self.pid = os.fork()
        if self.pid:
            forks.count += 1
            forks.latest_us = int((time.monotonic() - self.started) * 1e6)
        if self.pid == 0:
            status = _OTHER_ERROR
            try:
                _leave(server)
                work()
                status = 0
            except OSError as error:
                status = error.errno or _OTHER_ERROR
            except BaseException:
                os.write(2, traceback.format_exc().encode(errors="replace"))
            finally:
                os._exit(status)  # the loop and the threads of the server do not exist here

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started

    def poll(self, *, wait: bool = False) -> bool:
        """Whether it has ended."""
        ended, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
        if not ended:
            return False
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            self.error = f"ended by signal {-code}"
        elif code == _OTHER_ERROR:
            self.error = "an unexpected error"
        elif code:
            self.error = os.strerror(code)
        return True

    def kill(self) -> None:
        """Kill it and wait for its end."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _leave(server: int) -> None:
    """Drop what belongs to the server: a new server must be able to get the lock and the ports."""
    gc.disable()  # a collection would write to the memory that is shared with the server
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as in the server: a closed terminal ends neither
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.nice(_NICENESS)
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != server:
        raise OSError("the server has ended")
