#!/usr/bin/env python3
"""Iterations per second of OpenEvolve and of evoke, one after the other on one
machine, with a model and an evaluator that answer at once.

    python3 -m venv VENV && VENV/bin/pip install openevolve==0.4.0
    bench/engine/openevolve_contest.py VENV [--iterations 1000]

OpenEvolve gets programs of 5 KB, a population of 1000 on 4 islands, two
evaluations at a time and a checkpoint every 50 iterations; its service is in
this process. evoke runs bench/engine/llm_throughput --http, whose service is
a process of its own. CPU time is that of each program without its service.
"""

import argparse
import datetime
import http.server
import json
import os
import pathlib
import platform
import random
import re
import subprocess
import tempfile
import threading
import time

EVALUATOR = """
import re

def evaluate(path):
    alpha = re.search(r"^ALPHA = (\\S+)", open(path).read(), re.M)
    return {"combined_score": float(alpha.group(1))}
"""

CONFIG = """
max_iterations: {iterations}
checkpoint_interval: 50
random_seed: 42
diff_based_evolution: true
max_code_length: 20000
llm: {{primary_model: m, api_base: "{url}", api_key: none, retries: 1,
      retry_delay: 0, timeout: 30}}
database: {{population_size: 1000, archive_size: 100, num_islands: 4}}
evaluator: {{cascade_evaluation: false, parallel_evaluations: 2}}
"""

LINES = re.compile(r"^ALPHA = [^\n]*\nPAD = [^\n]*$", re.M)


def program(size=5000):
    text = ('"""A program."""\n\n# EVOLVE-BLOCK-START\nALPHA = 0.5\n'
            'PAD = "abcd"\n# EVOLVE-BLOCK-END\n\n')
    for i in range(size):
        if len(text) >= size:
            return text
        text += f"def part_{i}(x, y={i}):\n    return x * {i} + y\n\n\n"


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = json.loads(body)["messages"][-1]["content"]
        old = LINES.search(text, max(0, text.rfind("# Current Program")))
        draw = random.Random(body)
        answer = ("Another constant.\n\n<<<<<<< SEARCH\n"
                  f"{old.group(0)}\n=======\nALPHA = {draw.random():.9f}\n"
                  f'PAD = "{"x" * draw.randint(4, 400)}"\n'
                  ">>>>>>> REPLACE\n")
        reply = json.dumps({
            "id": "x", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message":
                         {"role": "assistant", "content": answer}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1,
                      "total_tokens": 2}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


def timed(command, **options):
    """Its output, wall time and CPU time, with its children's, in seconds."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out,
                                 stderr=subprocess.STDOUT, **options)
        _, status, usage = os.wait4(child.pid, 0)
        out.seek(0)
        text = out.read()
    if status != 0:
        raise SystemExit(f"{command[0]} failed:\n{text[-2000:]}")
    return (text, time.monotonic() - start, usage.ru_utime + usage.ru_stime)


def openevolve(venv, iterations, folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    (folder / "program.py").write_text(program())
    (folder / "evaluator.py").write_text(EVALUATOR)
    (folder / "config.yaml").write_text(
        CONFIG.format(iterations=iterations, url=url))
    environment = {k: v for k, v in os.environ.items()
                   if "proxy" not in k.lower()}
    _, wall, cpu = timed(
        [f"{venv}/bin/openevolve-run", "program.py", "evaluator.py",
         "--config", "config.yaml", "--output", "out",
         "--iterations", str(iterations)], cwd=folder, env=environment)
    server.shutdown()
    stamps = []
    for log in sorted((folder / "out/logs").iterdir()):
        for line in log.read_text(errors="replace").splitlines():
            if re.search(r"Iteration \d+: Program \S+ .*completed", line):
                stamps.append(datetime.datetime.strptime(
                    line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp())
    if len(stamps) != iterations:
        raise SystemExit(f"OpenEvolve made {len(stamps)} of {iterations}")
    tenth = max(iterations // 10, 2)

    def rate(part):
        return (len(part) - 1) / (part[-1] - part[0])

    return (iterations / wall, rate(stamps[:tenth]), rate(stamps[-tenth:]),
            1e3 * cpu / iterations)


def evoke(binary, iterations, folder):
    text, wall, cpu = timed([binary, "--http", "--iterations", str(iterations),
                             "--folder", str(folder)])
    windows = re.findall(r"^ *\d+ +(\d+) ", text, re.M)
    total = float(re.search(r": (\d+) per second", text).group(1))
    service = float(re.search(r"of the service: ([\d.]+)", text).group(1))
    return (total, float(windows[0]), float(windows[-1]),
            1e3 * cpu / iterations - service)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("venv")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--binary",
                        default="build/release/bench/engine/llm_throughput")
    arguments = parser.parse_args()
    n = arguments.iterations
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    print(f"{datetime.date.today()}; {cpu.group(1)}, {os.cpu_count()} cores, "
          f"Linux {platform.release()}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':<12}{'iterations':>11}{'it/s':>8}{'first 10 %':>12}"
          f"{'last 10 %':>11}{'CPU ms each':>13}")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        runs = [("openevolve", n, openevolve, arguments.venv),
                ("evoke", n, evoke, arguments.binary),
                ("evoke", 20 * n, evoke, arguments.binary)]
        for name, count, run, what in runs:
            total, first, last, each = run(what, count, path)
            print(f"{name:<12}{count:>11}{total:>8.0f}{first:>12.0f}"
                  f"{last:>11.0f}{each:>13.2f}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
