/*evoke
problem = "attention"
summary = "decode by a ring of tensor copies and clusters, prefill by wgmma: decode_stream and prefill_hopper by shape"

[parameters]
cluster_size = { value = 8, choices = [1, 2, 4, 8] }
consumers = { value = 2, choices = [1, 2, 3] }
decoding = { value = 0, choices = [0, 1] }
evict = { value = 1, choices = [0, 1, 2] }
groups = { value = 1, choices = [1, 2, 3, 4, 8, 16] }
min_resident = { value = 1, choices = [1, 2] }
order = { value = 1, choices = [0, 1] }
overlap = { value = 1, choices = [0, 1] }
pack_heads = { value = 0, choices = [0, 1] }
pairs = { value = 0, choices = [0, 1] }
persistent = { value = 1, choices = [0, 1] }
ping_pong = { value = 1, choices = [0, 1] }
promotion = { value = 0, choices = [0, 64, 128, 256] }
queries = { value = 1, choices = [1, 2, 4, 8] }
query_tiles = { value = 2, choices = [1, 2] }
resident = { value = 1, choices = [1, 2] }
split = { value = 1, choices = [1, 2] }
stages = { value = 2, choices = [1, 2, 3, 4, 6] }
tile_kv = { value = 128, choices = [64, 80, 96, 112, 128, 144, 160, 176, 192] }
tiles = { value = 1, choices = [1, 2] }
warps = { value = 8, choices = [4, 8, 12] }
constraints = ["D == 128", "Hq % Hkv == 0", "queries * (Hq / Hkv) <= 8 || decoding == 0", "warps * tiles <= 16", "decoding == 0 || warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + 2048 <= max_threadgroup_memory / min_resident", "decoding == 1 || (ping_pong == 0 || consumers == 2 && split == 1)", "decoding == 1 || consumers % split == 0", "decoding == 1 || (split == 1 || stages % 2 == 0 && persistent == 0)", "decoding == 1 || (pack_heads == 0 || Hq / Hkv == 2 && consumers / split == 2)", "decoding == 1 || (resident == 1 || consumers == 1)", "decoding == 1 || (query_tiles == 1 || persistent == 1)", "decoding == 1 || (pairs == 0 || pack_heads == 1 && split == 1 && persistent == 0)", "decoding == 1 || consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 1408 <= max_threadgroup_memory / resident - (resident - 1) * 1024"]

[scratch]
counters = { type = "int32", shape = ["2"], init = "zero", self_reset = true }
partial_output = { type = "float32", shape = ["B", "Hkv", "groups", "queries * (Hq / Hkv)", "D"] }
partial_sums = { type = "float32", shape = ["B", "Hkv", "groups", "queries * (Hq / Hkv)", "2"] }
tickets = { type = "int32", shape = ["B", "Hkv"], init = "zero", self_reset = true }

[derive]
head_groups = "Hq / (1 + pack_heads) * B"
row_tiles = "pairs ? ceil_div(Lq, 128) : ceil_div(Lq, 64 * (consumers / split) / (1 + pack_heads))"
section = "min(B * Hq, max(1, 33554432 / (Lk * D * 4)) * (Hq / Hkv)) / (1 + pack_heads)"
tile_count = "row_tiles * head_groups"

[tensor_map.key_stream]
tensor = "key"
box = [64, "warps * tiles * 16", 1, 1]
swizzle = 128
l2_promotion = "promotion"
[tensor_map.value_stream]
tensor = "value"
box = [64, "warps * tiles * 16", 1, 1]
swizzle = 128
l2_promotion = "promotion"
[tensor_map.query_map]
tensor = "query"
l2_promotion = "promotion"
box = [64, 64, 1, 1]
swizzle = 128
[tensor_map.key_map]
tensor = "key"
l2_promotion = "promotion"
box = [64, "tile_kv", 1, 1]
swizzle = 128
[tensor_map.value_map]
tensor = "value"
l2_promotion = "promotion"
box = [64, "tile_kv", 1, 1]
swizzle = 128
[tensor_map.output_map]
tensor = "output"
l2_promotion = "promotion"
box = [64, 64, 1, 1]
swizzle = 128

[[variant]]
name = "decode-tiny"
when = "Lq == 1 && Hq / Hkv <= 8 && Lk <= 128 && B * Hkv <= 30"
parameters = { decoding = 1, cluster_size = 1, promotion = 256, warps = 4 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "decode-short"
when = "Lq == 1 && Hq / Hkv <= 8 && Lk <= 512 && B * Hkv <= 30"
parameters = { decoding = 1, cluster_size = 4, warps = 4 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "decode-eight-1k"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 15 && Lk <= 2048"
parameters = { decoding = 1, cluster_size = 8, tiles = 2, warps = 4 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "decode-eight"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 15"
parameters = { decoding = 1, cluster_size = 8 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "decode-four"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 30"
parameters = { decoding = 1, cluster_size = 4 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "decode-two"
when = "Lq == 1 && Hq / Hkv <= 8 && B * Hkv <= 66"
parameters = { decoding = 1, cluster_size = 2 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "decode-one"
when = "Lq == 1 && Hq / Hkv <= 8"
parameters = { decoding = 1, cluster_size = 1, min_resident = 2, stages = 3, warps = 4 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "decode-few-queries"
when = "Lq <= 4 && Hq / Hkv <= 2"
parameters = { decoding = 1, cluster_size = 4, queries = 4 }
[[variant.launch]]
kernel = "decode"
reads = ["query", "key", "value"]
writes = ["output", "partial_output", "partial_sums", "tickets"]
tensor_maps = ["key_stream", "value_stream"]
threadgroups = ["cluster_size * groups", "Hkv", "B"]
threads = ["warps * 32 + 32", 1, 1]
cluster = ["cluster_size", 1, 1]
min_blocks = "min_resident"
dynamic_memory = "warps * stages * tiles * 8192 + (warps + cluster_size) * align_up(queries * (Hq / Hkv) * (D + 2) * 4, 16) + stages * 32 + 64"

[[variant]]
name = "prefill-short"
when = "Lk <= 256"
parameters = { consumers = 1, order = 0, persistent = 0, ping_pong = 0, query_tiles = 1, tile_kv = 64 }
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : (1 + pairs) * head_groups", "persistent ? 1 : row_tiles", 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 384"

[[variant]]
name = "prefill-pairs"
when = "Hq / Hkv == 2 && Lq > 768 && 2 * ceil_div(Lq, 128) * Hkv * B <= num_sms"
parameters = { pack_heads = 1, pairs = 1, persistent = 0, query_tiles = 1, stages = 3, tile_kv = 64 }
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : (1 + pairs) * head_groups", "persistent ? 1 : row_tiles", 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 384"

[[variant]]
name = "prefill-few-tiles"
when = "ceil_div(Lq, 64) * Hq * B <= 2 * num_sms"
parameters = { persistent = 0, ping_pong = 0, query_tiles = 1, split = 2, stages = 4, tile_kv = 64 }
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : (1 + pairs) * head_groups", "persistent ? 1 : row_tiles", 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 384"

[[variant]]
name = "prefill-paired-short"
when = "Hq / Hkv == 2 && ceil_div(Lq, 64) * Hq * B <= 4 * num_sms"
parameters = { pack_heads = 1, tile_kv = 96 }
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : (1 + pairs) * head_groups", "persistent ? 1 : row_tiles", 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 384"

[[variant]]
name = "prefill-paired"
when = "Hq / Hkv == 2 && Lk < 3072"
parameters = { pack_heads = 1 }
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : (1 + pairs) * head_groups", "persistent ? 1 : row_tiles", 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 384"

[[variant]]
name = "prefill-paired-long"
when = "Hq / Hkv == 2"
parameters = { pack_heads = 1, tile_kv = 160 }
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : (1 + pairs) * head_groups", "persistent ? 1 : row_tiles", 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 384"

[[variant]]
name = "prefill-long"
when = "1"
[[variant.launch]]
kernel = "prefill"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : (1 + pairs) * head_groups", "persistent ? 1 : row_tiles", 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * query_tiles + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 384"
evoke*/

