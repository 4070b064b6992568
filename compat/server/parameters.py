"""Configuration parameters: declared once, with Redis' names where Redis has them.

A parameter declares its type, default, whether it may change while running, and what it does. CONFIG
GET, SET and REWRITE, the command line, files and docs/configuration.md all read this table.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from januskv.storage.errors import BadVisibility
from januskv.storage.sessions import TOKEN_BITS
from januskv.storage.visibility import parse as parse_visibility

from .events import parse_events, show_events
from .hosts import ANY, Authority
from .permissions import BadPermissions, keys_of

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}


class ConfigError(Exception):
    """A value that a parameter cannot take; the text says why, in Redis' words if it has any.

    ``parameter`` is its name if several were to be set.
    """

    def __init__(self, text: str, parameter: str = "") -> None:
        super().__init__(text)
        self.parameter = parameter


# ---------------------------------------------------------------- types


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type is read from text and shown as text; ``form`` stands for a value in --help ("": there is no choice)."""

    parse: Callable[[str], Any]
    show: Callable[[Any], str]
    form: str = "TEXT"


def _parse_bool(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ConfigError("argument must be 'yes' or 'no'")
    return text.lower() == "yes"


def integer(least: int = 0, most: int = sys.maxsize) -> Kind:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,18}", text):
            raise ConfigError("argument couldn't be parsed into an integer")
        if not least <= int(text) <= most:
            raise ConfigError(f"argument must be between {least} and {most} inclusive")
        return int(text)

    return Kind(parse, str, "N")


def memory(least: int = 0, most: int = sys.maxsize) -> Kind:
    """Bytes, with Redis' units (1k is 1000, 1kb is 1024)."""

    def parse(text: str) -> int:
        found = re.fullmatch(r"([0-9]{1,19})([a-z]{0,2})", text.lower())
        if found is None or found[2] not in _UNITS:
            raise ConfigError("argument must be a memory value")
        value = int(found[1]) * _UNITS[found[2]]
        if not least <= value <= most:
            raise ConfigError(f"argument must be between {least} and {most} inclusive")
        return value

    return Kind(parse, str, "BYTES")


def choice(*words: str) -> Kind:
    """One of some words, in any letter case."""

    spelt = {word.lower(): word for word in words}

    def parse(text: str) -> str:
        if text.lower() not in spelt:
            raise ConfigError(f"argument(s) must be one of the following: {', '.join(words)}")
        return spelt[text.lower()]

    return Kind(parse, str, "|".join(words))


BOOL = Kind(_parse_bool, lambda value: "yes" if value else "no", "yes|no")
TEXT = Kind(str, str)


def _parse_permissions(text: str) -> str:
    if not re.fullmatch(r"[0-7]{1,4}", text) or int(text, 8) > 0o777:
        raise ConfigError("argument must be an octal number between 0 and 777")
    return text


PERMISSIONS = Kind(_parse_permissions, str, "OCTAL")


def _parse_file_name(text: str) -> str:
    if "/" in text:
        raise ConfigError("argument can't be a path, just a filename")
    return text


FILE_NAME = Kind(_parse_file_name, str, "NAME")
PATH = Kind(str, str, "PATH")


def _parse_notified(text: str) -> str:
    try:
        return parse_events(text)
    except ValueError:
        raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.") from None


EVENTS = Kind(_parse_notified, show_events, "CLASSES")


def words_of(reads: Callable[[str], object], what: str) -> Kind:
    """Words separated by blanks that ``reads`` accepts (it returns None for others), or ``*`` for any."""

    def parse(text: str) -> str:
        for word in text.split():
            if word != ANY and reads(word) is None:
                raise ConfigError(f"{word!r} is not {what}")
        return " ".join(text.split())

    return Kind(parse, str)


HOSTS = words_of(Authority.read, "a host, as in 'db.example.com' or 'db.example.com:8379'")
ORIGINS = words_of(
    re.compile(r"null|[a-z][a-z0-9+.-]*://[^/\s]+", re.IGNORECASE).fullmatch,
    "an origin, as in 'https://app.example.com', or 'null'",
)


def _parse_protocols(text: str) -> str:
    words = text.split()
    known = {each.lower(): each for each in ("TLSv1.2", "TLSv1.3")}
    for word in words:
        if word.lower() in ("tlsv1", "tlsv1.1"):
            raise ConfigError(f"{word} is not safe, and not offered")
        if word.lower() not in known:
            raise ConfigError("the versions are TLSv1.2 and TLSv1.3")
    return " ".join(sorted({known[word.lower()] for word in words}))


TLS_PROTOCOLS = Kind(_parse_protocols, str, "VERSIONS")


def fixed_at(kind: Kind, value: Any, reason: str) -> Kind:
    """A parameter that is shown, but whose other values ask for something unsupported."""

    def parse(text: str) -> Any:
        if kind.parse(text) != value:
            raise ConfigError(f"only '{kind.show(value)}' works: {reason}")
        return value

    return Kind(parse, kind.show, "")


def _parse_percentiles(text: str) -> list[float]:
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        found = [-1.0]
    if not all(0 <= each <= 100 for each in found):
        raise ConfigError("percentiles are numbers from 0 to 100, separated by spaces")
    return found


PERCENTILES = Kind(_parse_percentiles, lambda found: " ".join(f"{each:.9g}" for each in found))


