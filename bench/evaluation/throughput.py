#!/usr/bin/env python3
"""Evaluations per minute of a search, from the runs that it records.

    throughput.py EVOKE [--iterations N] [--runs N]

Every run has an empty compile cache. The first 20 evaluations of a run pay
for references and inputs and are left out, and so is all that happens while a
confirmation runs beside the search.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import tempfile

WARM_UP = 20


def search(evoke, iterations, folder):
    environment = dict(os.environ, XDG_CACHE_HOME=folder)
    run = os.path.join(folder, "run")
    subprocess.run(
        [evoke, "evolve", "--iterations", str(iterations), "--output", run],
        env=environment, check=True, stdout=subprocess.DEVNULL)
    rows = sqlite3.connect(os.path.join(run, "run.db")).execute(
        "SELECT purpose, kind, elapsed_s, record FROM outcomes"
        " ORDER BY sequence").fetchall()
    last = max(i for i, row in enumerate(rows) if row[0] == "score")
    rows = rows[:last + 1]
    minutes = (rows[-1][2] - rows[WARM_UP][2]) / 60
    confirming = []
    for purpose, _, end, record in rows[WARM_UP + 1:]:
        if purpose == "confirm":
            start = end - sum(json.loads(record)["stage_ms"]) / 1000
            confirming.append((start, end))
            minutes -= (end - max(start, rows[WARM_UP][2])) / 60
    counted = [row for row in rows[WARM_UP + 1:]
               if not any(start <= row[2] <= end for start, end in confirming)]
    full = [row for row in counted if row[1] == "measured"]
    units = [unit for row in full
             for unit in json.loads(row[3])["details"].get("units", [])]
    return {
        "judged_per_minute": len(counted) / minutes,
        "measured_per_minute": len(full) / minutes,
        "minutes": minutes,
        "compiled_units_per_measured":
            sum(not unit["cached"] for unit in units) / max(len(full), 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evoke")
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    results = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            results.append(search(options.evoke, options.iterations, folder))
            print(json.dumps(results[-1]))
    for name in results[0]:
        values = [result[name] for result in results]
        print(f"{name:<30} median {statistics.median(values):.1f}")


if __name__ == "__main__":
    main()
