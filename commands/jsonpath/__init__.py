"""JSONPath in the dialect of NemesisDB (jsoncons 0.173; specs: nemesis.md, section 6.1).

It is our own because no library speaks this dialect: an absent member reads as null, a bare path is
a truth test, and there are ``=~``, arithmetic, ``^`` and functions. User expressions run on re2.

    parse.py      text -> Path: steps, selectors, expressions
    selectors.py  the steps, over (location, value) pairs
    expressions.py  filters: operators and values
    functions.py  the functions of filters
"""

from .errors import PathError, PathTooCostly
from .parse import compile
from .path import Location, Match, Path, normalised

__all__ = ["Location", "Match", "Path", "PathError", "PathTooCostly", "compile", "normalised"]
