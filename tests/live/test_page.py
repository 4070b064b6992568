"""The page in a headless browser, used as people use it: with the pointer and with keys only, in light and dark.

tests/live/install-clients installs the browser and what drives it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

MODULES = Path(__file__).parent.parent.parent / ".clients" / "node" / "node_modules"
SCRIPT = Path(__file__).parent / "clients" / "page.js"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def visit(server: Any, scenario: str, *, may_complain: str = "") -> dict[str, Any]:
    """Let the browser do a scenario; what it has seen. It must load nothing from elsewhere, and complain of nothing."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or not (MODULES / "puppeteer-core").is_dir():
        pytest.skip("tests/live/install-clients has not been run")
    url = f"http://127.0.0.1:{server.http_port}"
    pictures = os.environ.get("JANUSKV_PICTURES")
    picture = [f"{pictures}/{scenario}.png"] if pictures else []
    done = subprocess.run(
        ["node", str(SCRIPT), browser, url, scenario, *picture],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"NODE_PATH": str(MODULES)},
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert all(each.startswith((f"{url}/", f"ws{url[4:]}/")) for each in seen["requests"]), seen["requests"]
    assert [each for each in seen["console"] if not (may_complain and may_complain in each)] == []
    return seen


@pytest.fixture
def filled(start_januskv: Callable[..., Any]) -> Any:
    """A server with an hour of points of two metrics."""
    server = start_januskv()
    now_ms = int(time.time() * 1000)
    lines = [
        f"put page.{metric} {now_ms - 3_600_000 + second * 1000} {second % 300 + 100 * number} host={host}\n"
        for second in range(0, 3600, 10)
        for number, (metric, host) in enumerate((("cpu", "a"), ("cpu", "b"), ("disk", "a")))
    ]
    with server.connect() as sock:
        sock.sendall("".join(lines).encode() + b"TS.GET page.disk{host=a}\r\n")
        assert sock.recv(1000).startswith(b"*2")
    return server


def test_a_metric_is_chosen_and_drawn(filled: Any) -> None:
    seen = visit(filled, "load")
    assert seen["metrics"] == ["page.cpu", "page.disk"]
    assert (seen["series"], seen["databases"]) == ("3", "0 (metrics)330")
    assert seen["lines"] == ["host=a", "host=b"]
    assert 500 < seen["pixelsWithoutALine"] < seen["pixels"]


def test_points_appear_as_they_arrive(filled: Any) -> None:
    seen = visit(filled, "live")
    assert seen["before"] != seen["after"]


def test_everything_can_be_done_with_keys(filled: Any) -> None:
    seen = visit(filled, "keyboard")
    assert seen["way"] == ["Skip to the metrics", "metric"]
    last, before = seen["readings"]
    assert "host=a" in last
    assert last != before
    assert seen["pressed"] == "false"


def test_light_and_dark(filled: Any) -> None:
    seen = visit(filled, "dark")
    assert seen["dark"][0] != seen["light"][0]
    assert seen["pixels"] > 500


def test_a_narrow_screen_does_not_scroll_sideways(filled: Any) -> None:
    assert visit(filled, "narrow")["overflow"] == 0


def test_what_goes_wrong_is_said(filled: Any) -> None:
    assert visit(filled, "problem", may_complain="400")["problem"].startswith("No matching tags")


def test_a_password_is_asked_for_once(start_januskv: Callable[..., Any]) -> None:
    server = start_januskv("--requirepass", "secret", password="secret")
    seen = visit(server, "login", may_complain="401")
    assert seen["focused"] == "password"
    assert seen["problem"] == "User or password is wrong."
    assert (seen["open"], seen["stillOpen"]) == (False, False)
