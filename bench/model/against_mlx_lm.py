#!/usr/bin/env python3
"""evoke_model against mlx-lm in Python, on the same random weights.

    against_mlx_lm.py EVOKE_MODEL [--pairs N] [--races REGEX] [--folder FOLDER]

Each race is a type, a prompt's length and a depth: the widths are those of
Qwen3-0.6B, with fewer layers where a reference BLAS would take many minutes.
In every round each side runs once, in a fresh process, in random order, with
the same tokens as prompt and as many tokens to generate. Sides:
  evoke      evoke_model as built; with OpenBLAS, where it was found
  mlx-lm     stream_generate of mlx_lm, as its wheels come
  mlx-lm+ob  the same with OpenBLAS loaded before (float32 only: MLX has no
             other use for it)
A ratio above 1 says that evoke is better (quicker, or smaller). Ratios are
medians over rounds, intervals are bootstraps over them: a machine that is
busy with other things slows both sides of a round.

Times are taken inside the process: prompt until the first token is there,
generation from there to the last one. start is the whole process with one
token to generate. Memory is the largest resident size of the process.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/model"))

# type, prompt, tokens to generate, layers
RACES = [
    ("bfloat16", 128, 16, 28),
    ("float32", 128, 16, 28),
    ("bfloat16", 128, 8, 7),
    ("float32", 128, 8, 7),
    ("bfloat16", 2048, 8, 1),
    ("float32", 2048, 8, 1),
    ("bfloat16", 16, 1, 28),
    ("float32", 16, 1, 28),
]


def mlx_lm_side(folder, prompt_file, max_tokens):
    """Runs in a process of its own: what evoke_model reports, from mlx-lm."""
    import resource
    import mlx.core as mx
    from mlx_lm import load, stream_generate
    begin = time.perf_counter()
    model, tokenizer = load(folder)
    tokenizer.eos_token_ids = set()
    loaded = time.perf_counter()
    prompt = json.loads(pathlib.Path(prompt_file).read_text())
    tokens, times = [], []
    begin_prompt = time.perf_counter()
    for response in stream_generate(model, tokenizer, prompt,
                                    max_tokens=max_tokens):
        times.append(time.perf_counter())
        tokens.append(response.token)
    print(json.dumps({
        "load_ms": 1e3 * (loaded - begin),
        "prompt_ms": 1e3 * (times[0] - begin_prompt),
        "generation_ms": 1e3 * (times[-1] - times[0]),
        "tokens": tokens,
        "peak_memory_bytes": mx.get_peak_memory(),
        "peak_resident_bytes":
            1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }))


def openblas():
    found = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True,
                           text=True).stdout
    match = re.search(r"=> (\S*libopenblas\.so\.0)", found)
    return match and match.group(1)


def sides(program, dtype):
    mine = [sys.executable, __file__, "--side"]
    found = {"evoke": ([program, "generate", "--json", "--ignore-eos"], {}),
             "mlx-lm": (mine, {})}
    if dtype == "float32" and openblas():
        found["mlx-lm+ob"] = (mine, {"LD_PRELOAD": openblas()})
    return found


def run(side, folder, prompt_file, max_tokens):
    command, environment = side
    if "--side" in command:
        arguments = [str(folder), str(prompt_file), str(max_tokens)]
    else:
        arguments = ["--model", str(folder), "--prompt-ids", str(prompt_file),
                     "--max-tokens", str(max_tokens)]
    begin = time.perf_counter()
    done = subprocess.run(command + arguments, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True,
                          env=os.environ | environment)
    result = json.loads(done.stdout)
    result["start_ms"] = 1e3 * (time.perf_counter() - begin)
    return result


def interval(logs, random_):
    medians = sorted(statistics.median(random_.choices(logs, k=len(logs)))
                     for _ in range(4000))
    return [math.exp(medians[int(share * 4000)]) for share in (0.025, 0.975)]


def race(program, folder, dtype, prompt, tokens, layers, pairs, random_, raw):
    model = folder / f"{dtype}-{layers}"
    if not (model / "config.json").exists():
        subprocess.run([sys.executable,
                        HERE.parents[1] / "tests/model/make_model.py", model,
                        "--shape", "0.6b", "--layers", str(layers),
                        "--dtype", dtype], check=True)
    prompt_file = folder / f"prompt-{prompt}.json"
    ids = random.Random(prompt)
    prompt_file.write_text(
        json.dumps([ids.randrange(151936) for _ in range(prompt)]))
    runners = sides(program, dtype)
    results = {name: [] for name in runners}
    for _ in range(pairs):
        order = list(runners)
        random_.shuffle(order)
        for name in order:
            result = run(runners[name], model, prompt_file, tokens)
            results[name].append(result)
            print(json.dumps({"race": [dtype, prompt, tokens, layers],
                              "side": name} | {
                key: result[key] for key in sorted(result)
                if key.endswith(("_ms", "_bytes"))}), file=raw, flush=True)
    return results


def report(name, results, tokens, random_):
    what = (["prompt_ms", "generation_ms", "peak_resident_bytes"]
            if tokens > 1 else ["start_ms", "load_ms", "peak_resident_bytes"])
    for other in results:
        if other == "evoke":
            continue
        same = sum(
            next((i for i, (a, b) in enumerate(zip(x["tokens"], y["tokens"]))
                  if a != b), tokens)
            for x, y in zip(results["evoke"], results[other]))
        for key in what:
            ours = [result[key] for result in results["evoke"]]
            theirs = [result[key] for result in results[other]]
            logs = [math.log(b / a) for a, b in zip(ours, theirs)]
            low, high = interval(logs, random_)
            unit, scale = (("ms", 1) if key.endswith("_ms") else ("MB", 1e-6))
            print(f"{name:34} {key[:key.rindex('_')]:14} "
                  f"{statistics.median(ours) * scale:9.0f} {unit} "
                  f"{other:9} {statistics.median(theirs) * scale:9.0f} {unit} "
                  f"{math.exp(statistics.median(logs)):7.2f} "
                  f"[{low:.2f}, {high:.2f}]  "
                  f"same tokens {same}/{tokens * len(logs)}", flush=True)


def main():
    if sys.argv[1] == "--side":
        mlx_lm_side(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--races", default="", help="a regular expression")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(
        tempfile.gettempdir()) / "evoke-against-mlx-lm")
    parser.add_argument("--raw", type=argparse.FileType("a"),
                        default=os.devnull, help="a file for every run")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"# {platform.processor() or platform.machine()}, "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"{time.strftime('%Y-%m-%d')}, {options.pairs} rounds")
    random_ = random.Random(1)
    for dtype, prompt, tokens, layers in RACES:
        name = f"{dtype} prompt {prompt} +{tokens}, {layers} layers"
        if not re.search(options.races, name):
            continue
        results = race(options.program, options.folder, dtype, prompt, tokens,
                       layers, options.pairs, random_, options.raw)
        report(name, results, tokens, random_)


if __name__ == "__main__":
    main()
