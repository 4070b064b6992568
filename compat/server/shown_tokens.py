"""Tokens of sessions in what clients are shown about others: who has a session's token is inside it.

They are shown to users who may run SV_EXPORT, which lists all sessions with their tokens anyway, and hidden from everyone else.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

from januskv.commands.context import Account
from januskv.commands.table import CommandTable

from .acl.rights import uses_in

HIDDEN: Final = b"(token)"
_NUMBER: Final = re.compile(rb"[0-9]{10,20}")  # the least token has ten digits


def sees_tokens(table: CommandTable, user: Account) -> bool:
    """Whether a user is shown the tokens of other clients' sessions."""
    if user.unrestricted:
        return True
    export = table.native["SV_EXPORT"]
    return user.refusal_of(export, uses_in(export, {})) is None


def without_tokens(argv: Sequence[bytes], tokens: Container[int]) -> list[bytes]:
    """A command line without those numbers that are the tokens of open sessions, in JSON text too."""
    return [_NUMBER.sub(lambda number: HIDDEN if int(number[0]) in tokens else number[0], word) for word in argv]