// decode_stream.cu and prefill_hopper.cu in one file, each in a namespace of
// its own; they describe their genes. `decoding` tells the constraints which
// half a variant runs.

// EVOLVE-BLOCK-START
namespace decoder {

constexpr int kHeads = Hq / Hkv;
constexpr int kColumns = queries * kHeads;  // of 8
constexpr int kTile = 16;                   // keys
constexpr int kMine = kTile * tiles;        // keys of a unit for one warp
constexpr int kUnit = kMine * warps;  // keys that the block takes at a time

// What is known of one column (a query of a head): the greatest score in units
// of log2, the sum of exponentials relative to it, and the weighted values.
struct alignas(16) Partial {
  float output[kColumns][D];
  float greatest[kColumns];
  float sum[kColumns];
};
constexpr uint32_t kPartialBytes = kColumns * (D + 2) * 4;  // without padding

constexpr uint32_t kPanel = kUnit * 128;  // bytes; 64 columns
constexpr uint32_t kStage = 4 * kPanel;   // keys, then values

struct Ring {
  uint64_t key_full[stages];
  uint64_t value_full[stages];
  uint64_t key_empty[stages];
  uint64_t value_empty[stages];
};

EVOKE_DEVICE Vector16 load_shared(const unsigned char* address) {
  return *reinterpret_cast<const Vector16*>(address);
}

// The sum of `count` partials for four values of one column; greatest and sum
// of the result are returned by reference.
template <int count>
EVOKE_DEVICE float4 merged(const Partial* parts, int column, int d,
                           float& greatest, float& sum) {
  greatest = -INFINITY;
#pragma unroll
  for (int i = 0; i < count; ++i) {
    greatest = fmaxf(greatest, parts[i].greatest[column]);
  }
  const float base = greatest == -INFINITY ? 0.0f : greatest;
  sum = 0;
  float4 out = {0, 0, 0, 0};
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const float weight = exp2_approx(parts[i].greatest[column] - base);
    const float4 o =
        *reinterpret_cast<const float4*>(&parts[i].output[column][d]);
    sum += weight * parts[i].sum[column];
    out.x += weight * o.x;
    out.y += weight * o.y;
    out.z += weight * o.z;
    out.w += weight * o.w;
  }
  return out;
}

}  // namespace decoder

