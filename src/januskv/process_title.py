"""Hides passwords in what the system shows of a process: its command line (``ps``) and environment.

The words after the options in ``SECRETS`` are overwritten where the system reads them; everything else stays. They
can be read until then, for some hundredths of a second, so a configuration file or the environment is safer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# Options with a secret, and whether it may be several words.
SECRETS = {
    "--requirepass": True,
    "--user": True,  # its rules may have passwords
    "--password": False,
    "--masterauth": True,
    "--tls-key-file-pass": True,
    "--tls-client-key-file-pass": True,
    "--timely-jwt-key": True,
    "--ditto-api-keys": True,
    "--ditto-jwt-key": True,
}
# Secrets in the environment, which only the same user can read.
VARIABLES = {"requirepass": "JANUSKV_REQUIREPASS", "password": "REDISCLI_AUTH"}

_MASK = "***"


def masked(words: Sequence[str]) -> list[str]:
    """A command line without its secrets."""
    shown: list[str] = []
    secret = ""  # the option whose value comes next
    for word in words:
        if secret and not word.startswith("--"):
            shown.append(_MASK)
            secret = secret if SECRETS[secret] else ""
            continue
        name, equals, _ = word.partition("=")
        secret = name if name in SECRETS and not equals else ""
        shown.append(f"{name}={_MASK}" if name in SECRETS and equals else word)
    return shown


def hide_secrets() -> None:
    """Overwrite the secrets in the command line and, if there are any, in the process's initial environment."""
    shown = masked(sys.orig_argv)
    if shown == sys.orig_argv and not any(name in os.environ for name in VARIABLES.values()):
        return
    import setproctitle  # seldom needed

    setproctitle.setproctitle(" ".join(shown))


def still_shown() -> bool:
    """Whether others may read a secret in the command line; known only on Linux."""
    if masked(sys.orig_argv) == sys.orig_argv:
        return False
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return _MASK.encode() not in file.read()
    except OSError:
        return True
