"""Native commands about the server and the connection, SV_."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from januskv import __version__
from januskv.commands.context import Context
from januskv.commands.declare import REDACTED, Flag, Param
from januskv.commands.params import NativeError
from januskv.commands.status import Status
from januskv.commands.table import Family

from .access import DEFAULT_USER, authenticate

commands = Family("native")


def _hide_body(argv: Sequence[bytes]) -> list[bytes]:
    return [argv[0], *[REDACTED] * (len(argv) - 1)]


Body = dict[str, Any]


@commands.native("SV_INFO", flags=Flag.READONLY)
def sv_info(ctx: Context, body: Body) -> Body:
    """{"SV_INFO": {}}

    Describes the server: version, whether sessions are on (they always are) and whether it can save.

    Ours besides NemesisDB's members: ``server``, ``sessionsRequired``, ``port`` and ``httpPort`` (0: no such listener),
    ``processId``, ``uptime`` in seconds, ``clients``.

    Cost: O(1)
    """
    server = ctx.server
    return {
        "st": 1,
        "serverVersion": __version__,
        "sessionsEnabled": True,
        "persistEnabled": False,
        "server": "JanusKV",
        "sessionsRequired": server.config.sessions_required,
        "port": server.tcp_port,
        "httpPort": server.http_port,
        "processId": server.process_id,
        "uptime": (ctx.store.clock.now_ms - server.started_ms) // 1000,
        "clients": len(server.clients),
    }


@commands.native(
    "SV_AUTH",
    params=(Param("password", "string"), Param("user", "string", required=False)),
    flags=Flag.NO_AUTH,
    redact=_hide_body,
)
def sv_auth(ctx: Context, body: Body) -> Body:
    """{"SV_AUTH": {"password": password, "user"?: name}}

    Logs the connection in, as AUTH does. Ours, not NemesisDB's. Status 170 for a wrong name or password.

    Cost: O(1)
    """
    if not authenticate(ctx.server, ctx.client, body.get("user", DEFAULT_USER), body["password"]):
        raise NativeError(Status.NOT_AUTHENTICATED, "Invalid user name or password")
    return {"st": 1}