KERNEL(decode) {
  using namespace decoder;
  const int part = blockIdx.x;
  const int group = blockIdx.y;
  const int b = blockIdx.z;
  const int warp = threadIdx.x / kWarp;
  const int g = threadIdx.x % kWarp / 4;
  const int t = threadIdx.x % 4;
  const int columns = Lq * kHeads;

  Partial* const of_warps =
      reinterpret_cast<Partial*>(threadgroup_memory + stages * kStage);
  Partial* const of_blocks = of_warps + warps;
  uint64_t* const arrived =
      reinterpret_cast<uint64_t*>(of_blocks + cluster_size);
  Ring& ring = *reinterpret_cast<Ring*>(arrived + 1);
  int* const ticket = reinterpret_cast<int*>(&ring + 1);

  // This block's units. Unsigned: exact for any number of keys.
  constexpr uint32_t kParts = cluster_size * groups;
  const uint32_t units = (Lk + kUnit - 1) / kUnit;
  const int first = units * part / kParts;
  const int last = units * (part + 1) / kParts;

  // One lane of the last warp makes the barriers and issues all copies. The
  // first ones go before anybody else knows of the barriers.
  const bool producer = warp == warps && threadIdx.x % kWarp == 0;
  int unit_ahead = first;
  int slot_ahead = 0;
  const auto issue_copies = [&](auto wait_for) {
    const uint64_t policy = evict == 1   ? evict_first_policy()
                            : evict == 2 ? evict_unchanged_policy()
                                         : evict_normal_policy();
    const int row = unit_ahead * kUnit;
    unsigned char* const keys = threadgroup_memory + slot_ahead * kStage;
    unsigned char* const values = keys + 2 * kPanel;
    wait_for(ring.key_empty[slot_ahead]);
    uint64_t* full = &ring.key_full[slot_ahead];
    mbarrier_arrive_expect(full, 2 * kPanel);
    load_tile(keys, key_stream, full, 0, row, group, b, policy);
    load_tile(keys + kPanel, key_stream, full, 64, row, group, b, policy);
    wait_for(ring.value_empty[slot_ahead]);
    full = &ring.value_full[slot_ahead];
    mbarrier_arrive_expect(full, 2 * kPanel);
    load_tile(values, value_stream, full, 0, row, group, b, policy);
    load_tile(values + kPanel, value_stream, full, 64, row, group, b, policy);
    ++unit_ahead;
    slot_ahead = slot_ahead + 1 == stages ? 0 : slot_ahead + 1;
  };
  if (producer) {
    for (int i = 0; i < stages; ++i) {
      mbarrier_init(&ring.key_full[i], 1);
      mbarrier_init(&ring.value_full[i], 1);
      mbarrier_init(&ring.key_empty[i], warps);
      mbarrier_init(&ring.value_empty[i], warps);
    }
    if constexpr (cluster_size > 1) mbarrier_init(arrived, 1);
    mbarrier_fence_init();
    if constexpr (cluster_size > 1) {
      mbarrier_arrive_expect(arrived, cluster_size * kPartialBytes);
    }
#pragma unroll
    for (int i = 0; i < stages; ++i) {
      if (unit_ahead < last) issue_copies([](uint64_t&) {});
    }
  }
  __syncthreads();
  if constexpr (cluster_size > 1) cluster_arrive_relaxed();

  if (warp == warps) {
    if (producer) {
      uint32_t parity = 0;
      while (unit_ahead < last) {
        issue_copies([&](uint64_t& empty) { mbarrier_wait(&empty, parity); });
        if (slot_ahead == 0) parity ^= 1;
      }
    }
    __syncwarp();
  }

  // Column g, in the order of the keys' fragments: chunks 2t and 2t + 1 of
  // 8 values, in either panel.
  Vector16 q[4];
#pragma unroll
  for (int c = 0; c < 4; ++c) q[c] = Vector16{0, 0, 0, 0};
  if (warp < warps && g < columns) {
    const bfloat16* const row =
        query + b * query_strides[0] +
        (group * kHeads + g % kHeads) * query_strides[1] +
        g / kHeads * query_strides[2] + t * 16;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      q[c] = load_once(row + c / 2 * 64 + c % 2 * 8);
    }
  }

  // o[j]: rows (value columns) 8g + j and 64 + 8g + j, columns 2t and 2t + 1.
  float o[8][4] = {};
  float greatest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
  const float log2_scale = scale * kLog2E;

  int slot = 0;
  uint32_t parity = 0;
  for (int unit = warp < warps ? first : last; unit < last; ++unit) {
    const unsigned char* const stage = threadgroup_memory + slot * kStage;
    const int mine = warp * kMine;  // rows of the unit
    // k[i][r]: row g + 8r of tile i, chunks 2t and 2t + 1 of both panels.
    Vector16 k[tiles][2][4];
    mbarrier_wait(&ring.key_full[slot], parity);
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          k[i][r][c] = load_shared(
              stage + c / 2 * kPanel +
              swizzled_chunk(mine + i * kTile + g + 8 * r, 2 * t + c % 2));
        }
      }
    }
    __syncwarp();
    if (threadIdx.x % kWarp == 0) mbarrier_arrive(&ring.key_empty[slot]);
    float s[tiles][4];
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
      float even[4] = {};
      float odd[4] = {};
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const Vector16& upper = k[i][0][c];
        const Vector16& lower = k[i][1][c];
        mma_16x8x16(even, upper.word[0], lower.word[0], upper.word[1],
                    lower.word[1], q[c].word[0], q[c].word[1]);
        mma_16x8x16(odd, upper.word[2], lower.word[2], upper.word[3],
                    lower.word[3], q[c].word[2], q[c].word[3]);
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) s[i][e] = (even[e] + odd[e]) * log2_scale;
    }

    // Keys beyond what a column sees. Column 2t + e % 2, row g + e / 2 * 8.
    if ((unit + 1) * kUnit > (causal ? Lk - Lq + 1 : Lk)) {
#pragma unroll
      for (int i = 0; i < tiles; ++i) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int j = unit * kUnit + mine + i * kTile + g + e / 2 * 8;
          const int at = (2 * t + e % 2) / kHeads;
          const int visible = causal ? min(Lk - Lq + 1 + at, Lk) : Lk;
          if (j >= visible) s[i][e] = -INFINITY;
        }
      }
    }
    float correction[2];
    float base[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      float top = greatest[e];
#pragma unroll
      for (int i = 0; i < tiles; ++i) {
        top = fmaxf(top, fmaxf(s[i][e], s[i][e + 2]));
      }
      top = max_over_lanes<0b11100>(top);
      base[e] = top == -INFINITY ? 0.0f : top;
      correction[e] = exp2_approx(greatest[e] - base[e]);
      greatest[e] = top;
      sum[e] *= correction[e];
    }
    uint32_t p[tiles][2];
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        s[i][e] = exp2_approx(s[i][e] - base[e % 2]);
        sum[e % 2] += s[i][e];
      }
      p[i][0] = transpose_matrix(pack_bfloat16(s[i][0], s[i][1]));
      p[i][1] = transpose_matrix(pack_bfloat16(s[i][2], s[i][3]));
    }
