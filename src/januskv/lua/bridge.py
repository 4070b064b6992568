"""A shorter way between Python and Lua, which only the compiled build has: see ``bridge.pyx``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class BridgeError(Exception):
    """Lua has failed outside of a script. ``text``: what it says."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class Bridge:
    """Runs Lua functions and serves their commands. The interface is that of the compiled build; here there is none."""

    three: bool  # replies to commands have the form of RESP3
    limited: bool  # memory is limited, as for scripts
    # Lua functions: what redis.call gives its words to, and parts of cmsgpack.unpack and cjson.encode.
    command: Any
    unpack: Any
    encode: Any

    def connect(self, interface: Any) -> None:
        """Note the functions of the sandbox's interface that are called here."""
        raise NotImplementedError

    def hold(self, function: Any) -> Any:
        """A Lua function in the form that ``run`` takes."""
        raise NotImplementedError

    def release(self) -> None:
        """End the limit of memory until the next script."""
        raise NotImplementedError

    def has_room(self, keys: list[bytes], arguments: list[bytes]) -> bool:
        """Whether there is memory for these texts, and for a script besides."""
        raise NotImplementedError

    def run(self, body: Any, keys: list[bytes], arguments: list[bytes], function: bool) -> Any:
        """Run a script, or a function; a reply, or a tuple of tokens. Raises BridgeError."""
        raise NotImplementedError


def bridge_to(
    runtime: Any, call: Callable[[list[bytes]], Any], converted: Callable[[Any, bool], Any], limit: int | None
) -> Bridge | None:
    """The bridge to a runtime of lupa's; None where there is none.

    ``call`` runs a command and returns its reply; ``converted`` makes the tokens of a reply, or of an exception.
    """
    return None
