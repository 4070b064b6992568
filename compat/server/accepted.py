"""What a client of the HTTP port takes: the headers Accept and Accept-Encoding."""

from __future__ import annotations

from collections.abc import Iterable


def ranked(headers: Iterable[str]) -> list[tuple[str, float]]:
    """What stands in Accept headers, the best first, with its quality."""
    found = []
    for part in ",".join(headers).split(","):
        name, *parameters = [word.strip().lower() for word in part.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name:
            found.append((name, quality))
    return sorted(found, key=lambda each: -each[1])


def packing(headers: Iterable[str]) -> str | None:
    """How an answer may be packed: ``gzip``, ``deflate`` or not at all."""
    for name, quality in ranked(headers):
        if quality <= 0:
            break
        if name in ("gzip", "x-gzip", "*"):
            return "gzip"
        if name == "deflate":
            return "deflate"
    return None