#pragma unroll
    for (int j = 0; j < 8; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) o[j][e] *= correction[e % 2];
    }
    // v[i][r]: row 2t + {0, 1, 8, 9} of tile i, chunk g of both panels.
    Vector16 v[tiles][4][2];
    mbarrier_wait(&ring.value_full[slot], parity);
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const unsigned char* const row =
            stage + 2 * kPanel +
            swizzled_chunk(mine + i * kTile + 2 * t + r % 2 + r / 2 * 8, g);
        v[i][r][0] = load_shared(row);
        v[i][r][1] = load_shared(row + kPanel);
      }
    }
    __syncwarp();
    if (threadIdx.x % kWarp == 0) mbarrier_arrive(&ring.value_empty[slot]);
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const auto word = [&](int r, int half) {
          return v[i][r][half].word[w];
        };
        mma_16x8x16(o[2 * w], pair_of_lows(word(0, 0), word(1, 0)),
                    pair_of_lows(word(0, 1), word(1, 1)),
                    pair_of_lows(word(2, 0), word(3, 0)),
                    pair_of_lows(word(2, 1), word(3, 1)), p[i][0], p[i][1]);
        mma_16x8x16(o[2 * w + 1], pair_of_highs(word(0, 0), word(1, 0)),
                    pair_of_highs(word(0, 1), word(1, 1)),
                    pair_of_highs(word(2, 0), word(3, 0)),
                    pair_of_highs(word(2, 1), word(3, 1)), p[i][0], p[i][1]);
      }
    }
    if (++slot == stages) {
      slot = 0;
      parity ^= 1;
    }
  }

  // The warps of the block.
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    sum[e] = sum_over_lanes<0b11100>(sum[e]);
    const int column = 2 * t + e;
    if (warp < warps && column < kColumns) {
      Partial& mine = of_warps[warp];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float4* const out =
            reinterpret_cast<float4*>(&mine.output[column][half * 64 + g * 8]);
        const int at = e + 2 * half;
        out[0] = float4{o[0][at], o[1][at], o[2][at], o[3][at]};
        out[1] = float4{o[4][at], o[5][at], o[6][at], o[7][at]};
      }
      if (g == 0) {
        mine.greatest[column] = greatest[e];
        mine.sum[column] = sum[e];
      }
    }
  }
  __syncthreads();
  if constexpr (cluster_size > 1) cluster_wait();

  constexpr int kVectors = kColumns * D / 4;
  const int rank = cluster_size > 1 ? part % cluster_size : 0;
  const auto write = [&](int column, int d, float4 o4, float total) {
    if (column >= columns) return;
    const float inverse = total > 0 ? 1.0f / total : 0.0f;
    bfloat16* const out =
        output + b * output_strides[0] +
        (group * kHeads + column % kHeads) * output_strides[1] +
        column / kHeads * output_strides[2] + d;
    uint2 words;
    words.x = pack_bfloat16(o4.x * inverse, o4.y * inverse);
    words.y = pack_bfloat16(o4.z * inverse, o4.w * inverse);
    *reinterpret_cast<uint2*>(out) = words;
  };
  const int64_t place =
      ((int64_t{b} * Hkv + group) * groups + part / cluster_size) * kColumns;
  const auto publish = [&](int column, int d, float4 o4, float top,
                           float total) {
    if constexpr (groups == 1) {
      write(column, d, o4, total);
    } else {
      *reinterpret_cast<float4*>(partial_output + (place + column) * D + d) =
          o4;
      if (d == 0) {
        partial_sums[(place + column) * 2] = top;
        partial_sums[(place + column) * 2 + 1] = total;
      }
    }
  };

  for (int i = threadIdx.x; i < kVectors; i += blockDim.x) {
    const int column = i / (D / 4);
    const int d = i % (D / 4) * 4;
    float top;
    float total;
    const float4 o4 = merged<warps>(of_warps, column, d, top, total);
    if constexpr (cluster_size == 1) {
      publish(column, d, o4, top, total);
    } else {
      const uint32_t barrier = remote_address(arrived, 0);
      const Partial& there = of_blocks[rank];
      store_remote_async(remote_address(&there.output[column][d], 0),
                         Vector16{__float_as_uint(o4.x), __float_as_uint(o4.y),
                                  __float_as_uint(o4.z), __float_as_uint(o4.w)},
                         barrier);
      if (d == 0) {
        store_remote_async(remote_address(&there.greatest[column], 0), top,
                           barrier);
        store_remote_async(remote_address(&there.sum[column], 0), total,
                           barrier);
      }
    }
  }
  if constexpr (cluster_size > 1) {
    if (rank != 0) return;
    mbarrier_wait_cluster(arrived, 0);
    for (int i = threadIdx.x; i < kVectors; i += blockDim.x) {
      const int column = i / (D / 4);
      const int d = i % (D / 4) * 4;
      float top;
      float total;
      const float4 o4 = merged<cluster_size>(of_blocks, column, d, top, total);
      publish(column, d, o4, top, total);
    }
  }

  // The clusters of the head: the last to arrive adds up.
  if constexpr (groups > 1) {
    __syncthreads();
    if (threadIdx.x == 0) {
      int* const counter = tickets + b * Hkv + group;
      const int before = add_acq_rel(counter, 1);
      *ticket = before;
      if (before == groups - 1) *counter = 0;
    }
    __syncthreads();
    if (*ticket != groups - 1) return;
    const int64_t base = (int64_t{b} * Hkv + group) * groups * kColumns;
    for (int i = threadIdx.x; i < kVectors; i += blockDim.x) {
      const int column = i / (D / 4);
      const int d = i % (D / 4) * 4;
      float tops[groups];
      float sums[groups];
      Vector16 outs[groups];
      float top = -INFINITY;
#pragma unroll
      for (int n = 0; n < groups; ++n) {
        const int64_t at = base + n * kColumns + column;
        tops[n] = load_from_l2(partial_sums + at * 2);
        sums[n] = load_from_l2(partial_sums + at * 2 + 1);
        outs[n] = load16_from_l2(partial_output + at * D + d);
        top = fmaxf(top, tops[n]);
      }
      const float least = top == -INFINITY ? 0.0f : top;
      float total = 0;
      float4 o4 = {0, 0, 0, 0};
#pragma unroll
      for (int n = 0; n < groups; ++n) {
        const float weight = exp2_approx(tops[n] - least);
        total += weight * sums[n];
        o4.x += weight * __uint_as_float(outs[n].word[0]);
        o4.y += weight * __uint_as_float(outs[n].word[1]);
        o4.z += weight * __uint_as_float(outs[n].word[2]);
        o4.w += weight * __uint_as_float(outs[n].word[3]);
      }
      write(column, d, o4, total);
    }
  }
}

