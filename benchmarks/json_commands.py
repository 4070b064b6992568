"""Native JSON commands over JSON lines and WebSocket, beside what NemesisDB reaches on such a machine.

    python benchmarks/json_commands.py [--builds compiled,plain] [--rounds 3]

50 clients, unpipelined and 16 requests in flight, random keys of 100,000, values of 32 bytes. redis-benchmark's
SET and GET of the same run stand beside, for scale.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess

from redis_side_by_side import measure
from servers import compiled_tool, januskv, on_client_core, redis_server

# NemesisDB 0.6.3 (C++, WebSocket), thousand requests a second by (kind, pipeline); ten keys: thousand keys a second.
NEMESIS = {("kv_set", 1): 168, ("kv_get", 1): 166, ("kv_set", 16): 400, ("kv_get", 16): 330, ("kv_set10", 16): 1190}
KINDS = ("kv_set", "kv_get", "kv_set10", "kv_get10")


def load(port: int, mode: str, kind: str, pipeline: int) -> float:
    """One run of the load generator: thousand requests (with ten keys: keys) a second."""
    count = 200_000 if kind.endswith("10") else 300_000 if pipeline == 1 else 600_000
    argv = [
        *on_client_core(),
        str(compiled_tool("jsonload.c")),
        str(port),
        mode,
        kind,
        "50",
        str(pipeline),
        str(count),
        "100000",
        "32",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=True)
    return float(json.loads(done.stdout)["keys_per_s"]) / 1000


def main() -> None:
    """Run all kinds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=lambda text: text.split(","), default=["compiled", "plain"])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        servers = [stack.enter_context(januskv(build)) for build in args.builds]
        heads = " | ".join(f"{server.name} lines | WebSocket" for server in servers)
        print(f"| command | P | NemesisDB | {heads} | Redis SET / GET |")
        print("|---|---|---|" + "---|---|" * len(servers) + "---|")
        for pipeline in (1, 16):
            for kind in KINDS:
                rates: list[list[float]] = [[] for _ in range(2 * len(servers))]
                beside: list[float] = []
                for _ in range(args.rounds):
                    for i, server in enumerate(servers):
                        rates[2 * i].append(load(server.port, "line", kind, pipeline))
                        rates[2 * i + 1].append(load(server.http_port, "ws", kind, pipeline))
                    if redis is not None:
                        beside.append(measure(redis, kind[3:6], pipeline, 32)[0] / 1000)
                cells = " | ".join(f"{statistics.median(each):.0f}" for each in rates)
                theirs = NEMESIS.get((kind, pipeline), "")
                scale = f"{statistics.median(beside):.0f}" if beside else ""
                print(f"| {kind} | {pipeline} | {theirs} | {cells} | {scale} |", flush=True)
    print("\nThousand requests a second; with ten keys a command, thousand keys a second.")


if __name__ == "__main__":
    main()
