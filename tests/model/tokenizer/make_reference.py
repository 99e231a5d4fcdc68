#!/usr/bin/env python3
"""What Hugging Face's tokenizers and transformers answer, for the C++ tests.

    make_reference.py FOLDER

Trains a small byte-level BPE with Qwen's pattern and writes, below FOLDER:
  plain/, flags/      model folders: tokenizer.json, tokenizer_config.json
  plain.json, ...     [{"text", "ids", "decoded", "decoded_skip"}]
  chat.json           [{"messages", options, "text"}]
  letters, numbers, spaces    a byte per code point: does \\p{L} ... match it?
  words               likewise: does a word go on there?
  nfc.json            {text: its normal form}, where they differ
  versions            what made it, or "unavailable: " and why
Nothing happens when `versions` says that all of it is there already.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

import sample_text

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
HERE = pathlib.Path(__file__).resolve().parent
NUM_RANDOM = 10000


def versions():
    """What the answers depend on; None and a reason when a wheel is missing."""
    parts = []
    for wheel in ("tokenizers", "transformers", "jinja2"):
        try:
            parts.append(f"{wheel} {importlib.metadata.version(wheel)}")
        except importlib.metadata.PackageNotFoundError:
            return None, (f"the wheel {wheel} is not installed; "
                          "./evoke test installs requirements-test.txt")
    digest = hashlib.sha256()
    for name in ("make_reference.py", "sample_text.py", "qwen3_like.jinja"):
        digest.update((HERE / name).read_bytes())
    return ", ".join(parts) + ", sources " + digest.hexdigest()[:16], None


def train(pattern=QWEN_PATTERN, vocab_size=6000, texts=None):
    from tokenizers import (Regex, Tokenizer, decoders, models, normalizers,
                            pre_tokenizers, processors, trainers)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    if texts is None:
        texts = sample_text.SENTENCES * 40 + [
            sample_text.prose(1, 300000), "  " * 200, "\n\n" * 100]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def add_qwen_tokens(tokenizer):
    from tokenizers import AddedToken
    tokenizer.add_special_tokens(
        [AddedToken(text, normalized=False) for text in SPECIAL])
    tokenizer.add_tokens([
        AddedToken(text, normalized=False)
        for text in ("<tool_call>", "</tool_call>", "<think>", "</think>")])


def add_awkward_tokens(tokenizer):
    """Every flag, overlapping texts, and texts that normalization changes."""
    from tokenizers import AddedToken
    tokenizer.add_tokens([
        AddedToken("<l>", lstrip=True, normalized=False),
        AddedToken("<r>", rstrip=True, normalized=False),
        AddedToken("<lr>", lstrip=True, rstrip=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False),
        AddedToken("<word>", single_word=True, lstrip=True, normalized=False),
        AddedToken("ab", normalized=False), AddedToken("abc", normalized=False),
        AddedToken("bcd", normalized=False), AddedToken("\n\n<", rstrip=True),
        AddedToken("cafe\u0301", normalized=True),
        AddedToken("\u212b", normalized=True, single_word=True),
        AddedToken("\u00e9t\u00e9", normalized=False),
        AddedToken("two words", normalized=True, lstrip=True, rstrip=True),
    ])
    tokenizer.add_special_tokens([
        AddedToken("<s\u0323\u0307>", normalized=True, special=True),
        AddedToken("<sp >", normalized=False, rstrip=True, special=True)])


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_model(folder, tokenizer, legacy_merges=False, ignore_merges=False):
    from tokenizers import Tokenizer
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(tokenizer.to_str())
    if legacy_merges:
        content["model"]["merges"] = [
            " ".join(merge) for merge in content["model"]["merges"]]
    content["model"]["ignore_merges"] = ignore_merges
    if ignore_merges:
        # Words that no merges lead to.
        vocab = content["model"]["vocab"]
        first = len(vocab)
        for word in ("Ġunreachable", "qzqzqz", "Ã©Ã©Ã©"):
            vocab[word] = len(vocab)
        for token in content["added_tokens"]:
            if token["id"] >= first:
                token["id"] += 3
    write_json(folder / "tokenizer.json", content)
    write_json(folder / "tokenizer_config.json", {
        "eos_token": "<|im_end|>",
        "chat_template": (HERE / "qwen3_like.jinja").read_text()})
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def write_cases(path, tokenizer, texts):
    cases = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        cases.append({
            "text": text, "ids": ids,
            "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "decoded_skip": tokenizer.decode(ids, skip_special_tokens=True)})
    # Ids that no text gives: bytes in any order.
    random_ = sample_text.random.Random(7)
    for _ in range(1000):
        ids = [random_.randrange(tokenizer.get_vocab_size() + 2)
               if random_.random() < 0.3 else random_.randrange(256)
               for _ in range(random_.randint(1, 20))]
        cases.append({
            "text": None, "ids": ids,
            "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "decoded_skip": tokenizer.decode(ids, skip_special_tokens=True)})
    write_json(path, cases)


def chats():
    random_ = sample_text.random.Random(3)
    contents = [
        "Hi", "", "\n", "two\nlines\n", "<think>\nhm\n</think>\n\nyes",
        "<think></think>no", "hm</think>yes", "<think>open", "</think>",
        "a</think>b</think>c", "<think>a<think>\nb\n</think>\n\n\nc\n",
        "\n\n<think>\n\nx\n\n</think>\n\n\n", "é 中 😀", "<|im_end|>",
        "<tool_response>\n4\n</tool_response>", "<tool_response>",
        "<think>\n\n</think>\n\nempty", "\nlead", "x</think>\n\n",
    ]
    found = [[("user", "Hi")], [("system", "Be brief."), ("user", "Hi")],
             [("assistant", "alone")], [("system", "only")]]
    found += [[("user", "q"), ("assistant", text)] for text in contents]
    found += [[("user", "q"), ("assistant", text), ("user", "r")]
              for text in contents]
    found += [[("user", "q"), ("assistant", text), ("assistant", "z")]
              for text in contents]
    for _ in range(400):
        found.append([
            (random_.choice(["user", "assistant", "assistant", "system"]),
             random_.choice(contents))
            for _ in range(random_.randint(1, 7))])
    return [[{"role": role, "content": content} for role, content in chat]
            for chat in found]


def write_chats(path, folder):
    from transformers import PreTrainedTokenizerFast
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        chat_template=(HERE / "qwen3_like.jinja").read_text())
    cases = []
    for messages in chats():
        for prompt in (True, False):
            for thinking in (True, False):
                text = tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=prompt,
                    enable_thinking=thinking)
                cases.append({
                    "messages": messages, "add_generation_prompt": prompt,
                    "enable_thinking": thinking, "text": text})
    write_json(path, cases)


def write_classes(folder):
    from tokenizers import Regex, pre_tokenizers
    for name, pattern in (("letters", r"\p{L}"), ("numbers", r"\p{N}"),
                          ("spaces", r"\s")):
        split = pre_tokenizers.Split(Regex(pattern), "removed")
        matched = bytearray(b"\1" * 0x110000)
        for begin in range(0, 0x110000, 0x800):
            if 0xD800 <= begin < 0xE000:
                matched[begin:begin + 0x800] = bytes(0x800)
                continue
            text = "".join(map(chr, range(begin, begin + 0x800)))
            for piece, _ in split.pre_tokenize_str(text):
                for c in piece:
                    matched[ord(c)] = 0
        (folder / name).write_bytes(matched)


def write_words(folder):
    from tokenizers import AddedToken, Tokenizer, models
    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_tokens([AddedToken("=", single_word=True, normalized=False)])
    (folder / "words").write_bytes(bytes(
        0 if 0xD800 <= c < 0xE000 else not tokenizer.encode("=" + chr(c)).ids
        for c in range(0x110000)))


# c alone, before and behind marks of high and low combining classes, and
# behind letters that join with much.
def nfc_contexts(c):
    return (c, f"b\u0315{c}", f"b{c}\u0334", f"{c}\u0301\u0327", f"A{c}")


def write_nfc(folder):
    from tokenizers import normalizers
    normalize = normalizers.NFC().normalize_str
    changed = {}
    for code in [*range(0xD800), *range(0xE000, 0x30000),
                 *range(0xE0000, 0xE0200)]:
        for text in nfc_contexts(chr(code)):
            normal = normalize(text)
            if normal != text:
                changed[text] = normal
    write_json(folder / "nfc.json", changed)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "versions"
    wanted, missing = versions()
    if missing:
        stamp.write_text(f"unavailable: {missing}")
        print(f"skipped: {missing}")
        return
    if stamp.exists() and stamp.read_text() == wanted:
        return
    trained = train().to_str()
    from tokenizers import Tokenizer
    texts = (sample_text.SENTENCES + sample_text.NASTY +
             [sample_text.prose(2, 20000)] +
             sample_text.random_texts(NUM_RANDOM))

    tokenizer = Tokenizer.from_str(trained)
    add_qwen_tokens(tokenizer)
    plain = write_model(folder / "plain", tokenizer)
    write_cases(folder / "plain.json", plain, texts + sample_text.special_texts(
        SPECIAL + ["<think>", "</think>"]))

    add_awkward_tokens(tokenizer)
    awkward = [token.content for _, token in
               sorted(tokenizer.get_added_tokens_decoder().items())]
    flags = write_model(folder / "flags", tokenizer, legacy_merges=True,
                        ignore_merges=True)
    write_cases(
        folder / "flags.json", flags,
        sample_text.NASTY + sample_text.random_texts(2000, seed=12) +
        sample_text.special_texts(awkward) +
        [" unreachable qzqzqz ééé unreachable", "qzqzqzqzqzqz"])

    write_chats(folder / "chat.json", folder / "plain")
    write_classes(folder)
    write_words(folder)
    write_nfc(folder)
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