namespace prefiller {

constexpr int kRowGroups = consumers / split;
constexpr int kPacked = 1 + pack_heads;  // heads of a tile
constexpr int kTileQ = 64 * kRowGroups / kPacked;
constexpr int kHeads = Hq / Hkv;
constexpr uint32_t kQueryPanel = 64 * 128;  // bytes
constexpr uint32_t kQueryTile = 2 * kQueryPanel;
constexpr uint32_t kPanel = tile_kv * 128;
constexpr uint32_t kStage = 2 * kPanel;
constexpr int kSums = tile_kv / 2;  // scores of one thread
constexpr int kTickets = 2;         // tiles announced ahead

struct Barriers {
  uint64_t query_full[query_tiles][kRowGroups];
  uint64_t query_empty[query_tiles][kRowGroups];
  uint64_t key_full[stages];
  uint64_t key_empty[stages];
  uint64_t value_full[stages];
  uint64_t value_empty[stages];
  uint64_t tile_full[kTickets];
  uint64_t tile_empty[kTickets];
  int tile[kTickets];
  uint64_t handed[kRowGroups];  // by the other block of the cluster
};

// A place in a ring of `slots`, and the parity of its current round.
template <int slots>
struct Place {
  int slot = 0;
  uint32_t parity = 0;
  EVOKE_DEVICE void advance() {
    if (++slot == slots) {
      slot = 0;
      parity ^= 1;
    }
  }
};

// What one of two warpgroups that share rows hands to the other, in this block
// or the other one of the cluster: the sums of each thread in fours, then the
// greatest and the sum of its two rows.
struct Half {
  Vector16 out[16][kWarpgroup];
  Vector16 rows[kWarpgroup];
};
constexpr uint32_t kHalfRow = sizeof(Half::rows);

// Blocks of keys [begin, end) for the queries [first, first + kTileQ) of a
// head; none when first is negative.
struct Tile {
  int first;
  int head;
  int batch;
  int begin;
  int end;
  bool shared;  // by the blocks of a cluster: block 1 hands its part to block 0
};
EVOKE_DEVICE Tile tile_of(int at) {
  Tile tile;
  tile.head = at % (Hq / kPacked) * kPacked;
  tile.batch = at / (Hq / kPacked);
  return tile;
}
EVOKE_DEVICE int blocks_seen(int first, int Lq, int Lk) {
  const int seen = causal ? min(Lk, Lk - Lq + min(first + kTileQ, Lq)) : Lk;
  return max(0, (seen + tile_kv - 1) / tile_kv);
}
// pairs = 1: a cluster has a tile and one as far from the other end, which
// together see as many keys as any other two. Block 0 takes the last half of
// these from the longer tile. Block 1 begins with what is left of that, hands
// over what comes of it, and has the shorter tile then: its turn 1.
EVOKE_DEVICE Tile tile_of_pair(int turn, int Lq, int Lk) {
  const int rows = (Lq + kTileQ - 1) / kTileQ;
  const int rank = blockIdx.x % 2;
  const int longer = (rows - 1 - blockIdx.y) * kTileQ;
  const int shorter = blockIdx.y * kTileQ;
  const int blocks = blocks_seen(longer, Lq, Lk);
  const int others = shorter < longer ? blocks_seen(shorter, Lq, Lk) : 0;
  const int kept = min(blocks, (blocks + others + 1) / 2);
  Tile tile = tile_of(blockIdx.x / 2);
  tile.first = turn == 0 ? longer : shorter < longer ? shorter : -1;
  tile.begin = rank == 0 ? blocks - kept : 0;
  tile.end = rank == 0 ? blocks : turn == 0 ? blocks - kept : others;
  tile.shared = turn == 0 && kept < blocks;
  return tile;
}
// persistent = 0: a grid of heads by rows. persistent = 1: the tile with a
// number, heads in sections whose keys and values fit into L2.
EVOKE_DEVICE Tile tile_at(int index, int B, int Lq, int Lk, int section) {
  const int rows = (Lq + kTileQ - 1) / kTileQ;
  int row = blockIdx.y;
  int at = blockIdx.x;
  if constexpr (persistent != 0) {
    const int before = index / (section * rows) * section;
    const int width = min(section, B * Hq / kPacked - before);
    const int rest = index - before * rows;
    row = rest / width;
    at = before + rest % width;
  }
  Tile tile = tile_of(at);
  tile.first = (order == 1 ? rows - 1 - row : row) * kTileQ;
  tile.begin = 0;
  tile.end = blocks_seen(tile.first, Lq, Lk);
  tile.shared = false;
  return tile;
}

// scores = Q K^T for one block, issued and not waited for.
EVOKE_DEVICE void multiply_keys(float (&scores)[kSums], uint64_t q,
                                uint64_t k) {
#pragma unroll
  for (int step = 0; step < D / 16; ++step) {
    const uint32_t along = step % 4 * 32;
    wgmma<tile_kv>(scores, advanced(q, step / 4 * kQueryPanel + along),
                   advanced(k, step / 4 * kPanel + along), step != 0);
  }
}
// out += P V for one block.
EVOKE_DEVICE void multiply_values(float (&out)[64],
                                  const uint32_t (&p)[kSums / 2], uint64_t v) {
#pragma unroll
  for (int step = 0; step < tile_kv / 16; ++step) {
    wgmma<D, Major::mn>(out, p[4 * step], p[4 * step + 1], p[4 * step + 2],
                        p[4 * step + 3], advanced(v, step * 2048), true);
  }
}

// The two rows of a thread.
struct Rows {
  float greatest[2];
  float sum[2];  // this thread's columns alone
};

EVOKE_DEVICE void mask(float (&scores)[kSums], int visible0, int visible1,
                       int first_key) {
#pragma unroll
  for (int j = 0; j < kSums / 4; ++j) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int at = first_key + 8 * j + e;
      if (at >= visible0) scores[4 * j + e] = -INFINITY;
      if (at >= visible1) scores[4 * j + 2 + e] = -INFINITY;
    }
  }
}

// Scores become probabilities relative to the new maximum; `correction` brings
// what was summed before to it.
EVOKE_DEVICE void softmax(float (&scores)[kSums], Rows& rows,
                          float (&correction)[2], float log2_scale) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float even = rows.greatest[r];
    float odd = -INFINITY;
#pragma unroll
    for (int j = 0; j < kSums / 4; ++j) {
      even = fmaxf(even, scores[4 * j + 2 * r]);
      odd = fmaxf(odd, scores[4 * j + 2 * r + 1]);
    }
    const float top = max_over_lanes<0b11>(fmaxf(even, odd));
    const float base = top == -INFINITY ? 0.0f : top * log2_scale;
    correction[r] = exp2_approx(rows.greatest[r] * log2_scale - base);
    rows.greatest[r] = top;
    float sum = rows.sum[r] * correction[r];
