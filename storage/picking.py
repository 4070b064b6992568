"""Random members of sets and fields of hashes. The compiled implementation takes constant time; this one walks to it."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any


def random_member(members: set[bytes]) -> bytes:
    """One member of a set that is not empty, each equally likely. O(N), compiled O(1) on average."""
    return next(islice(members, random.randrange(len(members)), None))


def random_field(fields: dict[bytes, Any]) -> bytes:
    """One field of a hash that is not empty, each equally likely. O(N), compiled O(1) on average."""
    return next(islice(fields, random.randrange(len(fields)), None))


def sampled(items: list[bytes], count: int) -> list[bytes]:
    """``count`` different items of a list at random, in no order. The list must not be used afterwards. O(count)."""
    return random.sample(items, count)
