"""`make bench`: every benchmark, or those that are named.

Rule: benchmarks run one after the other, alone, and print what they measured.
"""

import importlib
import sys

from rich.console import Console

from benchmarks.table import machine, show

BENCHMARKS = {
    "placement": "Placement: 1,000,000 RGs over 100 OSDs",
    "hosting": "One node: 10,000 RGs, and what an object costs in memory",
    "maps": "Map changes: three OSD processes, 2,000 objects of 4 KiB in 64 RGs",
    "map_plan": "Map plan: what a change of a large cluster would move",
    "throughput": "Objects of 4 KiB: three OSD processes, embedded log, one copy, all durable",
    "copies": "Two copies: three OSD processes (COPIES=write,recovery,failover picks some)",
    "scrub": "Scrub: all that one OSD process has, small and large objects",
    "audit": "Audit: SQL over the log, 64 RGs (AUDIT_EVENTS=N for another length)",
    "kafka": "The log on Kafka: one broker in a container on this machine, three OSD processes",
    "time": "Replay, restart, handover (TIME_EVENTS=N, TIME_OBJECTS=N for other sizes)",
    "demo": "osdlog demo on the standard library",
}


def main() -> int:
    """Run the named benchmarks, or all."""
    wanted = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in wanted if name not in BENCHMARKS]:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
        return 2
    Console(width=130).print(machine())
    for name in wanted:
        show(BENCHMARKS[name], importlib.import_module(f"benchmarks.{name}").run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
