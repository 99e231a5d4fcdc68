#!/usr/bin/env python3
"""evoke on a GPU, all in one run: decoding against mlx-lm, and a kernel inside.

    on_a_gpu.py PREFIX OUT [--shape 0.6b] [--kernel FILE] [--device cuda]
                [--prompts 128,2048,8192] [--tokens 200] [--rounds 3]
                [--scenarios NAMES] [--pairs 6] [--seconds 150]

PREFIX is an unpacked package (bin/, lib/) or a build's folder of programs,
OUT a folder for the model and the results.

1. makes a model folder with random bfloat16 weights (tests/model/make_model.py)
2. evoke verify, and a generation with the kernel and its attestation
3. races mlx_lm, evoke_model and evoke_model with the kernel inside at each
   prompt, in random order within a round, mlx_lm in one process that stays
   (its import takes 10 s), each after an uncounted warm-up with the same
   prompt. A ratio above 1 says that evoke decodes quicker; intervals are the
   range over the rounds.
4. evoke compare

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


def write_prompt(options, model, length):
    ids = random.Random(length)
    vocabulary = json.loads((model / "config.json").read_text())["vocab_size"]
    path = options.out / f"prompt-{length}.json"
    path.write_text(json.dumps([ids.randrange(vocabulary)
                                for _ in range(length)]))
    return path


def ask(theirs, prompt, tokens):
    theirs.stdin.write(json.dumps({"prompt": str(prompt), "tokens": tokens})
                       + "\n")
    theirs.stdin.flush()
    answer = theirs.stdout.readline()
    return answer and json.loads(answer)["tok_s"]


def race(tools, options, model, theirs):
    random_ = random.Random(1)

    def rate(side, prompt):
        if side == "mlx-lm":
            return ask(theirs, prompt, options.tokens)
        more = ["--kernel", options.kernel] if side == "evoke+kernel" else []
        result = generate(tools, model, prompt, options.tokens, *more)
        return result and result["generation_tokens_per_s"]

    for length in options.prompts:
        prompt = write_prompt(options, model, length)
        found = {"mlx-lm": [], "evoke": [], "evoke+kernel": []}
        for _ in range(options.rounds):
            for side in random_.sample(sorted(found), len(found)):
                found[side].append(rate(side, prompt) or None)
        for side, rates in found.items():
            told = [each for each in rates if each]
            ratios = [a / b for a, b in zip(rates, found["mlx-lm"]) if a and b]
            if not ratios:
                print(f"prompt {length:5}: {side} never answered", flush=True)
                continue
            print(f"prompt {length:5}: {side:12} "
                  f"{statistics.median(told):7.1f} tok/s, of mlx-lm's "
                  f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, "
                  f"{max(ratios):.2f}] in {len(ratios)} rounds  "
                  f"{[round(each, 1) for each in told]}", flush=True)


def verify(tools, options, model):
    config = json.loads((model / "config.json").read_text())
    heads = "-".join(str(config[key]) for key in (
        "num_attention_heads", "num_key_value_heads", "head_dim"))
    verified = tools.run("evoke", "verify", "--device", options.device,
                         "--heads", heads, options.kernel)
    print(verified.splitlines()[-1] if verified else
          "# verify left no record", flush=True)
    prompt = write_prompt(options, model, options.prompts[0])
    result = generate(tools, model, prompt, 32, "--kernel", options.kernel)
    if result:
        print(json.dumps({key: result.get(key) for key in (
            "device", "attestation", "confinement")}, indent=1), flush=True)


def compare(tools, options, model):
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
    verify(tools, options, model)
    with subprocess.Popen([sys.executable, __file__, "--serve", model],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as theirs:
        print("# mlx-lm on", theirs.stdout.readline().strip(), flush=True)
        race(tools, options, model, theirs)
        theirs.stdin.close()
    compare(tools, options, model)


if __name__ == "__main__":
    main()