def _parse_output_limits(text: str) -> dict[str, tuple[int, int, int]]:
    """The limits of the classes in the text; the other classes keep theirs."""
    words = text.split()
    if not words or len(words) % 4:
        raise ConfigError("Wrong number of arguments in buffer limit configuration.")
    limits: dict[str, tuple[int, int, int]] = {}
    size = memory()
    for i in range(0, len(words), 4):
        name = {"slave": "replica"}.get(words[i].lower(), words[i].lower())
        if name not in OUTPUT_LIMITS:
            raise ConfigError("Invalid client class specified in buffer limit configuration.")
        try:
            limits[name] = (size.parse(words[i + 1]), size.parse(words[i + 2]), integer().parse(words[i + 3]))
        except ConfigError:
            raise ConfigError("Error in hard, soft or soft_seconds setting in buffer limit configuration.") from None
    return limits


def _show_output_limits(limits: dict[str, tuple[int, int, int]]) -> str:
    shown = {"replica": "slave"}
    return " ".join(f"{shown.get(name, name)} {hard} {soft} {s}" for name, (hard, soft, s) in limits.items())


OUTPUT_LIMITS: dict[str, tuple[int, int, int]] = {
    "normal": (0, 0, 0),
    "replica": (256 << 20, 64 << 20, 60),
    "pubsub": (32 << 20, 8 << 20, 60),
}
OUTPUT_LIMIT = Kind(_parse_output_limits, _show_output_limits, "CLASS HARD SOFT SECONDS")

# (seconds, changes): a snapshot begins when any pair has been reached since the last one.
SavePoints = tuple[tuple[int, int], ...]


def _parse_visibility(text: str) -> str:
    try:
        parse_visibility(text.encode())
    except (BadVisibility, UnicodeEncodeError) as error:
        raise ConfigError(f"this is not a visibility: {error}") from None
    return text


VISIBILITY = Kind(lambda text: _parse_visibility(text) if text else "", str)

# Days for which points are kept, and those of single metrics.
AgeOffDays = tuple[int, tuple[tuple[str, int], ...]]


def _parse_age_off(text: str) -> AgeOffDays:
    days = integer(0, 100_000)
    default, by_metric = 0, {}
    for word in text.split():
        metric, equals, number = word.rpartition("=")
        if not equals:
            default = days.parse(number)
        elif not metric:
            raise ConfigError("a metric has no name")
        else:
            by_metric[metric] = days.parse(number)
    return default, tuple(by_metric.items())


def _show_age_off(days: AgeOffDays) -> str:
    return " ".join([str(days[0]), *(f"{metric}={number}" for metric, number in days[1])])


AGE_OFF = Kind(_parse_age_off, _show_age_off, "DAYS METRIC=DAYS")


def _parse_save_points(text: str) -> SavePoints:
    words = text.split()
    if words in ([], ["no"]):
        return ()
    try:
        seconds = [integer(1).parse(word) for word in words[::2]]
        changes = [integer().parse(word) for word in words[1::2]]
        return tuple(zip(seconds, changes, strict=True))
    except (ConfigError, ValueError):
        raise ConfigError("Invalid save parameters") from None


SAVE_POINTS = Kind(
    _parse_save_points, lambda points: " ".join(f"{s} {count}" for s, count in points), "SECONDS CHANGES"
)
# Redis' default save points; ours when changes are not logged.
REDIS_SAVE_POINTS: SavePoints = ((3600, 1), (300, 100), (60, 10000))


@lru_cache(maxsize=8)
def authorizations_of(text: str) -> dict[str, frozenset[bytes]]:
    """What each user may see, by name: ``test A,B,C; ops D``. Raises ConfigError."""
    found: dict[str, frozenset[bytes]] = {}
    for each in filter(None, map(str.strip, text.split(";"))):
        user, _, labels = each.partition(" ")
        if user in found:
            raise ConfigError(f"the user {user!r} stands there twice")
        found[user] = frozenset(label.strip().encode() for label in labels.split(",") if label.strip())
    return found


def _parse_authorizations(text: str) -> str:
    authorizations_of(text)
    return text


AUTHORIZATIONS = Kind(_parse_authorizations, str, "USER LABEL,LABEL; ...")


def _parse_token_secret(text: str) -> str:
    if text and len(text.encode(errors="surrogateescape")) < 32:
        raise ConfigError("a key for HS256 has at least 32 bytes")
    return text


TOKEN_SECRET = Kind(_parse_token_secret, str)


def _parse_api_keys(text: str) -> str:
    try:
        keys_of(text)
    except BadPermissions as error:
        raise ConfigError(str(error)) from None
    return text


API_KEYS = Kind(_parse_api_keys, str, "JSON")


