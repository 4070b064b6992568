"""Native commands that save and load. Until persistence is built they answer that it is disabled."""

from __future__ import annotations

from typing import Any

from .context import Context
from .declare import Flag
from .status import Status
from .table import Family

commands = Family("native")

Body = dict[str, Any]

# The one refusal without ``tkn``, so it is given as a reply.
_DISABLED: Body = {"st": Status.COMMAND_DISABLED.value, "m": ""}


@commands.native("KV_SAVE", flags=Flag.ADMIN)
def kv_save(ctx: Context, body: Body) -> Body:
    """{"KV_SAVE": {"name": name}}

    Refused with status 14: saving is not built yet.
    """
    return _DISABLED


@commands.native("KV_LOAD", flags=Flag.ADMIN)
def kv_load(ctx: Context, body: Body) -> Body:
    """{"KV_LOAD": {"name": name}}

    Refused with status 14: loading is not built yet.
    """
    return _DISABLED


@commands.native("SH_SAVE", flags=Flag.ADMIN)
def sh_save(ctx: Context, body: Body) -> Body:
    """{"SH_SAVE": {"name": name, "tkns"?: [token, ...]}}

    Refused with status 14: saving is not built yet.
    """
    return _DISABLED


@commands.native("SH_LOAD", flags=Flag.ADMIN)
def sh_load(ctx: Context, body: Body) -> Body:
    """{"SH_LOAD": {"name": name}}

    Refused with status 14: loading is not built yet.
    """
    return _DISABLED
