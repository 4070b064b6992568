"""The client-side caching options of one client."""

from __future__ import annotations

from typing import Any


class TrackingMode:
    """How one client is notified."""

    __slots__ = ("broadcast", "broken", "caching", "no_loop", "opt_in", "opt_out", "prefixes", "redirect")

    def __init__(self) -> None:
        self.redirect = 0  # id of the connection that is notified; 0: the client itself
        self.broadcast = self.opt_in = self.opt_out = self.no_loop = False
        self.prefixes: list[bytes] = []
        self.caching = False  # CLIENT CACHING was the last command
        self.broken = False  # the connection that was to be notified is gone

    @property
    def remembers(self) -> bool:
        """Whether keys read now are remembered."""
        if self.opt_in:
            return self.caching
        return not (self.opt_out and self.caching)


def describe(mode: TrackingMode | None) -> dict[str, Any]:
    """The reply of CLIENT TRACKINGINFO: flags, redirect, prefixes."""
    if mode is None:
        return {"flags": ["off"], "redirect": -1, "prefixes": []}
    named = [
        ("on", True),
        ("bcast", mode.broadcast),
        ("optin", mode.opt_in),
        ("caching-yes", mode.opt_in and mode.caching),
        ("optout", mode.opt_out),
        ("caching-no", mode.opt_out and mode.caching),
        ("noloop", mode.no_loop),
        ("broken_redirect", mode.broken),
    ]
    return {"flags": [name for name, is_set in named if is_set], "redirect": mode.redirect, "prefixes": mode.prefixes}
