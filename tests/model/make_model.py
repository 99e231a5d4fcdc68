#!/usr/bin/env python3
"""Makes a model folder with random weights, for tests and benchmarks.

    make_model.py FOLDER [--shape tiny|small|0.6b] [--layers N] [--dtype TYPE]
                         [--untied] [--shards N] [--bits N] [--seed N]

FOLDER then has all that a Qwen3 from the Hugging Face hub has: config.json,
generation_config.json, model.safetensors (or shards with an index),
tokenizer.json, tokenizer_config.json. The tokenizer is a small byte-level BPE
trained here; with few words in a large vocabulary, most ids are no token's.
"""

import argparse
import json
import pathlib
import sys

import mlx.core as mx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "tokenizer"))

# hidden, layers, query heads, KV heads, head_dim, intermediate, vocabulary.
SHAPES = {
    "tiny": (64, 3, 4, 2, 32, 160, 512),
    "small": (256, 4, 8, 4, 64, 768, 1024),
    "0.6b": (1024, 28, 16, 8, 128, 3072, 151936),
}
END = ("<|im_end|>", "<|endoftext|>")


def make_config(shape, layers, dtype, tied):
    hidden, depth, q_heads, kv_heads, head_dim, inner, vocab = SHAPES[shape]
    return {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
        "attention_bias": False, "attention_dropout": 0.0,
        "head_dim": head_dim, "hidden_act": "silu", "hidden_size": hidden,
        "initializer_range": 0.02, "intermediate_size": inner,
        "max_position_embeddings": 40960, "max_window_layers": depth,
        "num_attention_heads": q_heads, "num_hidden_layers": layers or depth,
        "num_key_value_heads": kv_heads, "rms_norm_eps": 1e-6,
        "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None,
        "tie_word_embeddings": tied, "torch_dtype": dtype, "use_cache": True,
        "use_sliding_window": False, "vocab_size": vocab,
    }


def make_weights(config, seed):
    """{name: float32 array}. Norms are not all ones, so that they matter."""
    mx.random.seed(seed)
    weights = {}

    def matrix(name, rows, columns, scale):
        weights[name + ".weight"] = scale * mx.random.normal((rows, columns))

    def norm(name, size):
        weights[name + ".weight"] = 1 + 0.2 * mx.random.normal((size,))

    hidden = config["hidden_size"]
    inner = config["intermediate_size"]
    query = config["num_attention_heads"] * config["head_dim"]
    key = config["num_key_value_heads"] * config["head_dim"]
    matrix("model.embed_tokens", config["vocab_size"], hidden, hidden ** -0.5)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        norm(layer + "input_layernorm", hidden)
        norm(layer + "post_attention_layernorm", hidden)
        norm(layer + "self_attn.q_norm", config["head_dim"])
        norm(layer + "self_attn.k_norm", config["head_dim"])
        matrix(layer + "self_attn.q_proj", query, hidden, hidden ** -0.5)
        matrix(layer + "self_attn.k_proj", key, hidden, hidden ** -0.5)
        matrix(layer + "self_attn.v_proj", key, hidden, hidden ** -0.5)
        matrix(layer + "self_attn.o_proj", hidden, query, query ** -0.5)
        matrix(layer + "mlp.gate_proj", inner, hidden, hidden ** -0.5)
        matrix(layer + "mlp.up_proj", inner, hidden, hidden ** -0.5)
        matrix(layer + "mlp.down_proj", hidden, inner, inner ** -0.5)
    norm("model.norm", hidden)
    if not config["tie_word_embeddings"]:
        matrix("lm_head", config["vocab_size"], hidden, hidden ** -0.5)
    return weights


def quantize(weights, bits, group_size):
    """As mlx_lm.convert does it: all matrices, the embedding too."""
    packed = {}
    for name, array in weights.items():
        if array.ndim != 2:
            packed[name] = array
            continue
        stem = name.removesuffix("weight")
        parts = mx.quantize(array, group_size=group_size, bits=bits)
        packed |= zip([name, stem + "scales", stem + "biases"], parts)
    return packed


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False),
                    encoding="utf-8")


def write_weights(folder, weights, shards):
    metadata = {"format": "mlx"}
    if shards == 1:
        mx.save_safetensors(str(folder / "model.safetensors"), weights,
                            metadata)
        return
    names = sorted(weights)
    places = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = names[shard::shards]
        mx.save_safetensors(str(folder / file),
                            {name: weights[name] for name in part}, metadata)
        places |= {name: file for name in part}
    size = sum(array.nbytes for array in weights.values())
    write_json(folder / "model.safetensors.index.json",
               {"metadata": {"total_size": size}, "weight_map": places})


def write_tokenizer(folder, vocab_size):
    import make_reference
    import sample_text
    tokenizer = make_reference.train(
        vocab_size=min(vocab_size, 4096) - 16,
        texts=sample_text.SENTENCES * 4 + [sample_text.prose(1, 20000)])
    make_reference.add_qwen_tokens(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"))
    template = pathlib.Path(make_reference.__file__).with_name(
        "qwen3_like.jinja").read_text(encoding="utf-8")
    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": False, "bos_token": None, "eos_token": END[0],
        "pad_token": END[1], "tokenizer_class": "Qwen2Tokenizer",
        "model_max_length": 131072, "chat_template": template})
    return [tokenizer.token_to_id(token) for token in END]


def make_model(folder, shape="tiny", layers=None, dtype="float32", tied=True,
               shards=1, bits=None, group_size=32, seed=0):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = make_config(shape, layers, dtype, tied)
    weights = make_weights(config, seed)
    weights = {name: array.astype(getattr(mx, dtype))
               for name, array in weights.items()}
    if bits:
        weights = quantize(weights, bits, group_size)
        config["quantization"] = {"group_size": group_size, "bits": bits}
        config["quantization_config"] = config["quantization"]
    write_weights(folder, weights, shards)
    ends = write_tokenizer(folder, config["vocab_size"])
    config["eos_token_id"] = ends[0]
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json",
               {"eos_token_id": ends, "pad_token_id": ends[1],
                "do_sample": True, "temperature": 0.6, "top_p": 0.95})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--dtype", default="bfloat16",
                        choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--untied", action="store_true")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--bits", type=int)
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_model(options.folder, options.shape, options.layers, options.dtype,
               not options.untied, options.shards, options.bits,
               options.group_size, options.seed)


if __name__ == "__main__":
    main()
