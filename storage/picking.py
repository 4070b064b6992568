"""Random members of sets. The compiled twin (``picking.pyx``) finds one in constant time, this one walks to it."""

from __future__ import annotations

import random
from itertools import islice


def random_member(members: set[bytes]) -> bytes:
    """One member of a set that is not empty, each with the same probability. O(N), compiled O(1) on average."""
    return next(islice(members, random.randrange(len(members)), None))
