"""``januskv`` with system calls that fail or wait while a file of that name lies in the folder FAULTS.

``fdatasync.fail``, ``fsync.fail`` and ``fork.fail`` fail; ``fdatasync.slow`` waits until the file is gone.
"""

from __future__ import annotations

import errno
import os
import runpy
import time
from collections.abc import Callable
from typing import Any

FOLDER = os.environ["FAULTS"]


def watched(name: str, number: int) -> Callable[..., Any]:
    """A function of ``os`` that fails as the files say."""
    real = getattr(os, name)

    def call(*args: Any) -> Any:
        while os.path.exists(f"{FOLDER}/{name}.slow"):
            time.sleep(0.01)
        if os.path.exists(f"{FOLDER}/{name}.fail"):
            raise OSError(number, os.strerror(number))
        return real(*args)

    return call


for each, error in (("fdatasync", errno.EIO), ("fsync", errno.EIO), ("fork", errno.EAGAIN)):
    setattr(os, each, watched(each, error))
runpy.run_module("januskv", run_name="__main__", alter_sys=True)
