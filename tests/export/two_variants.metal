/*evoke
problem = "attention"
summary = "decode: keys split among threadgroups, then combined; else one pass"

[parameters]
splits = { value = 4, choices = [1, 2, 4, 8] }
width = { value = 32, choices = [32, 64] }
constraints = ["splits * D <= 4096"]

[derive]
rounds = "min(splits, Lk)"
margin = "(Lk - 1000) / 7 % 5"

[scratch]
partial_output = { type = "float32", shape = ["B", "Hq", "rounds", "D"] }
partial_sum = { type = "float32", shape = ["B", "Hq", "rounds", "width"], init = "zero" }

[[variant]]
name = "decode"
when = "Lq == 1 && Lk >= 8 && !(B > 4 || causal != 0)"
parameters = { splits = 2 }
[[variant.launch]]
kernel = "decode_partial"
reads = ["query", "key", "value"]
writes = ["partial_output", "partial_sum"]
threadgroups = ["Hq", "rounds", "B"]
threads = [32, 2, 1]
[[variant.launch]]
kernel = "decode_combine"
reads = ["partial_output", "partial_sum"]
writes = ["output"]
threadgroups = ["Hq", "B"]
threads = ["width"]

[[variant]]
name = "prompt"
when = "Lq > 1"
[[variant.launch]]
kernel = "one_pass"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["ceil_div(Lq, 4)", "Hq", "B"]
threads = [32, 4]
evoke*/
// 'Quotes' and \ stand here so that they survive.
// EVOLVE-BLOCK-START
inline float twice(float x) { return x + x; }

KERNEL(decode_partial) {
  const uint h = threadgroup_position_in_grid.x;
  partial_output[h * partial_output_strides[1]] = twice(scale) * Lk + rounds;
  partial_sum[h] = float(query[h * query_strides[1]]) + margin;
}
KERNEL(decode_combine) {
  output[thread_position_in_grid.x] =
      bfloat16_t(partial_output[thread_position_in_grid.x] + partial_sum[0]);
}
KERNEL(one_pass) {
  const uint h = threadgroup_position_in_grid.y;
  output[h * D] = key[h / (Hq / Hkv) * key_strides[1]] * bfloat16_t(scale);
}
// EVOLVE-BLOCK-END
