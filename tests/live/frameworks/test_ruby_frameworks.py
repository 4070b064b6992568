"""Sidekiq, of Debian's packages, against a running server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live


def test_sidekiq(job: Callable[..., Any]) -> None:
    found = job("sidekiq_jobs.rb", "sidekiq")
    assert int(found.pop("version").split(".")[0]) >= 6
    assert int(found.pop("redis").split(".")[0]) >= 4
    assert found == {
        "before": [3, ["default", "low"], 2],
        "found": ["later"],
        "notes": ["at once", "bulk", "bulk", "later", "low"],
        "waited": True,
        "failed": "given up: try 2",
        "dead": ["Failing"],
        "processes": [["default", "low"]],
        "stats": [7, 2, 0, 0, 1, 1],
        "cleared": 0,
    }