# ---------------------------------------------------------------- parameters


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``fixed`` ones are set at start only; ``secret`` ones are never logged; ``idle`` ones have no effect;
    ``hidden`` ones are shown by CONFIG GET under their own names only, not when a pattern matches them.
    """

    name: str
    kind: Kind
    default: Any
    about: str
    fixed: bool = False
    secret: bool = False
    alias: str | None = None
    idle: bool = False
    hidden: bool = False

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")


_NO_EVICTION = "eviction is not built yet"
_NO_REPLICATION = "replication is not built yet"
_NO_CLUSTER = "cluster mode is not built yet"
_NO_DEPRECATED_API = "scripts have the functions of Redis 7.4 and no older ones"
_NO_OUTGOING = "this server opens no connections to others"
_ONE_END = "the server ends in order, and saves what is unsaved"
_SLAVE = ("replica", "slave")  # a word in names, and its former form


def _only(name: str, kind: Kind, value: Any, reason: str, alias: str | None = None, fixed: bool = False) -> Parameter:
    """A parameter that clients read, or set to its default, although nothing depends on it yet."""
    about = f"Only '{kind.show(value)}': {reason}."
    return Parameter(name, fixed_at(kind, value, reason), value, about, alias=alias, fixed=fixed)


def _idle(
    reason: str, kind: Kind, defaults: dict[str, Any], alias: tuple[str, str] = ("", ""), **more: bool
) -> tuple[Parameter, ...]:
    """Parameters of redis.conf that take any valid value, without effect; ``alias``: word in a name, word in its alias."""
    word, other = alias
    return tuple(
        Parameter(
            name,
            kind,
            default,
            f"No effect: {reason}.",
            alias=name.replace(word, other) if word and word in name else None,
            idle=True,
            **more,
        )
        for name, default in defaults.items()
    )


PARAMETERS: tuple[Parameter, ...] = (
    # listeners
    Parameter(
        "bind",
        TEXT,
        "127.0.0.1 -::1",
        "Addresses that both listeners bind; '-' before one: no error if absent.",
    ),
    Parameter(
        "port",
        integer(-1, 65535),
        6379,
        "TCP port of the data listener; 0: none, -1: one that the kernel chooses.",
    ),
    Parameter(
        "http-port",
        integer(-1, 65535),
        8379,
        "TCP port of the HTTP and WebSocket listener; 0: none, -1: one that the kernel chooses.",
        fixed=True,
    ),
    Parameter("unixsocket", PATH, "", "Path of a unix socket for the data listener; empty: none.", fixed=True),
    Parameter(
        "unixsocketperm", PERMISSIONS, "0", "Permissions of the unix socket, octal; 0: as the umask says.", fixed=True
    ),
    Parameter("tcp-backlog", integer(0), 511, "Connections that may wait to be accepted.", fixed=True),
    Parameter("protected-mode", BOOL, True, "Without a password, serve only clients of this machine."),
    Parameter(
        "timeout", integer(0, 2**31 - 1), 0, "Close a client that has been idle for this long, in seconds; 0: never."
    ),
    Parameter("tcp-keepalive", integer(0, 2**31 - 1), 300, "Seconds between TCP keepalive probes; 0: none."),
    Parameter("maxclients", integer(1, 2**32 - 1), 10000, "Most connections at a time."),
    Parameter(
        "http-allowed-hosts",
        HOSTS,
        "",
        "Hosts ('db.example.com', with a port or without) for which the HTTP port is asked, besides the server's own: "
        "localhost, addresses (only those of loopback if 'bind' has no others), names in 'bind', and this machine's "
        "name if 'bind' reaches beyond loopback; '*': any, which lets web pages in by DNS rebinding.",
    ),
    Parameter(
        "http-allowed-origins",
        ORIGINS,
        "",
        "Origins ('https://app.example.com'; 'null' for pages from files) whose pages may use the HTTP port, besides "
        "those that the server's own hosts have; '*': any.",
    ),
    # TLS
    Parameter(
        "tls-port",
        integer(-1, 65535),
        0,
        "TCP port of the data listener with TLS; 0: none, -1: one that the kernel chooses. With 'port 0' only TLS is served.",
    ),
    Parameter(
        "tls-http-port",
        integer(-1, 65535),
        0,
        "TCP port of the HTTP and WebSocket listener with TLS; 0: none, -1: one that the kernel chooses.",
        fixed=True,
    ),
    Parameter(
        "tls-timely-port",
        integer(-1, 65535),
        0,
        "TCP port for 'put' lines with TLS; 0: none, -1: one that the kernel chooses.",
        fixed=True,
    ),
    Parameter("tls-cert-file", PATH, "", "File with the server's certificate and those between it and its root (PEM)."),
    Parameter("tls-key-file", PATH, "", "File with the private key of that certificate (PEM)."),
    Parameter("tls-key-file-pass", TEXT, "", "Password of the private key; empty: it has none.", secret=True),
    Parameter("tls-ca-cert-file", PATH, "", "File with the certificates (PEM) that those of clients must come from."),
    Parameter(
        "tls-ca-cert-dir", PATH, "", "Directory with such certificates, under names that 'openssl rehash' makes."
    ),
    Parameter(
        "tls-auth-clients",
        choice("no", "yes", "optional"),
        "yes",
        "Whether clients must show a certificate, which is verified; 'optional': those that have one; 'no': none is asked for.",
    ),
    Parameter(
        "tls-auth-clients-user",
        choice("off", "CN"),
        "off",
        "'CN': a client is logged in as the user whose name is the common name of its verified certificate, if there is such a user.",
    ),
    Parameter(
        "tls-protocols",
        TLS_PROTOCOLS,
        "",
        "Versions of TLS, 'TLSv1.2 TLSv1.3' or one of them; empty: both. Older ones are refused.",
    ),
    Parameter(
        "tls-ciphers", TEXT, "", "Ciphers of TLSv1.2, as OpenSSL lists them; empty: those that Python takes for safe."
    ),
    Parameter(
        "tls-ciphersuites",
        TEXT,
        "",
        "Suites of TLSv1.3; empty: those of OpenSSL. Others can be set from Python 3.15 on only.",
    ),
    Parameter(
        "tls-prefer-server-ciphers", BOOL, False, "Choose the cipher by the server's order and not by the client's."
    ),
    Parameter(
        "tls-dh-params-file", PATH, "", "File with Diffie-Hellman parameters (PEM); empty: none, keys come from curves."
    ),
    Parameter(
        "tls-handshake-timeout",
        integer(1, 3600),
        10,
        "Seconds after which a connection is closed whose handshake is not over.",
    ),
    Parameter(
        "tls-max-handshakes",
        integer(1, 2**31 - 1),
        1024,
        "Most handshakes that are not over; they count for 'maxclients', too. One more ends the one whose client has been silent longest.",
    ),
    Parameter(
        "max-new-tls-connections-per-cycle",
        integer(1, 1000),
        1,
        "Steps of handshakes that are done between two rounds of serving others.",
    ),
    _only("tls-session-caching", BOOL, True, "Python's ssl has no switch for it"),
    _only("tls-session-cache-size", integer(), 20480, "it is OpenSSL's own, which Python's ssl cannot change"),
    _only("tls-session-cache-timeout", integer(), 7200, "it is OpenSSL's own, which Python's ssl cannot change"),
    # points in Timely's forms
    Parameter(
        "timely-port",
        integer(-1, 65535),
        0,
        "TCP port for Timely's and OpenTSDB's 'put' lines, which the data port takes, too; 0: none, -1: one that the kernel"
        " chooses.",
        fixed=True,
    ),
    Parameter(
        "timely-udp-port",
        integer(-1, 65535),
        0,
        "UDP port for 'put' lines; 0: none, -1: one that the kernel chooses.",
        fixed=True,
    ),
    Parameter("timely-database", integer(0, 9999), 0, "Database that has the series of metrics.", fixed=True),
    Parameter(
        "timely-seconds",
        BOOL,
        True,
        "Take timestamps of 'put' lines below 9999999999 for seconds, as collectors send them, and not for milliseconds.",
    ),
    Parameter(
        "timely-anonymous-put",
        choice("auto", "yes", "no"),
        "auto",
        "Whether points are taken from clients that have not logged in, which is impossible on Timely's own ports; 'auto': if there is"
        " no password.",
    ),
    Parameter(
        "timely-default-visibility",
        VISIBILITY,
        "",
        "Visibility ('A&B') of points that come without one; empty: all see them.",
    ),
    Parameter(
        "timely-age-off",
        AGE_OFF,
        (0, ()),
        "For how many days points are kept and seen, 0: for ever; then METRIC=DAYS for single metrics ('7 disk.used=30').",
    ),
    # limits
    Parameter(
        "proto-max-bulk-len", memory(1 << 20), 512 << 20, "Largest argument, and largest string value, in bytes."
    ),
    Parameter("client-query-buffer-limit", memory(1 << 20), 1 << 30, "Most unparsed input of a client, in bytes."),
    Parameter(
        "client-output-buffer-limit",
        OUTPUT_LIMIT,
        OUTPUT_LIMITS,
        "Most unread replies by class of client: hard, soft, seconds.",
    ),
    Parameter(
        "max-unauthenticated-clients-per-address",
        integer(),
        1000,
        "Most clients of one address (of IPv6: one network of 64 bits) that have not logged in, where they must; 0: any number.",
    ),
    Parameter(
        "unauthenticated-timeout",
        integer(0, 2**31 - 1),
        60,
        "Close a client that has to log in and has not after so many seconds; 0: never.",
    ),
    Parameter("json-max-payload", memory(64), 64 << 20, "Largest native JSON message, in bytes."),
    # access
    Parameter(
        "requirepass",
        TEXT,
        "",
        "Password of the default user; empty: none. Also from the environment, as JANUSKV_REQUIREPASS.",
        secret=True,
    ),
    Parameter(
        "aclfile",
        PATH,
        "",
        "File of users, read at start and by ACL LOAD, written by ACL SAVE; empty: users are in the configuration file, as"
        " lines 'user NAME RULE ...'.",
        fixed=True,
    ),
    Parameter(
        "acl-pubsub-default",
        choice("allchannels", "resetchannels"),
        "resetchannels",
        "Whether new users may use all channels of Pub/Sub, or none.",
    ),
    Parameter("acllog-max-len", integer(), 128, "Entries of ACL LOG that are kept."),
    Parameter(
        "max-login-failures-per-address",
        integer(),
        10,
        "Log-ins of one address (of IPv6: one network of 64 bits) that may fail, each within a minute of the one before; then others are"
        " refused unseen for a second, and for twice as long after each further failure. Not for this machine. 0: any number.",
    ),
    Parameter(
        "max-login-delay",
        integer(1, 86_400),
        60,
        "Longest time for which log-ins are refused after failed ones, in seconds.",
    ),
    Parameter("enable-debug-command", choice("no", "yes", "local"), "no", "Whether DEBUG may be used.", fixed=True),
    Parameter(
        "enable-protected-configs",
        fixed_at(choice("no", "yes", "local"), "no", "no parameter is protected yet"),
        "no",
        "Only 'no': no parameter is protected yet.",
        fixed=True,
    ),
    Parameter(
        "enable-module-command",
        fixed_at(choice("no", "yes", "local"), "no", "there are no modules"),
        "no",
        "Only 'no': there are no modules.",
        fixed=True,
    ),
    # engine
    Parameter("databases", integer(1, 10000), 16, "Numbered databases.", fixed=True),
    Parameter(
        "token-bits",
        integer(TOKEN_BITS, 63),
        TOKEN_BITS,
        "Bits of the tokens of new sessions. JavaScript and other clients that read numbers as doubles keep 53 exactly.",
    ),
    Parameter("sessions-required", BOOL, False, "Refuse KV_ commands without a session token."),
    Parameter(
        "appendonly",
        BOOL,
        True,
        "Log every change in 'dir'. Default: yes, unless 'save' is given as 'no' or \"\" - then all is in memory only.",
    ),
    Parameter(
        "save",
        SAVE_POINTS,
        (),
        "Pairs of seconds and changes: snapshot after that time if there were that many changes ('3600 1 300 100'). With 'appendonly no' the"
        " default is Redis' '3600 1 300 100 60 10000', and a snapshot is written at the end.",
    ),
    Parameter(
        "stop-writes-on-bgsave-error",
        BOOL,
        True,
        "Refuse writes after a failed snapshot, where 'save' is set, until one succeeds.",
    ),
    Parameter(
        "native-saves",
        BOOL,
        True,
        "Let KV_SAVE, SH_SAVE and TS_SAVE write to 'saves' in 'dir'; with 'save no' only where 'dir' is given.",
    ),
    Parameter("load-name", TEXT, "", "Load the newest save of this name at the start, or do not start.", fixed=True),
    Parameter(
        "appendfsync",
        choice("everysec", "always", "no"),
        "everysec",
        "When the log is made safe from power failures: before each reply, each second, or when the system does it.",
    ),
    Parameter("dir", PATH, "./januskv-data", "Directory of the log and its snapshots; made if absent.", fixed=True),
    Parameter(
        "log-load-truncated",
        BOOL,
        True,
        "Cut an unfinished record from the end of the log and start; 'no': refuse to start.",
        fixed=True,
        alias="aof-load-truncated",
    ),
    Parameter(
        "auto-aof-rewrite-percentage",
        integer(),
        100,
        "Rewrite the log from a snapshot once it is longer than the last snapshot by this share; 0: never.",
    ),
    Parameter("auto-aof-rewrite-min-size", memory(), 64 << 20, "Never rewrite the log below this size, in bytes."),
    _only("maxmemory", memory(), 0, _NO_EVICTION),
    _only(
        "maxmemory-policy",
        choice(
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ),
        "noeviction",
        _NO_EVICTION,
    ),
    _only("maxmemory-samples", integer(1, 2**31 - 1), 5, _NO_EVICTION),
    _only("maxmemory-eviction-tenacity", integer(0, 100), 10, _NO_EVICTION),
    _only("maxmemory-clients", TEXT, "0", _NO_EVICTION),
    _only("replicaof", TEXT, "", _NO_REPLICATION, alias="slaveof"),
    _only("replica-serve-stale-data", BOOL, True, _NO_REPLICATION, alias="slave-serve-stale-data"),
    _only("replica-read-only", BOOL, True, _NO_REPLICATION, alias="slave-read-only"),
    _only("min-replicas-to-write", integer(), 0, _NO_REPLICATION, alias="min-slaves-to-write"),
    _only("min-replicas-max-lag", integer(), 10, _NO_REPLICATION, alias="min-slaves-max-lag"),
    _only("cluster-enabled", BOOL, False, _NO_CLUSTER),
    Parameter(
        "busy-reply-threshold",
        integer(0),
        5000,
        "Milliseconds after which other clients are told BUSY while a script runs; 0: never.",
        alias="lua-time-limit",
    ),
    Parameter(
        "notify-keyspace-events", EVENTS, "", "Which changes of keys are published to channels (KEg$lshzxetdmnA)."
    ),
    Parameter(
        "tracking-table-max-keys",
        integer(),
        1_000_000,
        "Most keys that are remembered for client-side caches; 0: any number.",
    ),
    Parameter(
        "timely-websocket-timeout",
        integer(1, 86_400),
        60,
        "Seconds after which the subscriptions of a WebSocket end whose client is silent; it is pinged twice in that time.",
    ),
    Parameter("timely-max-frame", memory(1024, 1 << 30), 64 << 10, "Largest message to '/websocket', in bytes."),
    Parameter(
        "timely-subscription-lag",
        integer(0, 86_400),
        0,
        "Subscriptions without an end give points that are at least this many seconds old.",
    ),
    Parameter("timely-subscription-batch", integer(1, 100_000), 1000, "Most points in a message of a subscription."),
    Parameter(
        "timely-subscription-delay",
        integer(0, 3_600_000),
        100,
        "Milliseconds between two messages of a subscription that are not full, where 'add' has no 'delayTime'.",
    ),
    Parameter(
        "timely-subscription-series",
        integer(1),
        100_000,
        "Most series that the subscriptions of one WebSocket may follow.",
    ),
    _only("io-threads", integer(1, 128), 1, "one thread serves all connections"),
    # the Timely API: log-ins and rights
    Parameter(
        "timely-anonymous",
        choice("auto", "yes", "no"),
        "auto",
        "Answer the requests of the Timely API without a log-in, with the rights of the default user; 'auto': unless a password is set.",
    ),
    Parameter(
        "timely-authorizations",
        AUTHORIZATIONS,
        "",
        "Which labels of visibility each user may see in the Timely API: 'test A,B,C; ops D'. Names that are no users of the server may log in there"
        " with the default user's password.",
    ),
    Parameter(
        "timely-session-max-age", integer(1, 10**9), 86_400, "How long a session of the Timely API lasts, in seconds."
    ),
    Parameter(
        "timely-jwt-key",
        TOKEN_SECRET,
        "",
        "Key of the bearer tokens (JWT, HS256) that the Timely API takes; empty: none.",
        secret=True,
    ),
    Parameter(
        "timely-jwt-key-file",
        PATH,
        "",
        "File with the public key (PEM; RSA for RS256, P-256 for ES256) of the bearer tokens that the Timely API takes; empty: none.",
        fixed=True,
    ),
    Parameter(
        "timely-strict",
        BOOL,
        False,
        "Answer as Timely does where OpenTSDB does something else, and refuse what only OpenTSDB has.",
    ),
    Parameter(
        "timely-downsampling",
        choice("timely", "opentsdb"),
        "timely",
        "Whether downsampling has OpenTSDB's functions, fill policies and weeks, months and years too; /api/aggregators lists them then.",
    ),
    # the Ditto face
    Parameter("ditto-database", integer(0, 9999), 0, "Database that has the series of the Ditto API.", fixed=True),
    Parameter(
        "ditto-api-keys",
        API_KEYS,
        "",
        "Keys of the Ditto API and what each allows, as JSON:"
        ' \'{"KEY": {"read": {"everything": true}, "write": {"timeseries": ["sensors-.*"]}}}\'; empty: none.'
        ' With "user" a key belongs to a user, whose rights count in addition.',
        secret=True,
    ),
    Parameter(
        "ditto-api-keys-file",
        PATH,
        "",
        "File with more such keys, in the same form; it is read again when it has changed; empty: none.",
        fixed=True,
    ),
    Parameter(
        "ditto-jwt-key",
        TOKEN_SECRET,
        "",
        "Key of the bearer tokens (JWT, HS256) that the Ditto API takes; empty: none.",
        secret=True,
    ),
    Parameter(
        "ditto-jwt-key-file",
        PATH,
        "",
        "File with the public key (PEM; RSA for RS256, P-256 for ES256) of the bearer tokens that the Ditto API takes; empty: none.",
        fixed=True,
    ),
    Parameter(
        "ditto-require-client-id",
        BOOL,
        False,
        "Refuse POST of events to the Ditto API without the header X-DITTO-CLIENT-ID.",
    ),
    Parameter("daemonize", BOOL, False, "Go on in the background once the server is ready.", fixed=True),
    Parameter("pidfile", PATH, "", "File that holds the process id while the server runs; empty: none.", fixed=True),
    Parameter(
        "supervised",
        choice("no", "systemd", "auto"),
        "no",
        "Tell systemd (Type=notify) when the server is ready and when it ends; 'auto': if systemd asks for it.",
        fixed=True,
    ),
    Parameter(
        "logfile",
        PATH,
        "",
        "File that the log is appended to, opened again on SIGHUP; empty: standard output, or nowhere with"
        " 'daemonize yes'.",
        fixed=True,
    ),
    Parameter("hz", integer(1, 500), 10, "How often a second expired keys are looked for."),
    # thresholds of OBJECT ENCODING
    Parameter(
        "hash-max-listpack-entries",
        integer(0),
        512,
        "Most fields of a hash that is called a listpack.",
        alias="hash-max-ziplist-entries",
    ),
    Parameter(
        "hash-max-listpack-value",
        integer(0),
        64,
        "Longest field or value in such a hash, in bytes.",
        alias="hash-max-ziplist-value",
    ),
    Parameter(
        "list-max-listpack-size",
        integer(-5, 2**31 - 1),
        -2,
        "Size of a list that is called a listpack: entries, or -1 to -5 for 4 to 64 KiB.",
        alias="list-max-ziplist-size",
    ),
    Parameter("set-max-intset-entries", integer(), 512, "Most members of a set that is called an intset."),
    Parameter("set-max-listpack-entries", integer(), 128, "Most members of a set that is called a listpack."),
    Parameter("set-max-listpack-value", integer(), 64, "Longest member of such a set, in bytes."),
    Parameter(
        "zset-max-listpack-entries",
        integer(),
        128,
        "Most members of a sorted set that is called a listpack.",
        alias="zset-max-ziplist-entries",
    ),
    Parameter(
        "zset-max-listpack-value",
        integer(),
        64,
        "Longest member of such a sorted set, in bytes.",
        alias="zset-max-ziplist-value",
    ),
    _only("list-compress-depth", integer(), 0, "lists are not compressed"),
    Parameter(
        "hll-sparse-max-bytes", memory(0, 16384), 3000, "Bytes of registers up to which a HyperLogLog is kept sparse."
    ),
    Parameter(
        "stream-node-max-entries",
        integer(),
        100,
        "Most entries of a stream's node, which approximate trimming removes as a whole; 0: 10000.",
    ),
    Parameter("stream-node-max-bytes", memory(), 4096, "Most bytes of a stream's node; 0: 1 GiB."),
    # observation
    Parameter(
        "latency-tracking",
        BOOL,
        True,
        "Count how often each command took how long: LATENCY HISTOGRAM, INFO latencystats.",
    ),
    Parameter(
        "latency-tracking-info-percentiles",
        PERCENTILES,
        [50.0, 99.0, 99.9],
        "Percentiles that INFO latencystats shows, separated by spaces.",
    ),
    Parameter(
        "loglevel",
        choice("debug", "verbose", "notice", "warning", "nothing"),
        "notice",
        "Least important log lines that are written.",
    ),
    Parameter(
        "slowlog-log-slower-than", integer(-1), 10000, "Microseconds from which a command is logged as slow; -1: never."
    ),
    Parameter("slowlog-max-len", integer(0), 128, "Entries of the slow log."),
    Parameter("latency-monitor-threshold", integer(0), 0, "Milliseconds from which LATENCY notes an event; 0: never."),
    Parameter("server-name", TEXT, "januskv", "The server_name of INFO.", fixed=True),
    # of redis.conf: what would ask for something unsupported
    _only("activedefrag", BOOL, False, "memory is not defragmented"),
    _only("locale-collate", TEXT, "", "SORT ALPHA compares bytes"),
    _only("oom-score-adj", choice("no", "yes", "relative", "absolute"), "no", "let the service manager set it"),
    _only("shutdown-on-sigint", TEXT, "default", _ONE_END),
    _only("shutdown-on-sigterm", TEXT, "default", _ONE_END),
    _only("socket-mark-id", integer(), 0, "sockets are not marked"),
    _only("syslog-enabled", BOOL, False, "the log goes to 'logfile' or standard output", fixed=True),
    # of redis.conf: without effect
    *_idle(
        "log and snapshots have a format and file names of their own",
        BOOL,
        {
            "aof-disable-auto-gc": False,
            "aof-timestamp-enabled": False,
            "aof-use-rdb-preamble": True,
            "rdb-del-sync-files": False,
            "rdbchecksum": True,
            "rdbcompression": True,
        },
    ),
    *_idle(
        "log and snapshots have a format and file names of their own",
        FILE_NAME,
        {"appenddirname": "appendonlydir", "appendfilename": "appendonly.aof", "dbfilename": "dump.rdb"},
        fixed=True,
    ),
    *_idle(
        "the log is synced as 'appendfsync' says, whatever else runs",
        BOOL,
        {
            "aof-rewrite-incremental-fsync": True,
            "no-appendfsync-on-rewrite": False,
            "rdb-save-incremental-fsync": True,
        },
    ),
    *_idle(
        _NO_REPLICATION,
        BOOL,
        {
            "repl-disable-tcp-nodelay": False,
            "repl-diskless-sync": True,
            "replica-ignore-maxmemory": True,
            "replica-lazy-flush": False,
        },
        _SLAVE,
    ),
    *_idle(
        _NO_REPLICATION,
        integer(),
        {
            "repl-backlog-ttl": 3600,
            "repl-diskless-sync-delay": 5,
            "repl-ping-replica-period": 10,
            "repl-timeout": 60,
            "replica-announce-port": 0,
            "replica-priority": 100,
            "shutdown-timeout": 10,
        },
        _SLAVE,
    ),
    *_idle(_NO_REPLICATION, BOOL, {"replica-announced": True, "replica-ignore-disk-write-errors": False}),
    *_idle(_NO_REPLICATION, integer(), {"repl-diskless-sync-max-replicas": 0}),
    *_idle(_NO_REPLICATION, memory(), {"repl-backlog-size": 1 << 20}),
    *_idle(_NO_REPLICATION, TEXT, {"bind-source-addr": "", "replica-announce-ip": "", "masteruser": ""}, _SLAVE),
    *_idle(_NO_REPLICATION, TEXT, {"masterauth": ""}, secret=True),
    *_idle(
        _NO_REPLICATION,
        choice("disabled", "on-empty-db", "swapdb", "flush-before-load"),
        {"repl-diskless-load": "disabled"},
    ),
    *_idle(_NO_REPLICATION, choice("ignore", "panic", "panic-on-replicas"), {"propagation-error-behavior": "ignore"}),
    *_idle(
        _NO_CLUSTER,
        BOOL,
        {
            "cluster-allow-pubsubshard-when-down": True,
            "cluster-allow-reads-when-down": False,
            "cluster-replica-no-failover": False,
            "cluster-require-full-coverage": True,
        },
        _SLAVE,
    ),
    *_idle(
        _NO_CLUSTER,
        integer(),
        {
            "cluster-announce-bus-port": 0,
            "cluster-announce-port": 0,
            "cluster-announce-tls-port": 0,
            "cluster-migration-barrier": 1,
            "cluster-node-timeout": 15000,
            "cluster-replica-validity-factor": 10,
        },
        _SLAVE,
    ),
    *_idle(_NO_CLUSTER, BOOL, {"cluster-allow-replica-migration": True}),
    *_idle(_NO_CLUSTER, memory(), {"cluster-link-sendbuf-limit": 0}),
    *_idle(
        _NO_CLUSTER,
        TEXT,
        {"cluster-announce-hostname": "", "cluster-announce-human-nodename": "", "cluster-announce-ip": ""},
    ),
    *_idle(_NO_CLUSTER, integer(0, 65535), {"cluster-port": 0}, fixed=True),
    *_idle(_NO_CLUSTER, TEXT, {"cluster-config-file": "nodes.conf"}, fixed=True),
    *_idle(
        _NO_CLUSTER,
        choice("ip", "hostname", "unknown-endpoint"),
        {"cluster-preferred-endpoint-type": "ip"},
    ),
    *_idle(_NO_OUTGOING, TEXT, {"tls-client-cert-file": "", "tls-client-key-file": ""}),
    *_idle(_NO_OUTGOING, TEXT, {"tls-client-key-file-pass": ""}, secret=True),
    *_idle(_NO_OUTGOING, BOOL, {"tls-cluster": False, "tls-replication": False}),
    *_idle(_NO_EVICTION, integer(), {"lfu-decay-time": 1, "lfu-log-factor": 10}),
    *_idle(
        "big values are always freed in steps",
        BOOL,
        {
            "lazyfree-lazy-eviction": False,
            "lazyfree-lazy-expire": False,
            "lazyfree-lazy-server-del": False,
            "lazyfree-lazy-user-del": False,
            "lazyfree-lazy-user-flush": False,
        },
    ),
    *_idle(
        "memory is not defragmented",
        integer(),
        {
            "active-defrag-cycle-max": 25,
            "active-defrag-cycle-min": 1,
            "active-defrag-max-scan-fields": 1000,
            "active-defrag-threshold-lower": 10,
            "active-defrag-threshold-upper": 100,
        },
    ),
    *_idle("memory is not defragmented", memory(1), {"active-defrag-ignore-bytes": 100 << 20}),
    *_idle(
        "it tunes the insides of redis-server",
        BOOL,
        {"activerehashing": True, "dynamic-hz": True, "jemalloc-bg-thread": True},
    ),
    *_idle(
        "it tunes the insides of redis-server", BOOL, {"disable-thp": True, "io-threads-do-reads": False}, fixed=True
    ),
    *_idle(
        "it tunes the insides of redis-server",
        integer(1),
        {"active-expire-effort": 1, "max-new-connections-per-cycle": 10},
    ),
    *_idle(
        "it tunes the insides of redis-server",
        TEXT,
        {"aof_rewrite_cpulist": "", "bgsave_cpulist": "", "bio_cpulist": "", "server_cpulist": ""},
        fixed=True,
    ),
    *_idle("the title of the process stays", BOOL, {"set-proc-title": True}, fixed=True),
    *_idle("the title of the process stays", TEXT, {"proc-title-template": "{title} {listen-addr} {server-mode}"}),
    *_idle("there is no logo", BOOL, {"always-show-logo": False}, fixed=True),
    *_idle("there are no such checks", TEXT, {"ignore-warnings": ""}),
    *_idle(
        "a crash leaves Python's own report",
        BOOL,
        {"crash-log-enabled": True, "crash-memcheck-enabled": True, "hide-user-data-from-log": False},
    ),
    *_idle("see 'syslog-enabled'", TEXT, {"syslog-facility": "local0", "syslog-ident": "redis"}, fixed=True),
    *_idle("see 'oom-score-adj'", TEXT, {"oom-score-adj-values": "0 200 800"}),
    *_idle("RESTORE is not built yet", choice("no", "yes", "clients"), {"sanitize-dump-payload": "no"}),
    # of Redis' own tests
    *_idle(_NO_DEPRECATED_API, BOOL, {"lua-enable-deprecated-api": False}, fixed=True, hidden=True),
    *_idle(
        "loading and saving are not slowed down",
        integer(-(2**31), 2**31 - 1),
        {"key-load-delay": 0, "rdb-key-save-delay": 0},
        hidden=True,
    ),
    *_idle(
        "clients are served between slices of loading",
        memory(),
        {"loading-process-events-interval-bytes": 1 << 21},
        hidden=True,
    ),
    *_idle("nothing watches the event loop", integer(0, 2**31 - 1), {"watchdog-period": 0}, hidden=True),
    *_idle("a crash ends the process", BOOL, {"use-exit-on-panic": False}, hidden=True),
)

# Lines of redis.conf that are not parameters: why they fail, or "" if Redis ignores them too.
DIRECTIVES = {
    "loadmodule": "there are no modules",
    "rename-command": "commands cannot be renamed yet",
    "sentinel": "this is not a sentinel",
    "list-max-ziplist-entries": "",
    "list-max-ziplist-value": "",
    "lua-replicate-commands": "",
}

# The first parameter of each group -> heading in --help; idle ones, and those with a single value, are left out there.
GROUPS = {
    "bind": "Listeners and connections",
    "tls-port": "TLS",
    "timely-port": "Points in Timely's forms",
    "proto-max-bulk-len": "Limits of a client",
    "requirepass": "Access",
    "databases": "Data and durability",
    "notify-keyspace-events": "Events",
    "timely-anonymous": "The Timely API",
    "ditto-database": "The Ditto API",
    "daemonize": "Process",
    "hz": "Periodic tasks",
    "hash-max-listpack-entries": "Encodings",
    "loglevel": "Observation",
}

BY_NAME: dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS} | {
    parameter.alias: parameter for parameter in PARAMETERS if parameter.alias is not None
}


def unknown(name: str) -> ConfigError:
    """The error for an unknown name, with a suggestion."""
    near = difflib.get_close_matches(name.lower(), [each.name for each in PARAMETERS], 1, 0.75)
    meant = f", did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"unknown parameter {name!r}{meant}")
