/*evoke
problem = "attention"
summary = "decode: split-KV, then combine; prefill: one pass"
atomics = true

[parameters]
splits  = { value = 16, choices = [1, 2, 4, 8, 16, 32] }
tile_kv = { value = 64, choices = [32, 64, 128] }
unroll = 4
constraints = ["tile_kv * D * 4 <= 65536", "splits >= 1"]

[scratch]
partial_output = { type = "float32", shape = ["B", "Hq", "Lq", "rounds", "D"] }
partial_lse = { type = "float32", shape = ["B", "Hq", "Lq", "rounds"] }
tickets = { type = "int32", shape = ["B", "Hkv"], init = "zero", self_reset = true }

[derive]
rounds = "min(splits, ceil_div(Lk, tile_kv))"
more_rounds = "rounds + num_sms"

[[variant]]
name = "decode"
when = "Lq == 1 && Lk >= 1024"
parameters = { tile_kv = 128 }
[[variant.launch]]
kernel = "decode_partial"
reads = ["query", "key", "value"]
writes = ["partial_output", "partial_lse", "tickets"]
threadgroups = ["Hkv", "rounds", "B"]
threads = [128, 1, 1]
dynamic_memory = "2 * tile_kv * D * 2"
[[variant.launch]]
kernel = "decode_combine"
reads = ["partial_output", "partial_lse"]
writes = ["output"]
threadgroups = ["B * Hq"]

[[variant]]
name = "prefill"
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, 32)", "Hq", "B"]
evoke*/
// Shared text.
inline float twice(float x) { return x + x; }
// EVOLVE-BLOCK-START
KERNEL(decode_partial) { (void)twice(1.0f); }
KERNEL(decode_combine) {}
// EVOLVE-BLOCK-END
// More shared text.
// EVOLVE-BLOCK-START
KERNEL(prefill) {}
// EVOLVE-BLOCK-END
// The end.
