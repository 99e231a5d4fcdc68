#!/usr/bin/env python3
"""evoke on a GPU, all in one run: decoding against mlx-lm, and a kernel inside.

    on_a_gpu.py PREFIX OUT [--shape 0.6b] [--kernel FILE] [--device cuda]
                [--prompts 128,2048,8192] [--tokens 200] [--rounds 3]
                [--scenarios NAMES] [--pairs 6] [--seconds 150]

PREFIX is an unpacked package (bin/, lib/) or a build's folder of programs,
OUT a folder for the model and the results.

1. makes a model folder with random bfloat16 weights (tests/model/make_model.py)
2. races evoke_model and mlx_lm at each prompt, the two in random order within
   a round, mlx_lm in one process that stays (its import takes 10 s), each
   after an uncounted warm-up with the same prompt. A ratio above 1 says that
   evoke decodes quicker; intervals are the range over the rounds.
3. evoke verify, a generation with the kernel and its attestation, compare.

mlx_lm runs on the MLX that Python imports, evoke_model on the one that
PREFIX/lib/mlx links to: let both be mlx-cuda.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
WARMUP = 16


def serve(folder):
    """mlx-lm: a line with a prompt's file and a number in, a line out."""
    import mlx.core as mx
    from mlx_lm import load, stream_generate
    model, tokenizer = load(folder)
    tokenizer.eos_token_ids = set()

    def run(prompt, tokens):
        begin = time.perf_counter()
        times = []
        for _ in stream_generate(model, tokenizer, prompt, max_tokens=tokens):
            times.append(time.perf_counter())
        return {"prompt_s": times[0] - begin,
                "tok_s": (len(times) - 1) / (times[-1] - times[0])}

    print(json.dumps({"device": str(mx.default_device())}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        prompt = json.loads(pathlib.Path(request["prompt"]).read_text())
        run(prompt, WARMUP)
        print(json.dumps(run(prompt, request["tokens"])), flush=True)


class Tools:
    def __init__(self, options):
        self.bin = options.prefix / "bin"
        if not self.bin.exists():
            self.bin = options.prefix
        self.environment = os.environ | {
            "XDG_CACHE_HOME": str(options.out / "cache")}
        self.end = time.monotonic() + options.seconds

    def left(self):
        return max(1.0, self.end - time.monotonic())

    def run(self, program, *arguments):
        command = [str(self.bin / program), *map(str, arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True,
                                  env=self.environment, timeout=self.left())
        except subprocess.TimeoutExpired:
            print(f"# out of time: {' '.join(command)}", flush=True)
            return None
        if done.returncode != 0:
            print(f"# code {done.returncode}: {' '.join(command)}\n"
                  f"{done.stdout[-2000:]}{done.stderr[-2000:]}", flush=True)
            return None
        return done.stdout


def generate(tools, model, prompt, tokens, *more):
    text = tools.run("evoke_model", "generate", "--model", model,
                     "--prompt-ids", prompt, "--max-tokens", tokens,
                     "--ignore-eos", "--warmup-tokens", WARMUP, "--json", *more)
    return text and json.loads(text)


def race(tools, options, model, theirs):
    random_ = random.Random(1)
    for length in options.prompts:
        ids = random.Random(length)
        vocabulary = json.loads(
            (model / "config.json").read_text())["vocab_size"]
        prompt = options.out / f"prompt-{length}.json"
        prompt.write_text(
            json.dumps([ids.randrange(vocabulary) for _ in range(length)]))
        found = {"evoke": [], "mlx-lm": []}
        for _ in range(options.rounds):
            for side in random_.sample(["evoke", "mlx-lm"], 2):
                if side == "evoke":
                    result = generate(tools, model, prompt, options.tokens)
                    rate = result and result["generation_tokens_per_s"]
                else:
                    theirs.stdin.write(json.dumps(
                        {"prompt": str(prompt), "tokens": options.tokens})
                        + "\n")
                    theirs.stdin.flush()
                    answer = theirs.stdout.readline()
                    rate = answer and json.loads(answer)["tok_s"]
                found[side].append(rate or None)
        pairs = [(a, b) for a, b in zip(*found.values()) if a and b]
        if not pairs:
            print(f"prompt {length}: no round in which both answered {found}",
                  flush=True)
            continue
        ratios = [a / b for a, b in pairs]
        print(f"prompt {length:5}: evoke "
              f"{statistics.median(a for a, _ in pairs):7.1f} tok/s, mlx-lm "
              f"{statistics.median(b for _, b in pairs):7.1f}, ratio "
              f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, "
              f"{max(ratios):.2f}] of {len(pairs)} rounds  {found}", flush=True)


def hook(tools, options, model):
    config = json.loads((model / "config.json").read_text())
    heads = "-".join(str(config[key]) for key in (
        "num_attention_heads", "num_key_value_heads", "head_dim"))
    verified = tools.run("evoke", "verify", "--device", options.device,
                         "--heads", heads, options.kernel)
    print(verified or "# verify left no record", flush=True)
    prompt = options.out / f"prompt-{options.prompts[0]}.json"
    result = generate(tools, model, prompt, 32, "--kernel", options.kernel)
    if result:
        print(json.dumps({key: result.get(key) for key in (
            "device", "generation_tokens_per_s", "attestation",
            "confinement")}, indent=1), flush=True)
    print(tools.run("evoke", "compare", "--model", model, "--kernel",
                    options.kernel, "--scenarios", options.scenarios,
                    "--max-tokens-cap", 64, "--pairs", options.pairs,
                    "--output-dir", options.out / "compare"), flush=True)


def main():
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("prefix", type=lambda x: pathlib.Path(x).resolve())
    parser.add_argument("out", type=lambda x: pathlib.Path(x).resolve())
    parser.add_argument("--shape", default="0.6b")
    parser.add_argument("--kernel", type=pathlib.Path,
                        default=REPO / "kernels/attention/cuda/composite.cu")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--prompts", default=[128, 2048, 8192],
                        type=lambda x: [int(each) for each in x.split(",")])
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--scenarios",
                        default="code_generation,creative_writing")
    parser.add_argument("--seconds", type=float, default=150)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tools = Tools(options)
    model = options.out / "model"
    if not (model / "config.json").exists():
        subprocess.run([sys.executable, REPO / "tests/model/make_model.py",
                        model, "--shape", options.shape, "--dtype",
                        "bfloat16"], check=True)
    print(f"# {time.strftime('%Y-%m-%d')} model made, {tools.left():.0f} s left",
          flush=True)
    with subprocess.Popen([sys.executable, __file__, "--serve", model],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as theirs:
        print("# mlx-lm on", theirs.stdout.readline().strip(), flush=True)
        race(tools, options, model, theirs)
        theirs.stdin.close()
    hook(tools, options, model)


if __name__ == "__main__":
    main()
