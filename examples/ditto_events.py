"""The time series API of Ditto, one request after the other: events of a sensor are stored, asked for and deleted.

    pip install requests
    januskv &
    python examples/ditto_events.py [--port 8379] [--series my-time-series]

An event is a JSON object with a time to the nanosecond, ``_time``; a series is created by its first event. Events of this series in
the years 2020 to 2029 are deleted first, so that the example can be run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import requests

JSON_LINES = "application/json-l"  # one event a line
# Queries go up to now where they say nothing else, from 1970 on.
DECADE = {"start": "2020-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}

READING = {
    "_time": "2021-04-20T12:34:56.123456789Z",
    "temp": {"value": 30, "units": "celsius"},
    "humidity": {"relative": 30, "absolute": 15, "units": "g/m3"},
}
STEPS = [
    {"_time": "2021-04-20T13:00:00Z", "c": 1},
    {"_time": "2021-04-20T13:00:01Z", "b": 0, "n": {"a": 0, "c": 1}},
    {"_time": "2021-04-20T13:00:02Z", "a": 0},
    {"_time": "2021-04-20T13:00:03Z", "a": 0, "n": None},
]
DEVICES = [
    {
        "_time": f"2022-05-01T08:00:0{number}Z",
        "minutes": number % 3,
        "nested": {"device_id": f"device{number % 2}", "tags": tags},
    }
    for number, tags in enumerate([["tag1"], ["tag2"], ["tag1", "tag2"], [], ["tag2"]])
]


class Series:
    """One series on a server."""

    def __init__(self, port: int, name: str) -> None:
        self.server = f"http://127.0.0.1:{port}"
        self.name = name
        self.url = f"{self.server}/api/v1/timeseries/{name}/events"
        self.http = requests.Session()

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """What a request is answered with. Ends the program where the server refuses, or is not there."""
        try:
            answer = self.http.request(method, url, timeout=60, **options)
        except requests.ConnectionError as error:
            sys.exit(f"no server on {self.server}: {error}; januskv starts one")
        if not answer.ok:
            sys.exit(f"{method} {url}: {answer.status_code} {answer.text}")
        return answer

    def insert(self, events: list[dict[str, Any]], **headers: str) -> int:
        """Store events, all or none; the number of the transaction."""
        lines = "".join(json.dumps(event) + "\n" for event in events)
        answer = self.ask("POST", self.url, data=lines.encode(), headers={"Content-Type": JSON_LINES, **headers})
        return int(answer.json()["txn_id"])

    def query(self, headers: dict[str, str] | None = None, **parameters: Any) -> list[dict[str, Any]]:
        """The events that parameters mean: they are the body of a GET."""
        return items(self.ask("GET", self.url, json=DECADE | parameters, headers=headers))

    def pages(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """All events, some at a time."""
        answer = self.ask("GET", self.url, params=DECADE | {"limit": size})
        yield items(answer)
        while answer.headers.get("X-Result-Truncated") == "true":
            # The rest begins a nanosecond behind the last event; the server says so in a header Link.
            answer = self.ask("GET", urljoin(self.url, answer.links["next"]["url"]))
            yield items(answer)

    def distinct(self, *paths: str) -> dict[str, list[Any]]:
        """Which values members have."""
        url = f"{self.server}/api/v2/timeseries/{self.name}/distinct_values"
        found: dict[str, list[Any]] = self.ask("POST", url, json=DECADE | {"paths": paths}).json()["item"]
        return found

    def store(self, *commands: dict[str, Any]) -> None:
        """Change documents of the collection ``__timeseries``, which has one for each series that wants one."""
        commands = tuple({"collection": "__timeseries", **command} for command in commands)
        self.ask("POST", f"{self.server}/api/v4/store/write", json={"commands": commands})


def items(answer: requests.Response) -> list[dict[str, Any]]:
    """The events in an answer."""
    found = []
    for line in answer.text.split("\n")[:-1]:  # and not splitlines(): texts in events may have other line ends
        each = json.loads(line)
        if "error" in each:  # status 200 was sent before something went wrong
            sys.exit(f"the answer ends early: {each['error']}")
        found.append(each["item"])
    return found


def show(what: str, *found: Any) -> None:
    print(f"\n{what}")
    for each in found:
        print(f"  {json.dumps(each)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Store, query and delete events by the API of Ditto.")
    parser.add_argument("--port", type=int, default=8379, help="HTTP port of the server")
    parser.add_argument("--series", default="my-time-series", help="name of the series")
    options = parser.parse_args()
    series = Series(options.port, options.series)
    series.ask("DELETE", series.url, params=DECADE)

    # A write has a number. A query that names it sees that write: it is answered with 404 where there was none yet.
    transaction = series.insert([READING])
    show("read what was written", *series.query({"X-DITTO-TXN-ID": str(transaction)}))

    series.insert(STEPS)
    show("filter a >= 0", *series.query(filter="a >= 0"))
    # A number below 0 is descending. What is missing goes first ascending, and last descending.
    show("order by b, then by time backwards", *series.query(filter="!temp", order_by=[["b", -1], ["_time", -1]]))
    # Members that are missing are filled in: by a value, or by that of the result before.
    template = {"a": -1, "n": {"c": "$PREVIOUS"}}
    show("fill missing members", *series.query(filter="!temp", fill_template=template))
    show("which index a filter would ask", *series.query(filter="device == 1", describe=True))

    series.insert(DEVICES)
    paths = ("minutes", "nested.device_id", "nested.tags[*]", "nested", "nested.tags")
    show("distinct values", series.distinct(*paths))
    for number, page in enumerate(series.pages(4)):
        show(f"page {number + 1}", *(event["_time"] for event in page))

    # When an event expires: it says so itself, or the request, or the document of its series. The first that does counts.
    series.store({"method": "upsert", "id": series.name, "value": {"default_ttl_seconds": 86400}})
    series.insert([{"_time": "2023-01-01T00:00:00Z", "by": "series"}])
    series.insert([{"_time": "2023-01-01T00:00:01Z", "by": "request"}], **{"X-EVENT-TTL-SECONDS": "600"})
    series.insert([{"_time": "2023-01-01T00:00:02Z", "by": "event", "_expiration": "2100-01-01T00:00:00Z"}])
    series.insert([{"_time": "2023-01-01T00:00:03Z", "by": "event", "_expiration": "2000-01-01T00:00:00Z"}])
    show("events that expire, without one that has", *series.query(filter="by"))
    series.store({"method": "remove", "query": f"_id == {json.dumps(series.name)}"})

    deleted = series.ask("DELETE", series.url, params=DECADE | {"filter": "by == 'event' || nested"}).json()
    show("delete", deleted)
    show("what is left", *(event["_time"] for event in series.query({"X-DITTO-TXN-ID": str(deleted["txn_id"])})))


if __name__ == "__main__":
    main()