#pragma unroll
    for (int j = 0; j < kSums / 4; ++j) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float& x = scores[4 * j + 2 * r + e];
        x = exp2_approx(__fmaf_rn(x, log2_scale, -base));
        sum += x;
      }
    }
    rows.sum[r] = sum;
  }
}

EVOKE_DEVICE void pack(uint32_t (&p)[kSums / 2], const float (&scores)[kSums]) {
#pragma unroll
  for (int i = 0; i < kSums / 2; ++i) {
    p[i] = pack_bfloat16(scores[2 * i], scores[2 * i + 1]);
  }
}

EVOKE_DEVICE void correct(float (&out)[64], const float (&correction)[2]) {
#pragma unroll
  for (int j = 0; j < 16; ++j) {
    out[4 * j] *= correction[0];
    out[4 * j + 1] *= correction[0];
    out[4 * j + 2] *= correction[1];
    out[4 * j + 3] *= correction[1];
  }
}

EVOKE_DEVICE Vector16 four_of(const float (&out)[64], int i) {
  return Vector16{__float_as_uint(out[4 * i]), __float_as_uint(out[4 * i + 1]),
                  __float_as_uint(out[4 * i + 2]),
                  __float_as_uint(out[4 * i + 3])};
}
EVOKE_DEVICE Vector16 four_of(const Rows& rows) {
  return Vector16{__float_as_uint(rows.greatest[0]),
                  __float_as_uint(rows.greatest[1]),
                  __float_as_uint(rows.sum[0]), __float_as_uint(rows.sum[1])};
}
// Adds what the other half of the keys came to.
EVOKE_DEVICE void merge(float (&out)[64], Rows& rows, const Half& other,
                        int thread, float log2_scale) {
  const Vector16 theirs = other.rows[thread];
  float mine_by[2];
  float other_by[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const float greatest = __uint_as_float(theirs.word[r]);
    const float top = fmaxf(rows.greatest[r], greatest);
    const float base = top == -INFINITY ? 0.0f : top * log2_scale;
    mine_by[r] = exp2_approx(rows.greatest[r] * log2_scale - base);
    other_by[r] = exp2_approx(greatest * log2_scale - base);
    rows.sum[r] = rows.sum[r] * mine_by[r] +
                  __uint_as_float(theirs.word[2 + r]) * other_by[r];
  }
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    const Vector16 four = other.out[i][thread];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      out[4 * i + e] = out[4 * i + e] * mine_by[e / 2] +
                       __uint_as_float(four.word[e]) * other_by[e / 2];
    }
  }
}

}  // namespace prefiller

