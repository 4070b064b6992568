"""Time series of vega_datasets: stored through redis-py, queried with labels, read again as JSON.

    pip install redis vega_datasets
    januskv &
    python examples/weather_and_stocks.py [--port 6379]

Stores the prices of five companies and a year's hourly temperatures of two cities, each in a series with labels.
Prints the yearly mean of every company, temperatures of each quarter, and one series as a JSON client sees it.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import redis
from vega_datasets import local_data

DAY_MS = 86_400_000


def milliseconds(moment: Any) -> int:
    """A pandas timestamp in ms since the epoch."""
    return int(moment.timestamp() * 1000)


def store(series: Any, name: str, samples: list[tuple[int, float]], labels: dict[str, str]) -> int:
    """Make a series and put its samples in; how many there are."""
    series.create(name, labels=labels, duplicate_policy="last")
    series.madd([(name, at, value) for at, value in samples])
    return len(samples)


def main() -> None:
    """Store, query, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=6379)
    port = parser.parse_args().port
    client = redis.Redis(port=port, protocol=2, decode_responses=True)
    series = client.ts()
    stored = 0
    for symbol, rows in local_data.stocks().groupby("symbol"):
        samples = [(milliseconds(at), float(price)) for at, price in zip(rows["date"], rows["price"], strict=True)]
        stored += store(series, f"price:{symbol}", samples, {"kind": "price", "symbol": str(symbol)})
    for place, rows in (("Seattle", local_data.seattle_temps()), ("San Francisco", local_data.sf_temps())):
        samples = [(milliseconds(at), float(temp)) for at, temp in zip(rows["date"], rows["temp"], strict=True)]
        stored += store(series, f"temp:{place}", samples, {"kind": "temperature", "place": place})
    print(f"{stored} samples in {len(series.queryindex(['kind=(price,temperature)']))} series")
    found = series.mrange(
        "-", "+", ["kind=price"], aggregation_type="avg", bucket_size_msec=365 * DAY_MS, groupby="symbol", reduce="avg"
    )
    for row in found:
        for title, (_, samples) in row.items():
            print(f"{title}: {', '.join(f'{value:.0f}' for _, value in samples)}")
    for function in ("max", "p50", "min"):
        found = series.mrange(
            "-",
            "+",
            ["kind=temperature"],
            aggregation_type=function,
            bucket_size_msec=91 * DAY_MS,
            groupby="place",
            reduce="avg",
        )
        for row in found:
            for title, (_, samples) in row.items():
                print(f"{title}, {function} of each quarter: {', '.join(f'{value:.1f}' for _, value in samples)}")
    query = {"ts": "price:AAPL", "rng": [], "agg": {"member": "value", "fn": ["min", "max"], "bucket": 3650 * DAY_MS}}
    print(json.loads(client.execute_command("TS_GET", json.dumps(query))))


if __name__ == "__main__":
    main()
