#!/usr/bin/env python3
"""What other implementations of Qwen3 answer, for the C++ tests.

    make_expected.py FOLDER

Writes, below FOLDER:
  MODEL/                 model folders with random weights (make_model.py),
                         each with expected.safetensors in it:
      tokens (B, L)      int32
      float64            logits (B, L, V) of the forward pass written out below
      mlx_lm             logits of mlx-lm, in the folder's own type
      transformers       likewise, float32, where torch is installed
  generated.json         what mlx_lm.stream_generate makes, with and without
                         an end token, and the text of it
  draws.safetensors, draws.json      what mlx-lm's samplers draw
  versions               what made it, or "unavailable: " and why
Nothing happens when `versions` says that all of it is there already.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent

MODELS = {
    "float32": dict(dtype="float32"),
    "untied-shards": dict(dtype="float32", tied=False, shards=3, seed=1),
    "small": dict(dtype="float32", shape="small", seed=2),
    "bfloat16": dict(dtype="bfloat16", shape="small", seed=3),
    "float16": dict(dtype="float16", seed=4),
    "4-bit": dict(dtype="float32", bits=4, seed=5),
    "8-bit": dict(dtype="float32", bits=8, tied=False, shards=2, seed=6),
}
BATCH, LENGTH = 3, 37


def versions():
    """What the answers depend on; None and a reason when a wheel is missing."""
    parts = []
    for wheel in ("mlx", "mlx-lm", "numpy", "tokenizers", "transformers"):
        try:
            parts.append(f"{wheel} {importlib.metadata.version(wheel)}")
        except importlib.metadata.PackageNotFoundError:
            return None, (f"the wheel {wheel} is not installed; "
                          "./evoke test installs requirements-test.txt")
    try:
        parts.append(f"torch {importlib.metadata.version('torch')}")
    except importlib.metadata.PackageNotFoundError:
        parts.append("no torch")
    digest = hashlib.sha256()
    for name in ("make_expected.py", "make_model.py",
                 "tokenizer/make_reference.py", "tokenizer/sample_text.py",
                 "tokenizer/qwen3_like.jinja"):
        digest.update((HERE / name).read_bytes())
    return ", ".join(parts) + ", sources " + digest.hexdigest()[:16], None


def dense_weights(folder, config):
    """{name: float64 numpy array}, of packed ones what they stand for."""
    import mlx.core as mx
    import numpy as np
    weights = {}
    for file in sorted(folder.glob("model*.safetensors")):
        weights |= mx.load(str(file))
    packing = config.get("quantization")
    dense = {}
    for name, array in weights.items():
        if name.endswith((".scales", ".biases")):
            continue
        stem = name.removesuffix("weight")
        if stem + "scales" in weights:
            array = mx.dequantize(array, weights[stem + "scales"],
                                  weights[stem + "biases"], **packing)
        dense[name] = np.array(array.astype(mx.float32)).astype(np.float64)
    return dense


def float64_logits(folder, tokens):
    """Qwen3 as its paper and config describe it, one text at a time."""
    import numpy as np
    config = json.loads((folder / "config.json").read_text())
    weights = dense_weights(folder, config)
    head_dim = config["head_dim"]
    group = config["num_attention_heads"] // config["num_key_value_heads"]
    half = head_dim // 2
    length = tokens.shape[1]
    frequencies = config["rope_theta"] ** (-np.arange(half) / half)
    angles = np.arange(length)[:, None] * frequencies
    cosine, sine = np.cos(angles), np.sin(angles)
    past = np.tril(np.ones((length, length), bool))

    def linear(name, x):
        return x @ weights[name + ".weight"].T

    def norm(name, x):
        power = np.mean(x * x, axis=-1, keepdims=True)
        return (x / np.sqrt(power + config["rms_norm_eps"])
                * weights[name + ".weight"])

    def rotate(x):
        a, b = x[:, :half], x[:, half:]
        return np.concatenate([a * cosine - b * sine, b * cosine + a * sine],
                              axis=1)

    def attention(name, x):
        query, key, value = (
            linear(name + part, x).reshape(length, -1, head_dim)
            for part in (".q_proj", ".k_proj", ".v_proj"))
        outputs = []
        for head in range(query.shape[1]):
            q = rotate(norm(name + ".q_norm", query[:, head]))
            k = rotate(norm(name + ".k_norm", key[:, head // group]))
            scores = np.where(past, q @ k.T / np.sqrt(head_dim), -np.inf)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            outputs.append(shares @ value[:, head // group])
        return linear(name + ".o_proj", np.concatenate(outputs, axis=1))

    def mlp(name, x):
        gate = linear(name + ".gate_proj", x)
        return linear(name + ".down_proj",
                      gate / (1 + np.exp(-gate)) * linear(name + ".up_proj", x))

    def logits(text):
        x = weights["model.embed_tokens.weight"][text]
        for i in range(config["num_hidden_layers"]):
            layer = f"model.layers.{i}."
            x = x + attention(layer + "self_attn",
                              norm(layer + "input_layernorm", x))
            x = x + mlp(layer + "mlp",
                        norm(layer + "post_attention_layernorm", x))
        tied = config["tie_word_embeddings"]
        return linear("model.embed_tokens" if tied else "lm_head",
                      norm("model.norm", x))

    return np.stack([logits(text) for text in tokens]).astype(np.float32)


def transformers_logits(folder, tokens):
    """None where transformers cannot: no torch, or packed weights."""
    config = json.loads((folder / "config.json").read_text())
    if "quantization" in config:
        return None
    try:
        import torch
    except ImportError:
        return None
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        return model(torch.tensor(tokens).long()).logits.numpy()


def write_logits(folder, seed):
    import mlx.core as mx
    import numpy as np
    from mlx_lm.utils import load_model
    model, config = load_model(folder)
    tokens = np.random.default_rng(seed).integers(
        0, config["vocab_size"], (BATCH, LENGTH), dtype=np.int32)
    arrays = {
        "tokens": mx.array(tokens),
        "float64": mx.array(float64_logits(folder, tokens)),
        "mlx_lm": model(mx.array(tokens)).astype(mx.float32),
    }
    answer = transformers_logits(folder, tokens)
    if answer is not None:
        arrays["transformers"] = mx.array(answer)
    mx.save_safetensors(str(folder / "expected.safetensors"), arrays)


def write_generated(root):
    """The second text ends at a token that the first one contains."""
    from mlx_lm import load, stream_generate
    cases = []
    for name in ("float32", "small", "untied-shards"):
        model, tokenizer = load(str(root / name))
        for text in ("Hello, who are you?", "Ünïcödé 你好 🙂\n\n" * 9):
            prompt = tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                add_generation_prompt=True)
            tokenizer.eos_token_ids = set()
            for _ in range(2):
                responses = list(stream_generate(
                    model, tokenizer, prompt, max_tokens=40))
                last = responses[-1]
                ids = [response.token for response in responses]
                if last.finish_reason == "stop":
                    ids.pop()
                cases.append({
                    "model": name, "prompt": text, "prompt_ids": prompt,
                    "eos_ids": sorted(tokenizer.eos_token_ids), "ids": ids,
                    "text": tokenizer.decode(ids),
                    "finish_reason": last.finish_reason})
                # What comes up last, so that there is a text before it.
                tokenizer.eos_token_ids = set(list(dict.fromkeys(ids))[-1:])
    (root / "generated.json").write_text(
        json.dumps(cases, ensure_ascii=False), encoding="utf-8")


def write_draws(root):
    """Each case draws once from every row of the same logits."""
    import mlx.core as mx
    from mlx_lm.sample_utils import make_logits_processors, make_sampler
    mx.random.seed(7)
    rows, vocab = 60, 300
    logits = 3 * mx.random.normal((rows, vocab))
    cases = []
    for seed, options in enumerate([
            {}, {"temp": 1.0}, {"temp": 0.6, "top_p": 0.8},
            {"temp": 1.5, "min_p": 0.1}, {"temp": 1.2, "top_k": 7},
            {"temp": 0.8, "top_p": 0.9, "min_p": 0.02, "top_k": 20},
            {"repetition_penalty": 1.8, "context": 20},
            {"temp": 1.0, "top_p": 0.95, "repetition_penalty": 1.3,
             "context": 5}]):
        sampler = make_sampler(**{
            name: value for name, value in options.items()
            if name in ("temp", "top_p", "min_p", "top_k")})
        processors = make_logits_processors(
            repetition_penalty=options.get("repetition_penalty"),
            repetition_context_size=options.get("context", 20))
        mx.random.seed(seed)
        ids = [5, 6, 5]  # the prompt
        for row in logits:
            row = row[None]
            for process in processors:
                row = process(mx.array(ids), row)
            row = row - mx.logsumexp(row, keepdims=True)
            ids.append(sampler(row).item())
        cases.append({"seed": seed, "options": options, "prompt": ids[:3],
                      "ids": ids[3:]})
    mx.save_safetensors(str(root / "draws.safetensors"), {"logits": logits})
    (root / "draws.json").write_text(json.dumps(cases), encoding="utf-8")


def main():
    root = pathlib.Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    stamp = root / "versions"
    found, missing = versions()
    if found is None:
        stamp.write_text("unavailable: " + missing)
        print("unavailable:", missing)
        return
    if stamp.exists() and stamp.read_text() == found:
        return
    stamp.unlink(missing_ok=True)
    import make_model
    for name, options in MODELS.items():
        make_model.make_model(root / name, **options)
        write_logits(root / name, seed=len(name))
    write_generated(root)
    write_draws(root)
    stamp.write_text(found)


if __name__ == "__main__":
    main()
