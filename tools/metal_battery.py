#!/usr/bin/env python3
"""Asks a Mac's Metal compiler what tests/devices/metal/host/gate_battery.txt
says about it: each body goes through mx.fast.metal_kernel.

Prints every line on which the two disagree, with the compiler's message, and
every `open` line with its answer. Exit code 1 when any disagrees. Needs MLX
with Metal; `--list` shows the table alone and needs neither.
"""

import argparse
import pathlib
import sys

TABLE = (
    pathlib.Path(__file__).resolve().parent.parent
    / "tests/devices/metal/host/gate_battery.txt"
)


def read_table(path):
    """The rows: verdict, source, since, body."""
    rows = []
    for text in path.read_text().splitlines():
        if not text or text.startswith("#"):
            continue
        fields = [field.strip() for field in text.split("|", 3)]
        rows.append(fields)
    return rows


def metal_says(mx, inputs, number, body):
    """None when the body compiles and runs, else the message."""
    kernel = mx.fast.metal_kernel(
        name=f"battery_{number}",
        input_names=list(inputs),
        output_names=["output"],
        source=body,
    )
    try:
        (output,) = kernel(
            inputs=list(inputs.values()),
            grid=(32, 1, 1),
            threadgroup=(32, 1, 1),
            output_shapes=[(64,)],
            output_dtypes=[mx.float32],
        )
        mx.eval(output)
    except Exception as error:  # whatever MLX raises: the text is the answer
        return str(error)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument(
        "--version",
        default="3.1",
        choices=["3.1", "3.2", "4.0"],
        help="the Metal version of this system: macOS 14, 15, 26",
    )
    arguments = parser.parse_args()
    rows = read_table(TABLE)
    if arguments.list:
        for verdict, source, since, body in rows:
            print(f"{verdict:6} {since:8} {source:30} {body}")
        return 0

    import mlx.core as mx

    if not mx.metal.is_available():
        print("MLX has no Metal here; this needs a Mac", file=sys.stderr)
        return 2
    inputs = {
        "x": mx.arange(64, dtype=mx.float32),
        "y": mx.ones(64, dtype=mx.bfloat16),
        "z": mx.ones(64, dtype=mx.bfloat16),
        "n": mx.arange(64, dtype=mx.int32),
        "h": mx.ones(64, dtype=mx.float16),
    }
    wrong = asked = 0
    for number, (verdict, _, since, body) in enumerate(rows):
        if since == "3.1 only" and arguments.version != "3.1":
            continue
        if since and since[0].isdigit() and " " not in since:
            if float(since) > float(arguments.version):
                continue
        asked += 1
        message = metal_says(mx, inputs, number, body)
        answer = "accept" if message is None else "reject"
        if verdict == "open":
            print(f"open: {answer}: {body}")
        elif answer != verdict:
            wrong += 1
            print(f"WRONG: the table says {verdict}, Metal says {answer}: {body}")
            if message:
                print("    " + "\n    ".join(message.splitlines()[:6]))
    print(f"{asked} asked, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
