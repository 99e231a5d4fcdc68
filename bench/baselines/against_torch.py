#!/usr/bin/env python3
"""A cuda kernel, MLX's attention and torch's two, in one run on a GPU.

    against_torch.py KERNEL.cu [--evoke PROGRAM] [--workload NAME] [--rounds N]
                     [--pairs N] [--shapes REGEX]

Needs a Python with torch for CUDA. In every round `evoke bench` times the
kernel against MLX (paired blocks, the GPU's own clock, cold inputs), and then
torch's scaled_dot_product_attention is timed by cuDNN and by FlashAttention-2
(torch's own copy of it): a CUDA graph of calls in a row behind a kernel that
holds the stream, between two events. Inputs rotate over as many copies as
evoke's, 1.5 GB per shape, in an order drawn anew for each round, and before
each block more than twice the L2 is read.

Numbers are medians over rounds, in microseconds; in brackets the least and
the greatest. The last column is what a claim has to clear: the kernel against
the quicker of MLX and torch's cuDNN.
"""

import argparse
import json
import random
import re
import statistics
import subprocess

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

ROTATION_BYTES = 3 << 29
BLOCK_MS = 1.0
FLOOD_BYTES = 128 << 20
HOLD_CYCLES = 20_000_000  # some 10 ms: longer than queueing takes
Q_HEADS, KV_HEADS, WIDTH = 16, 8, 128
PATHS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "fa2": SDPBackend.FLASH_ATTENTION}


def shape_of(name):
    """decode-1024, decode-4096-b8, prefill-512, prefill-512-b32 -> B, Lq, Lk."""
    kind, length, batch = re.fullmatch(
        r"(decode|prefill)-(\d+)(?:-b(\d+))?", name).groups()
    length = int(length)
    return int(batch or 1), 1 if kind == "decode" else length, length


def bench(options):
    """Microseconds of the kernel and of MLX by shape, from evoke."""
    command = [options.evoke, "bench", options.kernel, "--device", "cuda",
               "--workload", options.workload, "--pairs", str(options.pairs),
               "--json"]
    done = subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE)
    times = {}
    for result in json.loads(done.stdout):
        for shape in result["measurements"]["shapes"]:
            if shape["cache_state"] != "cold":
                continue
            times[shape["shape"]] = {"kernel": shape["candidate_us"],
                                     shape["baseline"]: shape["baseline_us"]}
    return times


class TorchShape:
    """Copies of one shape's inputs, and each path's time on them."""

    def __init__(self, name):
        self.batch, self.queries, self.keys = shape_of(name)
        tensor = lambda heads, length: torch.randn(
            self.batch, heads, length, WIDTH, device="cuda",
            dtype=torch.bfloat16)
        one = self.batch * WIDTH * 2 * (Q_HEADS * self.queries +
                                        2 * KV_HEADS * self.keys)
        count = min(2048, max(8, ROTATION_BYTES // one))
        self.copies = [(tensor(Q_HEADS, self.queries),
                        tensor(KV_HEADS, self.keys),
                        tensor(KV_HEADS, self.keys)) for _ in range(count)]

    def time_us(self, path):
        def call(copy):
            with sdpa_kernel(path):
                return F.scaled_dot_product_attention(
                    *self.copies[copy], is_causal=self.queries > 1,
                    enable_gqa=True)

        stream = torch.cuda.Stream()
        begin = torch.cuda.Event(enable_timing=True)
        end = torch.cuda.Event(enable_timing=True)
        order = random.sample(range(len(self.copies)), len(self.copies))
        with torch.cuda.stream(stream):
            call(0)
            stream.synchronize()
            begin.record()
            for copy in order[:4]:
                call(copy)
            end.record()
            stream.synchronize()
            # Also the host's time, so a block may be shorter than meant.
            one_ms = begin.elapsed_time(end) / 4
            calls = max(4, min(len(order), int(4 * BLOCK_MS / one_ms)))
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                for copy in order[:calls]:
                    call(copy)
            flood = torch.zeros(FLOOD_BYTES // 4, device="cuda")
            blocks = []
            for _ in range(3):
                flood.sum()
                torch.cuda._sleep(HOLD_CYCLES)
                begin.record()
                graph.replay()
                end.record()
                stream.synchronize()
                blocks.append(begin.elapsed_time(end) * 1000 / calls)
        return statistics.median(blocks)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kernel")
    parser.add_argument("--evoke", default="evoke")
    parser.add_argument("--workload", default="qwen3-0.6b")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--shapes", default=".*")
    options = parser.parse_args()

    times = {}  # by shape and side: one number per round
    for _ in range(options.rounds):
        for name, sides in bench(options).items():
            if not re.fullmatch(options.shapes, name):
                continue
            for side, us in sides.items():
                times.setdefault(name, {}).setdefault(side, []).append(us)
            shape = TorchShape(name)
            for side, path in random.sample(list(PATHS.items()), len(PATHS)):
                us = shape.time_us(path)
                times[name].setdefault(side, []).append(us)
            del shape
            torch.cuda.empty_cache()

    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, "
          f"cuDNN {torch.backends.cudnn.version()}; {options.kernel}, "
          f"{options.rounds} rounds")
    sides = ["kernel", "mlx-cuda", *PATHS]
    print(f"{'shape':16s}" + "".join(f"{side:>26s}" for side in sides) +
          f"{'x the better':>14s}")
    for name, by_side in times.items():
        line = f"{name:16s}"
        for side in sides:
            each = by_side.get(side)
            text = "-"
            if each:
                text = f"{statistics.median(each):.2f}"
                if len(each) > 1:
                    text += f" [{min(each):.2f}, {max(each):.2f}]"
            line += f"{text:>26s}"
        better = min(statistics.median(by_side[side])
                     for side in ("mlx-cuda", "cudnn") if side in by_side)
        line += f"{better / statistics.median(by_side['kernel']):14.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
