"""The properties of a request's JSON object, read as Jackson reads them for Timely: texts become numbers where numbers are wanted.

What a request asks for that nothing has is refused, as in Timely, unless it is known to come from OpenTSDB's or Grafana's side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from .errors import BadRequest, UnknownProperty

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,19})\s*")
_MOST: Final = (1 << 63) - 1
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE", ""})


class Properties:
    """One JSON object of a request. ``where`` names it in errors."""

    __slots__ = ("members", "where")

    def __init__(self, members: object, where: str, known: Collection[str], passed_over: Collection[str] = ()) -> None:
        if not isinstance(members, Mapping):
            raise BadRequest(f"{where} is not a JSON object")
        self.members: Mapping[str, Any] = members
        self.where = where
        for name in members:
            if name not in known and name not in passed_over:
                raise UnknownProperty(
                    f'Unrecognized field "{shown(name)}" in {where}', f"It has {', '.join(sorted(known))}"
                )

    def has(self, name: str) -> bool:
        """Whether a property is there, and not null."""
        return self.members.get(name) is not None

    def get(self, name: str) -> Any:
        """A property as it is, None where there is none."""
        return self.members.get(name)

    def text(self, name: str) -> str | None:
        """A text; numbers and booleans become one. None where there is none."""
        value = self.members.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise self.wrong(name, "a text")

    def boolean(self, name: str, default: bool = False) -> bool:
        """A truth value, also as a text or as a number that is 0 or not."""
        value = self.members.get(name)
        if value is None:
            return default
        if isinstance(value, bool | int):
            return bool(value)
        if isinstance(value, str) and value.strip() in _TRUE | _FALSE:
            return value.strip() in _TRUE
        raise self.wrong(name, "true or false")

    def integer(self, name: str, default: int = 0) -> int:
        """An integer of 64 bits, also as a text."""
        value = self.members.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, str):
            found = _INTEGER.fullmatch(value)
            value = None if found is None else int(found[1])
        elif isinstance(value, float) and math.isfinite(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MOST:
            raise self.wrong(name, "an integer")
        return value

    def number(self, name: str, default: float = 0.0) -> float:
        """A number, also as a text."""
        value = self.members.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                found = float(value)
            except (ValueError, OverflowError):
                raise self.wrong(name, "a number") from None
            if math.isfinite(found):
                return found
        raise self.wrong(name, "a number")

    def array(self, name: str) -> list[Any]:
        """The elements of an array; none where there is none."""
        value = self.members.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "an array")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """An object of texts; an empty array means none, too."""
        value = self.members.get(name)
        if value is None or value == []:
            return {}
        if not isinstance(value, Mapping):
            raise self.wrong(name, "an object")
        inner = Properties(value, f"'{name}'", value)
        found = {key: inner.text(key) for key in value}
        if None in found.values():
            raise self.wrong(name, "an object of texts")
        return {key: text for key, text in found.items() if text is not None}

    def wrong(self, name: str, what: str) -> BadRequest:
        """The error for a property that is not what is wanted."""
        return BadRequest(f"'{name}' in {self.where} is not {what}")


def shown(text: str) -> str:
    """A text of a client in an error, which stays short."""
    return text if len(text) <= 100 else f"{text[:100]}..."
