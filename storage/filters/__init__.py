"""Filters over events: a language of paths and comparisons, and what is made of the events that a filter keeps.

``lexer`` and ``parser`` make a tree (``nodes``) of a text; ``evaluation`` makes nested functions of the tree, with
``paths``, ``comparisons``, ``functions`` and ``regexes`` as its parts; ``plans`` says which index would serve a filter.
``filter`` puts these together. ``order`` sorts events, ``fill`` fills gaps, ``distinct`` collects values.
"""

from .distinct import DistinctValues
from .errors import BadFilter
from .fill import BadTemplate, Fill
from .filter import Filter, parse_expression, parse_filter
from .order import TopRows, order_key
from .plans import Bound, Plan, Terms
from .values import EventTime, equal

__all__ = [
    "BadFilter",
    "BadTemplate",
    "Bound",
    "DistinctValues",
    "EventTime",
    "Fill",
    "Filter",
    "Plan",
    "Terms",
    "TopRows",
    "equal",
    "order_key",
    "parse_expression",
    "parse_filter",
]
