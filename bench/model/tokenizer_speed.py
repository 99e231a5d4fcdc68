#!/usr/bin/env python3
"""Speed of evoke and of the wheel `tokenizers`, one thread each.

    tokenizer_speed.py TOKENIZER_SPEED [--folder FOLDER] [--pairs N]

TOKENIZER_SPEED is the binary of that name. The vocabulary is trained here: as
many merges as real ones have per kind of text, on code (Python's own
library), on the licences of the system, and on made-up prose in many scripts.
The texts that are raced on are not the ones it was trained on. Both sides
encode the same texts in turns, in random order, decode the tokens, and decode
them one by one. `tokenizers` does so by its quickest ways: encode_batch_fast,
whose answer is not even turned into a list; decode_batch; and DecodeStream,
which pays for one call from Python per token. A ratio above 1 says that evoke
is faster; its interval is a bootstrap over pairs.
"""

import argparse
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import sysconfig
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
TESTS = pathlib.Path(__file__).resolve().parents[2] / "tests/model/tokenizer"
sys.path.insert(0, str(TESTS))

import make_reference  # noqa: E402
import sample_text  # noqa: E402

VOCABULARY = 40000
DOCUMENT = 2_000_000  # characters


def library():
    """Python's library, as two halves."""
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    files = sorted(folder.glob("*.py")) + sorted(folder.glob("*/*.py"))
    files = [f for f in files if "site-packages" not in str(f)
             and "dist-packages" not in str(f) and "test" not in f.parts]
    texts = [f.read_text(encoding="utf-8", errors="replace") for f in files]
    return texts[0::2], texts[1::2]


def english():
    folder = pathlib.Path("/usr/share/common-licenses")
    texts = [f.read_text(encoding="utf-8", errors="replace")
             for f in sorted(folder.iterdir()) if f.is_file()]
    return texts or [sample_text.prose(8, 200000)]


def inputs():
    code = "\n".join(library()[1])[:DOCUMENT]
    prose = sample_text.prose(21, DOCUMENT)
    words = "\n".join(english())
    plain = (words * (DOCUMENT // len(words) + 1))[:DOCUMENT]
    mixed = code[:DOCUMENT // 2] + prose[:DOCUMENT // 2]
    random_ = random.Random(6)

    def chats(text, count=2000):
        found = []
        for _ in range(count):
            begin = random_.randrange(len(text) - 1200)
            length = random_.randint(40, 1200)
            found.append("<|im_start|>user\n" + text[begin:begin + length] +
                         "<|im_end|>\n<|im_start|>assistant\n")
        return found

    return {
        "English, one document": [plain],
        "code, one document": [code],
        "many scripts, one document": [prose],
        "English, 2000 chats": chats(plain),
        "mixed, 2000 chats": chats(mixed),
    }


def prepare(folder):
    if (folder / "tokenizer.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    texts = library()[0] + english() + [sample_text.prose(20, 6_000_000, 60000)]
    tokenizer = make_reference.train(vocab_size=VOCABULARY, texts=texts)
    make_reference.add_qwen_tokens(tokenizer)
    make_reference.write_model(folder, tokenizer)
    make_reference.write_json(folder / "inputs.json", inputs())


class Ours:
    def __init__(self, program, folder):
        self.process = subprocess.Popen(
            [program, str(folder), str(folder / "inputs.json")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, command, name):
        self.process.stdin.write(f"{command} {name}\n")
        self.process.stdin.flush()
        elapsed, size = self.process.stdout.readline().split()
        return int(elapsed) / 1e9, int(size)


class Theirs:
    def __init__(self, folder):
        self.path = str(folder / "tokenizer.json")
        self.load("")
        self.inputs = json.loads((folder / "inputs.json").read_text())

    def load(self, _):
        from tokenizers import Tokenizer
        begin = time.perf_counter()
        self.tokenizer = Tokenizer.from_file(self.path)
        elapsed = time.perf_counter() - begin
        return elapsed, self.tokenizer.get_vocab_size()

    def encode(self, name):
        texts = self.inputs[name]
        begin = time.perf_counter()
        encoded = self.tokenizer.encode_batch_fast(
            texts, add_special_tokens=False)
        elapsed = time.perf_counter() - begin
        self.ids = [each.ids for each in encoded]
        return elapsed, sum(map(len, self.ids))

    def decode(self, _):
        begin = time.perf_counter()
        texts = self.tokenizer.decode_batch(self.ids, skip_special_tokens=False)
        elapsed = time.perf_counter() - begin
        return elapsed, sum(len(text.encode()) for text in texts)

    def stream(self, _):
        from tokenizers.decoders import DecodeStream
        pieces = []
        begin = time.perf_counter()
        for ids in self.ids:
            stream = DecodeStream(skip_special_tokens=False)
            pieces += [stream.step(self.tokenizer, id_) for id_ in ids]
        elapsed = time.perf_counter() - begin
        return elapsed, sum(len(piece.encode()) for piece in pieces if piece)

    def run(self, command, name):
        return getattr(self, command)(name)


def interval(logs, random_):
    """95 % for the median: bootstrap over pairs."""
    medians = sorted(
        statistics.median(random_.choices(logs, k=len(logs)))
        for _ in range(4000))
    return [math.exp(medians[int(share * 4000)]) for share in (0.025, 0.975)]


def race(ours, theirs, command, name, pairs, random_):
    """The times of both sides; the first turn is not counted."""
    if ours.run(command, name)[1] != theirs.run(command, name)[1]:
        sys.exit(f"{command} {name}: the two sides differ")
    ours_s, theirs_s = [], []
    for _ in range(pairs):
        sides = [(ours, ours_s), (theirs, theirs_s)]
        random_.shuffle(sides)
        for side, times in sides:
            times.append(side.run(command, name)[0])
    return ours_s, theirs_s


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--folder", type=pathlib.Path,
                        default=pathlib.Path("/tmp/evoke-tokenizer-speed"))
    parser.add_argument("--pairs", type=int, default=12)
    options = parser.parse_args()
    prepare(options.folder)
    ours, theirs = Ours(options.program, options.folder), Theirs(options.folder)
    print(f"{'':6} {'input':28} {'MB':>5} {'evoke ms':>9} {'theirs ms':>10} "
          f"{'ratio':>7}  95 %")
    random_ = random.Random(1)
    races = [("load", next(iter(theirs.inputs)))]
    races += [(command, name) for name in theirs.inputs
              for command in ("encode", "decode", "stream")]
    for command, name in races:
        ours_s, theirs_s = race(ours, theirs, command, name, options.pairs,
                                random_)
        logs = [math.log(b / a) for a, b in zip(ours_s, theirs_s)]
        low, high = interval(logs, random_)
        path = options.folder / "tokenizer.json"
        size = (path.stat().st_size if command == "load" else
                sum(len(text.encode()) for text in theirs.inputs[name]))
        print(f"{command:6} {'tokenizer.json' if command == 'load' else name:28}"
              f" {size / 1e6:5.1f} {statistics.median(ours_s) * 1e3:9.1f} "
              f"{statistics.median(theirs_s) * 1e3:10.1f} "
              f"{math.exp(statistics.median(logs)):7.2f}  "
              f"[{low:.2f}, {high:.2f}]", flush=True)


if __name__ == "__main__":
    main()
