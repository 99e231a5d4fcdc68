#!/usr/bin/env python3
"""Kernel Tuner's strategies on the space that search_space.cpp searches:
evaluations to come within 2 % of the best setting, over seeds.

    kernel_tuner_contest.py SPACE.csv [--seeds N] [--strategies A,B,...]

Needs the wheel kernel-tuner (1.5), which nothing else here does. Runs in
simulation mode: every setting's time comes from the file, none is measured.
Settings that failed are failures to it, too. Each evaluation is counted when
a setting is asked for the first time, as for our own search.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import random
import statistics
import tempfile
import time

import numpy
from kernel_tuner import tune_kernel
from kernel_tuner.util import CompilationFailedConfig, RuntimeFailedConfig

STRATEGIES = ("random_sample,genetic_algorithm,simulated_annealing,"
              "dual_annealing,basinhopping,diff_evo,pso,firefly_algorithm,"
              "mls,greedy_mls,ordered_greedy_mls,greedy_ils,bayes_opt")
WITHIN = 0.02
LIMIT = 1000


def read_space(path):
    with open(path) as file:
        rows = list(csv.reader(file))
    names = rows[0][:-3]
    space = {}
    same = {}
    for row in rows[1:]:
        key = ",".join(row[:len(names)])
        *_, kind, fitness, other = row
        space[key] = float(fitness) if fitness else 0.0
        if other:
            same[key] = other.replace("/", ",")
    for key, other in same.items():
        space[key] = space[other]
    choices = {name: sorted({int(key.split(",")[i]) for key in space})
               for i, name in enumerate(names)}
    return names, choices, space


def write_cache(path, names, choices, space):
    entries = {}
    for key, fitness in space.items():
        entry = dict(zip(names, map(int, key.split(","))))
        entry["time"] = (1.0 / fitness if fitness > 0
                         else str(RuntimeFailedConfig()))
        if fitness > 0:
            entry["times"] = [entry["time"]]
        entry.update(compile_time=1.0, verification_time=0,
                     benchmark_time=1.0, strategy_time=0, framework_time=0,
                     timestamp="2026-11-28 00:00:00+00:00")
        entries[key] = entry
    cache = {"schema_version": "1.0.0", "device_name": "recorded",
             "kernel_name": "attend", "problem_size": [1],
             "tune_params_keys": names, "tune_params": choices,
             "objective": "time", "cache": entries}
    with open(path, "w") as file:
        json.dump(cache, file)


def evaluations(cache, names, choices, space, strategy, seed, best,
                restrictions):
    random.seed(seed)
    numpy.random.seed(seed)
    options = {"max_fevals": min(LIMIT, len(space))}
    with contextlib.redirect_stdout(io.StringIO()):
        results, _ = tune_kernel(
            "attend", "void attend() {}", [1], [], choices,
            restrictions=restrictions,
            strategy=strategy, strategy_options=options, cache=cache,
            simulation_mode=True, lang="C", verbose=False)
    seen = set()
    for each in results:
        key = ",".join(str(each[name]) for name in names)
        seen.add(key)
        if space[key] >= (1 - WITHIN) * best:
            return len(seen)
    return LIMIT


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("space")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--strategies", default=STRATEGIES)
    parser.add_argument("--restrict", nargs="*",
                        default=["rows_per_step * vectors_per_step <= 24"],
                        help="the kernel's constraints that bind here")
    options = parser.parse_args()
    names, choices, space = read_space(options.space)
    best = max(space.values())
    near = sum(v >= (1 - WITHIN) * best for v in space.values())
    print(f"{len(space)} settings, {near} within 2 %; {options.seeds} seeds")
    print(f"{'':<24} {'best 10%':>8} {'median':>8} {'worst 10%':>9}")
    with tempfile.TemporaryDirectory() as folder:
        cache = os.path.join(folder, "space.json")
        write_cache(cache, names, choices, space)
        for strategy in options.strategies.split(","):
            begin = time.time()
            counts = sorted(
                evaluations(cache, names, choices, space, strategy, seed, best,
                            options.restrict)
                for seed in range(1, options.seeds + 1))
            last = len(counts) - 1
            print(f"{strategy:<24} {counts[int(0.1 * last)]:>8} "
                  f"{counts[int(0.5 * last)]:>8} {counts[int(0.9 * last)]:>9}"
                  f"   ({time.time() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
