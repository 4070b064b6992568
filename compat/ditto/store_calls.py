"""Store calls: commands that maintain the documents of ``__timeseries``, done in order, each a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from januskv.compat.server.permissions import Permissions
from januskv.storage.filters import BadFilter, Filter, parse_filter

from . import documents
from .endpoints import bad_name, is_name
from .errors import DittoError

if TYPE_CHECKING:
    from januskv.storage.event_writing import Transactions
    from januskv.storage.keyspace import Keyspace

MOST_COMMANDS: Final = 1000
_UPSERT: Final = ("method", "collection", "id", "value")
_REMOVE: Final = ("method", "collection", "query", "args")


@dataclass(frozen=True, slots=True)
class Upsert:
    """Members that are put into the document of a series."""

    name: str
    members: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remove:
    """The documents that are removed: those that a filter keeps, and the names of those there are."""

    query: Filter
    names: tuple[str, ...] = ()


Command = Upsert | Remove


def read_commands(given: dict[str, Any]) -> list[Command]:
    """The commands of a request. Raises DittoError (400)."""
    found = given["commands"]
    if len(found) > MOST_COMMANDS:
        raise DittoError(400, f"A request has {MOST_COMMANDS} commands at most")
    return [_command(each, number) for number, each in enumerate(found, 1)]


def commands_of_v1(given: dict[str, Any]) -> list[Command]:
    """The commands of a request in the old form. Raises DittoError (400)."""
    if given["method"] != "write":
        raise DittoError(400, "The method is to be 'write'")
    inner = given["parameters"].get("commands")
    if not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
        raise DittoError(400, "'parameters' is to have a list of objects, 'commands'")
    return read_commands({"commands": inner})


def _command(given: dict[str, Any], number: int) -> Command:
    where = f"command {number}"
    readers: dict[str, tuple[Callable[[dict[str, Any], str], Command], Sequence[str]]] = {
        "upsert": (_upsert, _UPSERT),
        "remove": (_remove, _REMOVE),
    }
    method = given.get("method")
    if not isinstance(method, str) or method not in readers:
        raise DittoError(400, f"{where}: the method is to be 'upsert' or 'remove'")
    if given.get("collection") != documents.COLLECTION:
        raise DittoError(400, f"{where}: the only collection is '{documents.COLLECTION}'")
    reader, known = readers[method]
    for name in given:
        if name not in known:
            raise DittoError(400, f"{where}: there is no member {name[:100]!a}; there are: {', '.join(known)}")
    return reader(given, where)


def _upsert(given: dict[str, Any], where: str) -> Command:
    value = given.get("value")
    if not isinstance(value, dict):
        raise DittoError(400, f"{where}: 'value' is to be an object")
    ids = [each for each in (given.get("id"), value.get(documents.ID)) if each is not None]
    if not ids or not all(isinstance(each, str) for each in ids) or len(set(ids)) > 1:
        raise DittoError(400, f"{where}: it is to have one id, in 'id' or in '{documents.ID}' of 'value'")
    if not is_name(ids[0]):
        raise DittoError(400, f"{where}: {bad_name().message}")
    return Upsert(ids[0], value)


def _remove(given: dict[str, Any], where: str) -> Command:
    query, args = given.get("query"), given.get("args")
    if not isinstance(query, str):
        raise DittoError(400, f"{where}: 'query' is to be a text")
    if not isinstance(args, dict | None):
        raise DittoError(400, f"{where}: 'args' is to be an object")
    try:
        return Remove(parse_filter(query, args))
    except BadFilter as error:
        raise DittoError(400, f"{where}: {error.message}") from None


# ---------------------------------------------------------------- doing


def permitted(commands: Sequence[Command], keyspace: Keyspace, permissions: Permissions) -> list[Command]:
    """The commands, with the names of what is removed. Raises DittoError (403) if one is about a series that is not allowed.

    Nothing has been done then. What earlier commands of the request put in is allowed.
    """
    allowed: list[Command] = []
    known = dict(documents.documents(keyspace))
    for command in commands:
        if isinstance(command, Upsert):
            names: tuple[str, ...] = (command.name,)
            known[command.name] = {**known.get(command.name, {}), **command.members}
            allowed.append(command)
        else:
            names = tuple(
                name for name, document in known.items() if command.query.keeps({**document, documents.ID: name}, 0)
            )
            for name in names:
                del known[name]
            allowed.append(replace(command, names=names))
        if not all(map(permissions.write.allows, names)):
            raise DittoError(403, "This is not allowed")
    return allowed


def do(commands: Sequence[Command], transactions: Transactions) -> list[dict[str, Any]]:
    """Do commands; what each gives. Raises WrongType before the first one."""
    keyspace = transactions.keyspace
    transactions.check()
    results: list[dict[str, Any]] = []
    for command in commands:
        if isinstance(command, Upsert):
            documents.merge(keyspace, command.name, command.members)
            results.append({"method": "upsert", "transactionId": transactions.new()})
        else:
            deleted = documents.remove(keyspace, list(command.names))
            results.append({"method": "remove", "transactionId": transactions.new(), "deleted": deleted})
    return results
