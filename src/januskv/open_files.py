"""Connections within the limit of open files."""

from __future__ import annotations

import logging
import resource

from .compat.server.config import Config

log = logging.getLogger("januskv")

# Reserved for the server's own files: listeners, log and snapshots, saves and rewrites, modules that are loaded late;
# and for connections that are accepted only to be rejected, possibly several in a round of the event loop.
OWN_FILES = 64


class TooFewFiles(Exception):
    """The limit does not allow a single client."""


def most_clients(wanted: int) -> int:
    """How many connections are possible, up to the wanted number. Raises the limit as far as necessary and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OWN_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    target = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    while target > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            return target - OWN_FILES
        except (ValueError, OSError):  # some systems accept less than they claim
            target = soft + (target - soft) // 2
    return soft - OWN_FILES


def fit_clients(config: Config, notice: int) -> None:
    """Make room for 'maxclients' connections, or lower it to what is possible, and log the result. Raises TooFewFiles."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = most_clients(config.maxclients)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != before:
        log.log(notice, "limit of open files raised from %d to %d", before, limit)
    if most < 1:
        raise TooFewFiles(f"{limit} open files are not enough, {OWN_FILES + 1} are needed at least (ulimit -n)")
    if most < config.maxclients:
        log.warning(
            "maxclients lowered from %d to %d: the limit of open files is %d, and %d are for the server itself;"
            " raise it with 'ulimit -n', or LimitNOFILE of systemd",
            config.maxclients,
            most,
            limit,
            OWN_FILES,
        )
        config.update({"maxclients": most})