KERNEL(prefill) {
  using namespace prefiller;
  unsigned char* const memory =
      threadgroup_memory + (-shared_address(threadgroup_memory) & 1023);
  unsigned char* const key_tiles =
      memory + query_tiles * kRowGroups * kQueryTile;
  unsigned char* const value_tiles = key_tiles + stages * kStage;
  Half* const halves = reinterpret_cast<Half*>(value_tiles + stages * kStage);
  Barriers& bars =
      *reinterpret_cast<Barriers*>(halves + (split - 1 + pairs) * kRowGroups);
  // The same in all lanes, which the compiler knows by the shuffle: descriptors
  // stay in uniform registers.
  const int warpgroup = __shfl_sync(0xffffffff, threadIdx.x / kWarpgroup, 0);

  if (threadIdx.x == 0) {
    for (int i = 0; i < kRowGroups; ++i) {
      for (int n = 0; n < query_tiles; ++n) {
        mbarrier_init(&bars.query_full[n][i], 1);
        mbarrier_init(&bars.query_empty[n][i], 1);
      }
      if constexpr (pairs != 0) mbarrier_init(&bars.handed[i], 1);
    }
    for (int i = 0; i < stages; ++i) {
      mbarrier_init(&bars.key_full[i], 1);
      mbarrier_init(&bars.key_empty[i], kRowGroups);
      mbarrier_init(&bars.value_full[i], 1);
      mbarrier_init(&bars.value_empty[i], kRowGroups);
    }
    for (int i = 0; i < kTickets; ++i) {
      mbarrier_init(&bars.tile_full[i], 1);
      mbarrier_init(&bars.tile_empty[i], consumers);
    }
    mbarrier_fence_init();
    if constexpr (pairs != 0) {
      for (int i = 0; i < kRowGroups; ++i) {
        mbarrier_arrive_expect(&bars.handed[i], sizeof(Half));
      }
    }
  }
  __syncthreads();
  // After the cluster's one barrier the other block's `handed` may be counted
  // at. Consumers wait for it, and the producer's warps before they end.
  if constexpr (pairs != 0) {
    cluster_arrive_relaxed();
  }

  if (warpgroup == 0) {
    // ---------------------------------------------------------- the producer
    if constexpr (consumers == 2) release_registers<tile_kv <= 160 ? 40 : 24>();
    if constexpr (consumers == 3) release_registers<32>();
    if constexpr (resident == 2) release_registers<24>();
    if (threadIdx.x == 0) {
      prefetch_map(query_map);
      prefetch_map(key_map);
      prefetch_map(value_map);
      prefetch_map(output_map);
      Place<stages> place;  // of keys and values: filled in step
      Place<kTickets> ticket;
      Place<query_tiles> query_place;
      int index = blockIdx.x;
      int turn = 0;
      while (true) {
        if constexpr (persistent != 0) {
          mbarrier_wait(&bars.tile_empty[ticket.slot], ticket.parity ^ 1);
          bars.tile[ticket.slot] = index;
          mbarrier_arrive(&bars.tile_full[ticket.slot]);
          ticket.advance();
        }
        if (persistent != 0 && index >= tile_count) break;
        Tile tile;
        if constexpr (pairs != 0) {
          tile = tile_of_pair(turn, Lq, Lk);
          if (tile.first < 0) break;
        } else {
          tile = tile_at(index, B, Lq, Lk, section);
        }
        const int group = tile.head / kHeads;
        const auto load_panels = [&](unsigned char* to, const CUtensorMap& map,
                                     uint64_t* full, int block) {
          mbarrier_arrive_expect(full, kStage);
          load_tile(to, map, full, 0, block * tile_kv, group, tile.batch);
          load_tile(to + kPanel, map, full, 64, block * tile_kv, group,
                    tile.batch);
        };
        const auto load_keys = [&](int block, const Place<stages>& at) {
          mbarrier_wait(&bars.key_empty[at.slot], at.parity ^ 1);
          load_panels(key_tiles + at.slot * kStage, key_map,
                      &bars.key_full[at.slot], block);
        };
        const auto load_values = [&](int block, const Place<stages>& at) {
          mbarrier_wait(&bars.value_empty[at.slot], at.parity ^ 1);
          load_panels(value_tiles + at.slot * kStage, value_map,
                      &bars.value_full[at.slot], block);
        };
#pragma unroll
        for (int i = 0; i < kRowGroups; ++i) {
          uint64_t* const full = &bars.query_full[query_place.slot][i];
          mbarrier_wait(&bars.query_empty[query_place.slot][i],
                        query_place.parity ^ (query_place.slot == 0 ? 1 : 0));
          mbarrier_arrive_expect(full, kQueryTile);
          unsigned char* const to =
              memory + (query_place.slot * kRowGroups + i) * kQueryTile;
          const int row = tile.first + (pack_heads != 0 ? 0 : 64 * i);
          const int head = tile.head + (pack_heads != 0 ? i : 0);
          load_tile(to, query_map, full, 0, row, head, tile.batch);
          load_tile(to + kQueryPanel, query_map, full, 64, row, head,
                    tile.batch);
          if (i == 0 && tile.end > tile.begin) load_keys(tile.end - 1, place);
        }
        query_place.advance();
        // Keys run one block ahead of values.
        for (int block = tile.end - 1; block >= tile.begin; --block) {
          Place<stages> next = place;
          next.advance();
          if (block > tile.begin) load_keys(block - 1, next);
          load_values(block, place);
          place = next;
        }
        if (pairs != 0 && blockIdx.x % 2 == 1 && turn == 0) {
          turn = 1;
          continue;
        }
        if constexpr (persistent == 0) break;
        index = gridDim.x + atomicAdd(&counters[0], 1);
      }
      if constexpr (persistent != 0) {
        // Whoever is last leaves the counters as they were found.
        if (add_acq_rel(&counters[1], 1) == static_cast<int>(gridDim.x) - 1) {
          counters[0] = 0;
          counters[1] = 0;
        }
      }
    }
    if constexpr (pairs != 0) {
      __syncwarp();
      cluster_wait();
    }
  } else {
    // --------------------------------------------------------- the consumers
    if constexpr (consumers == 2) claim_registers<tile_kv <= 160 ? 232 : 240>();
    if constexpr (consumers == 3) claim_registers<160>();
    if constexpr (resident == 2) claim_registers<232>();
    const int consumer = warpgroup - 1;
    const int thread = threadIdx.x % kWarpgroup;
    const int warp = thread / kWarp;
    const int lane = thread % kWarp;
    const bool leader = thread == 0;
    const float log2_scale = scale * kLog2E;
    const int row_group = consumer / split;
    const int half = consumer % split;
    unsigned char* const my_queries = memory + row_group * kQueryTile;
    const uint64_t first_q = descriptor_k_major(my_queries);
    const uint64_t k = descriptor_k_major(key_tiles);
    const uint64_t v = descriptor_mn_major(value_tiles, kPanel);

    const auto take_turn = [&] {
      if constexpr (ping_pong != 0) named_barrier_sync(1 + consumer, 256);
    };
    const auto pass_turn = [&] {
      if constexpr (ping_pong != 0) named_barrier_arrive(2 - consumer, 256);
    };
    if (ping_pong != 0 && consumer == 1) named_barrier_arrive(1, 256);

    Place<stages> key_place;
    Place<stages> value_place;
    if (half == 1) {
      key_place.advance();
      value_place.advance();
    }
    Place<kTickets> ticket;
    Place<query_tiles> query_place;
    int index = blockIdx.x;
    int turn = 0;
    if constexpr (pairs != 0) cluster_wait();
    while (true) {
      if constexpr (persistent != 0) {
        mbarrier_wait(&bars.tile_full[ticket.slot], ticket.parity);
        index = bars.tile[ticket.slot];
        named_barrier_sync(3 + consumer, kWarpgroup);
        if (leader) mbarrier_arrive(&bars.tile_empty[ticket.slot]);
        ticket.advance();
      }
      if (persistent != 0 && index >= tile_count) {
        if (leader) wait_stores_read<0>();
        break;
      }
      Tile tile;
      if constexpr (pairs != 0) {
        tile = tile_of_pair(turn, Lq, Lk);
        if (tile.first < 0) break;
      } else {
        tile = tile_at(index, B, Lq, Lk, section);
      }
      const bool hands = pairs != 0 && blockIdx.x % 2 == 1 && turn == 0;
      const int row = tile.first + (pack_heads != 0 ? 0 : 64 * row_group);
      const int head = tile.head + (pack_heads != 0 ? row_group : 0);

      float out[64];
#pragma unroll
      for (int i = 0; i < 64; ++i) out[i] = 0;
      Rows rows = {{-INFINITY, -INFINITY}, {0, 0}};

      mbarrier_wait(&bars.query_full[query_place.slot][row_group],
                    query_place.parity);
      uint64_t* const empty = &bars.query_empty[query_place.slot][row_group];
      const uint32_t offset = __shfl_sync(
          0xffffffff, query_place.slot * kRowGroups * kQueryTile, 0);
      unsigned char* const my_output = my_queries + offset;
      const uint64_t q = advanced(first_q, offset);
      query_place.advance();
      // The tile before has its output on its way out of the other memory,
      // which is free then: once before it was used, too.
      const auto release_other = [&] {
        if (query_tiles == 2 && leader) {
          wait_stores_read<0>();
          mbarrier_arrive(&bars.query_empty[query_place.slot][row_group]);
        }
      };
      if (tile.end - tile.begin > half) {
        // The keys that the two rows of this thread see, and those that all
        // rows of this warpgroup see.
        const int of_row = row + 16 * warp + lane / 4;
        const int visible0 = causal ? min(Lk, Lk - Lq + of_row + 1) : Lk;
        const int visible1 = causal ? min(Lk, Lk - Lq + of_row + 9) : Lk;
        const int common = causal ? min(Lk, Lk - Lq + row + 1) : Lk;
        float scores[kSums];
        uint32_t p[kSums / 2];
        float correction[2];
        int block = tile.end - 1 - half;
        // Never false, but known only after softmax: what keeps softmax before
        // the wait that follows, under the product with V.
        const auto softened = [&] { return !(rows.sum[0] + rows.sum[1] < 0); };
        const auto release_key = [&](bool certain) {
          if (leader && certain)
            mbarrier_arrive(&bars.key_empty[key_place.slot]);
          if constexpr (split == 2) key_place.advance();
          key_place.advance();
        };
        const auto release_value = [&] {
          if (leader) mbarrier_arrive(&bars.value_empty[value_place.slot]);
          if constexpr (split == 2) value_place.advance();
          value_place.advance();
        };
        const auto issue_keys = [&] {
          wgmma_fence();
          multiply_keys(scores, q, advanced(k, key_place.slot * kStage));
          wgmma_commit();
        };
        const auto issue_values = [&] {
          mbarrier_wait(&bars.value_full[value_place.slot], value_place.parity);
          wgmma_fence();
          multiply_values(out, p, advanced(v, value_place.slot * kStage));
          wgmma_commit();
        };

        const auto mask_block = [&] {
          mask(scores, visible0, visible1, block * tile_kv + 2 * (lane % 4));
        };
        // One block: its scores, and the block before times its values. Two
        // loops, for a branch in between would end the overlap.
        const auto step = [&](bool masked) {
          mbarrier_wait(&bars.key_full[key_place.slot], key_place.parity);
          take_turn();
          if constexpr (overlap != 0) {
            issue_keys();
            issue_values();
            pass_turn();
            wgmma_wait<1>();
          } else {
            issue_values();
            issue_keys();
            pass_turn();
            wgmma_wait<0>();
            release_value();
          }
          if constexpr (overlap == 0) release_key(true);
          if (masked) mask_block();
          softmax(scores, rows, correction, log2_scale);
          if constexpr (overlap != 0) {
            release_key(softened());
            wgmma_wait<0>();
            release_value();
          }
          correct(out, correction);
          pack(p, scores);
        };

        mbarrier_wait(&bars.key_full[key_place.slot], key_place.parity);
        take_turn();
        issue_keys();
        pass_turn();
        release_other();
        wgmma_wait<0>();
        release_key(true);
        if ((block + 1) * tile_kv > common) mask_block();
        softmax(scores, rows, correction, log2_scale);
        pack(p, scores);

        block -= split;
        for (; block >= tile.begin && (block + 1) * tile_kv > common;
             block -= split) {
          step(true);
        }
        for (; block >= tile.begin; block -= split) step(false);
        if (hands && leader) mbarrier_arrive(empty);
        issue_values();
        wgmma_wait<0>();
        release_value();
      } else {
        release_other();
        if (hands && leader) mbarrier_arrive(empty);
      }

      if constexpr (pairs != 0) {
        // Else the conversions below stand before the wait for the products.
        wgmma_hold(out);
        const Half& other = halves[row_group];
        if (hands) {
          // Straight from registers into memory that nothing else uses; the
          // other block stays until it is there.
          if (tile.shared) {
            const uint32_t to =
                remote_address(&other, 0) + thread * sizeof(Vector16);
            const uint32_t barrier = remote_address(&bars.handed[row_group], 0);
#pragma unroll
            for (int i = 0; i < 16; ++i) {
              store_remote_async(to + i * kHalfRow, four_of(out, i), barrier);
            }
            store_remote_async(to + 16 * kHalfRow, four_of(rows), barrier);
          }
          turn = 1;
          continue;
        }
        if (tile.shared) {
          mbarrier_wait_cluster(&bars.handed[row_group], 0);
          merge(out, rows, other, thread, log2_scale);
        }
      }

      if constexpr (split == 2) {
        Half& other = halves[row_group];
        if (half == 1) {
#pragma unroll
          for (int i = 0; i < 16; ++i) other.out[i][thread] = four_of(out, i);
          other.rows[thread] = four_of(rows);
          named_barrier_arrive(6 + row_group, 256);
          break;
        }
        named_barrier_sync(6 + row_group, 256);
        merge(out, rows, other, thread, log2_scale);
      }

      // Rows that see no key are zero.
      float inverse[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float sum = sum_over_lanes<0b11>(rows.sum[r]);
        inverse[r] = sum > 0 ? 1.0f / sum : 0.0f;
      }
      correct(out, inverse);

      // Through the memory of this warpgroup's queries, which are done with.
      const int my_row = 16 * warp + lane % 16;
#pragma unroll
      for (int j = 0; j < 16; j += 2) {
        const uint32_t at = shared_address(my_output) + j / 8 * kQueryPanel +
                            swizzled_chunk(my_row, j % 8 + lane / 16);
        store_matrices(at, pack_bfloat16(out[4 * j], out[4 * j + 1]),
                       pack_bfloat16(out[4 * j + 2], out[4 * j + 3]),
                       pack_bfloat16(out[4 * j + 4], out[4 * j + 5]),
                       pack_bfloat16(out[4 * j + 6], out[4 * j + 7]));
      }
      fence_async_proxy();
      named_barrier_sync(3 + consumer, kWarpgroup);
      if (leader) {
        if (row < Lq) {
          store_tile(output_map, my_output, 0, row, head, tile.batch);
          store_tile(output_map, my_output + kQueryPanel, 64, row, head,
                     tile.batch);
        }
        commit_stores();
        // Shared memory stays until the copies have read it.
        if constexpr (query_tiles == 1) {
          wait_stores_read<0>();
          mbarrier_arrive(empty);
        }
      }
      if constexpr (persistent == 0) break;
    }
  }
}
// EVOLVE-BLOCK-END
