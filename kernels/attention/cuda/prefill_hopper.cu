/*evoke
problem = "attention"
summary = "prefill on Hopper: tensor copies by a producer warp, wgmma by consumer warpgroups with P in registers, softmax under the next products"

[parameters]
consumers = { value = 2, choices = [1, 2, 3] }
order = { value = 1, choices = [0, 1] }
output_tile = { value = 1, choices = [0, 1] }
overlap = { value = 1, choices = [0, 1] }
pack_heads = { value = 0, choices = [0, 1] }
pairs = { value = 0, choices = [0, 1] }
persistent = { value = 1, choices = [0, 1] }
ping_pong = { value = 1, choices = [0, 1] }
promotion = { value = 0, choices = [0, 64, 128, 256] }
resident = { value = 1, choices = [1, 2] }
split = { value = 1, choices = [1, 2] }
stages = { value = 2, choices = [1, 2, 3, 4] }
tile_kv = { value = 128, choices = [64, 80, 96, 112, 128, 144, 160, 176, 192] }
constraints = ["D == 128", "Hq % Hkv == 0", "ping_pong == 0 || consumers == 2 && split == 1", "consumers % split == 0", "split == 1 || stages % 2 == 0 && persistent == 0", "pack_heads == 0 || Hq / Hkv == 2 && consumers / split == 2", "resident == 1 || consumers == 1", "output_tile == 0 || split == 1", "pairs == 0 || pack_heads == 1 && split == 1 && persistent == 0", "consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 1280 <= max_threadgroup_memory / resident - (resident - 1) * 1024"]

[scratch]
counters = { type = "int32", shape = ["2"], init = "zero", self_reset = true }

[derive]
section = "min(B * Hq, max(1, 33554432 / (Lk * D * 4)) * (Hq / Hkv)) / (1 + pack_heads)"
tile_count = "pairs ? 2 * ceil_div(Lq, 128) * Hkv * B : ceil_div(Lq, 64 * (consumers / split) / (1 + pack_heads)) * (Hq / (1 + pack_heads)) * B"

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
name = "short"
when = "Lk <= 256"
parameters = { consumers = 1, output_tile = 0, persistent = 0, ping_pong = 0, tile_kv = 64 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : tile_count", 1, 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 256"

[[variant]]
name = "pairs"
when = "Hq / Hkv == 2 && Lq > 768 && 2 * ceil_div(Lq, 128) * Hkv * B <= num_sms"
parameters = { output_tile = 0, overlap = 0, pack_heads = 1, pairs = 1, persistent = 0, stages = 3, tile_kv = 64 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : tile_count", 1, 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 256"

[[variant]]
name = "few-tiles"
when = "ceil_div(Lq, 64) * Hq * B <= 2 * num_sms"
parameters = { output_tile = 0, persistent = 0, ping_pong = 0, split = 2, stages = 4, tile_kv = 64 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : tile_count", 1, 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 256"

[[variant]]
name = "paired-short"
when = "Hq / Hkv == 2 && ceil_div(Lq, 64) * Hq * B <= 4 * num_sms"
parameters = { pack_heads = 1, tile_kv = 96 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : tile_count", 1, 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 256"

[[variant]]
name = "paired"
when = "Hq / Hkv == 2 && Lk < 3072"
parameters = { pack_heads = 1 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : tile_count", 1, 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 256"

[[variant]]
name = "paired-long"
when = "Hq / Hkv == 2"
parameters = { pack_heads = 1, tile_kv = 144 }
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : tile_count", 1, 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 256"

[[variant]]
name = "long"
when = "1"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output", "counters"]
tensor_maps = ["query_map", "key_map", "value_map", "output_map"]
threadgroups = ["persistent ? min(tile_count, num_sms * resident) : tile_count", 1, 1]
threads = ["(consumers + 1) * 128", 1, 1]
cluster = ["1 + pairs", 1, 1]
min_blocks = "resident"
dynamic_memory = "1024 + consumers / split * (16384 * (1 + output_tile) + (split - 1 + pairs) * 34816) + stages * tile_kv * 512 + 256"
evoke*/

// A block has one producer warpgroup, of which one thread issues the copies,
// and `consumers` warpgroups, of 64 query rows each or, with split = 2, two for
// the same rows and every other block of keys, merged at the end. Keys and
// values come through rings of `stages` tiles of tile_kv rows, from the
// diagonal to the left; a tile of 128 columns is two panels of 64, swizzled by
// 128 bytes. Scores are wgmma's sums in registers; packed in pairs they are the
// left operand of the product with V, so P never leaves the registers.
//
// Genes: consumers, tile_kv, stages   the tile and how far copies run ahead
//        overlap     1: the next block's scores are issued before this block's
//                    product with V, and softmax runs under that product
//        ping_pong   two consumers take turns at the tensor cores
//        persistent  blocks take tiles from a counter until none is left
//        output_tile 1: the output leaves through memory of its own, and not
//                    through that of the queries, which come earlier so
//        order       1: the tiles with most keys first
//        split       warpgroups that share the keys of 64 rows: for lengths at
//                    which the longest tile decides
//        pack_heads  1: the two warpgroups of a block have the same rows of two
//                    heads that share a key head
//        pairs       1: a cluster of two blocks has a long tile and a short one,
//                    and each block half of the keys that both see
//        promotion   bytes that L2 reads at least
//        resident    blocks per SM

// EVOLVE-BLOCK-START
constexpr int kRowGroups = consumers / split;
constexpr int kPacked = 1 + pack_heads;  // heads of a tile
constexpr int kTileQ = 64 * kRowGroups / kPacked;
constexpr int kHeads = Hq / Hkv;
constexpr uint32_t kQueryPanel = 64 * 128;  // bytes
constexpr uint32_t kPanel = tile_kv * 128;
constexpr uint32_t kStage = 2 * kPanel;
constexpr int kSums = tile_kv / 2;  // scores of one thread
constexpr int kTickets = 2;         // tiles announced ahead

struct Barriers {
  uint64_t query_full[kRowGroups];
  uint64_t query_empty[kRowGroups];
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
  EVOKE_DEVICE void retreat() {
    if (--slot < 0) {
      slot = slots - 1;
      parity ^= 1;
    }
  }
};

// What the second of two warpgroups that share rows hands to the first.
struct Half {
  float out[64][kWarpgroup];
  float greatest[2][kWarpgroup];
  float sum[2][kWarpgroup];
};

// The same between the blocks of a cluster, in copies of 16 bytes: the sums of
// a thread in fours, then its greatest and sum of both rows.
struct Handed {
  Vector16 out[16][kWarpgroup];
  Vector16 rows[kWarpgroup];
};
static_assert(sizeof(Handed) == sizeof(Half));

// Blocks of keys [begin, end) for the queries [first, first + kTileQ) of a
// head; none when first is negative.
struct Tile {
  int first;
  int head;
  int batch;
  int begin;
  int end;
  bool whole;  // nothing is handed over
};
EVOKE_DEVICE int blocks_seen(int first, int Lq, int Lk) {
  const int seen = causal ? min(Lk, Lk - Lq + min(first + kTileQ, Lq)) : Lk;
  return max(0, (seen + tile_kv - 1) / tile_kv);
}
// pairs = 1: a cluster has a tile and one as far from the other end, which
// together see as many keys as any other two. Block 0 takes the last half of
// these from the longer tile. Block 1 begins with what is left of that, hands
// over what comes of it, and has the shorter tile then: its turn 1.
EVOKE_DEVICE Tile tile_of_pair(int index, int turn, int B, int Lq, int Lk) {
  const int rows = (Lq + kTileQ - 1) / kTileQ;
  const int heads = B * Hq / kPacked;
  const int rank = index % 2;
  const int pair = index / 2 / heads;
  const int at = index / 2 % heads;
  const int longer = (rows - 1 - pair) * kTileQ;
  const int shorter = pair * kTileQ;
  const int blocks = blocks_seen(longer, Lq, Lk);
  const int others = shorter < longer ? blocks_seen(shorter, Lq, Lk) : 0;
  const int kept = min(blocks, (blocks + others + 1) / 2);
  Tile tile;
  tile.first = turn == 0 ? longer : shorter < longer ? shorter : -1;
  tile.head = at % (Hq / kPacked) * kPacked;
  tile.batch = at / (Hq / kPacked);
  tile.begin = rank == 0 ? blocks - kept : 0;
  tile.end = rank == 0 ? blocks : turn == 0 ? blocks - kept : others;
  tile.whole = rank == 0 ? kept == blocks : turn == 1;
  return tile;
}
EVOKE_DEVICE Tile tile_at(int index, int B, int Lq, int Lk, int section) {
  const int rows = (Lq + kTileQ - 1) / kTileQ;
  const int heads = B * Hq / kPacked;
  const int before = index / (section * rows) * section;
  const int width = min(section, heads - before);
  const int rest = index - before * rows;
  const int row = rest / width;
  const int at = before + rest % width;
  Tile tile;
  tile.first = (order == 1 ? rows - 1 - row : row) * kTileQ;
  tile.head = at % (Hq / kPacked) * kPacked;
  tile.batch = at / (Hq / kPacked);
  tile.begin = 0;
  tile.end = blocks_seen(tile.first, Lq, Lk);
  tile.whole = true;
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

KERNEL(attend) {
  unsigned char* const memory =
      threadgroup_memory + (-shared_address(threadgroup_memory) & 1023);
  unsigned char* const query_tiles = memory;
  unsigned char* const output_tiles =
      query_tiles + output_tile * kRowGroups * 2 * kQueryPanel;
  unsigned char* const key_tiles = output_tiles + kRowGroups * 2 * kQueryPanel;
  unsigned char* const value_tiles = key_tiles + stages * kStage;
  Half* const halves = reinterpret_cast<Half*>(value_tiles + stages * kStage);
  Barriers& bars =
      *reinterpret_cast<Barriers*>(halves + (split - 1 + pairs) * kRowGroups);
  const int warpgroup = threadIdx.x / kWarpgroup;

  if (threadIdx.x == 0) {
    for (int i = 0; i < kRowGroups; ++i) {
      mbarrier_init(&bars.query_full[i], 1);
      mbarrier_init(&bars.query_empty[i], 1);
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
        mbarrier_arrive_expect(&bars.handed[i], sizeof(Handed));
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
      uint32_t queries = 0;  // parity of query_empty
      int index = blockIdx.x;
      int turn = 0;
      while (true) {
        if constexpr (persistent != 0) {
          mbarrier_wait(&bars.tile_empty[ticket.slot], ticket.parity ^ 1);
          bars.tile[ticket.slot] = index;
          mbarrier_arrive(&bars.tile_full[ticket.slot]);
          ticket.advance();
        }
        if (index >= tile_count) break;
        Tile tile;
        if constexpr (pairs != 0) {
          tile = tile_of_pair(index, turn, B, Lq, Lk);
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
          mbarrier_wait(&bars.query_empty[i], queries ^ 1);
          mbarrier_arrive_expect(&bars.query_full[i], 2 * kQueryPanel);
          unsigned char* const to = query_tiles + i * 2 * kQueryPanel;
          const int row = tile.first + (pack_heads != 0 ? 0 : 64 * i);
          const int head = tile.head + (pack_heads != 0 ? i : 0);
          load_tile(to, query_map, &bars.query_full[i], 0, row, head,
                    tile.batch);
          load_tile(to + kQueryPanel, query_map, &bars.query_full[i], 64, row,
                    head, tile.batch);
          if (i == 0 && tile.end > tile.begin) load_keys(tile.end - 1, place);
        }
        queries ^= 1;
        // Keys run one block ahead of values.
        for (int block = tile.end - 1; block >= tile.begin; --block) {
          Place<stages> next = place;
          next.advance();
          if (block > tile.begin) load_keys(block - 1, next);
          load_values(block, place);
          place = next;
        }
        if (pairs != 0 && index % 2 == 1 && turn == 0) {
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
    unsigned char* const my_query = query_tiles + row_group * 2 * kQueryPanel;
    unsigned char* const my_output = output_tiles + row_group * 2 * kQueryPanel;
    const auto release_query = [&] {
      if (leader) mbarrier_arrive(&bars.query_empty[row_group]);
    };
    const uint64_t q = descriptor_k_major(my_query);
    const uint64_t k = descriptor_k_major(key_tiles);
    const uint64_t v = descriptor_mn_major(value_tiles, kPanel);

    const auto take_turn = [&] {
      if constexpr (ping_pong != 0) named_barrier_sync(1 + consumer, 256);
    };
    const auto pass_turn = [&] {
      if constexpr (ping_pong != 0) named_barrier_arrive(2 - consumer, 256);
    };
    if (ping_pong != 0 && consumer == 1) named_barrier_arrive(1, 256);

    if (split == 2 && half == 0) named_barrier_arrive(9 + row_group, 256);

    Place<stages> key_place;
    Place<stages> value_place;
    if (half == 1) {
      key_place.advance();
      value_place.advance();
    }
    Place<kTickets> ticket;
    uint32_t queries = 0;
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
      if (index >= tile_count) {
        if (leader) wait_stores_read<0>();
        break;
      }
      Tile tile;
      if constexpr (pairs != 0) {
        tile = tile_of_pair(index, turn, B, Lq, Lk);
        if (tile.first < 0) break;
      } else {
        tile = tile_at(index, B, Lq, Lk, section);
      }
      const bool hands = pairs != 0 && index % 2 == 1 && turn == 0;
      const int row = tile.first + (pack_heads != 0 ? 0 : 64 * row_group);
      const int head = tile.head + (pack_heads != 0 ? row_group : 0);

      float out[64];
#pragma unroll
      for (int i = 0; i < 64; ++i) out[i] = 0;
      Rows rows = {{-INFINITY, -INFINITY}, {0, 0}};

      mbarrier_wait(&bars.query_full[row_group], queries);
      queries ^= 1;
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
        if (output_tile != 0 || hands) release_query();
        issue_values();
        wgmma_wait<0>();
        release_value();
      } else if (output_tile != 0 || hands) {
        release_query();
      }

      if constexpr (pairs != 0) {
        // Else the conversions below stand before the wait for the products.
        wgmma_hold(out);
        const Handed& other = reinterpret_cast<const Handed*>(halves)[row_group];
        if (hands) {
          // Straight from registers into memory that nothing else uses; the
          // other block stays until it is there.
          if (!tile.whole && tile.end > tile.begin) {
            const uint32_t to =
                remote_address(&other, 0) + thread * sizeof(Vector16);
            const uint32_t barrier = remote_address(&bars.handed[row_group], 0);
            constexpr uint32_t kRow = sizeof(Handed::rows);
#pragma unroll
            for (int i = 0; i < 16; ++i) {
              store_remote_async(to + i * kRow,
                                 Vector16{__float_as_uint(out[4 * i]),
                                          __float_as_uint(out[4 * i + 1]),
                                          __float_as_uint(out[4 * i + 2]),
                                          __float_as_uint(out[4 * i + 3])},
                                 barrier);
            }
            store_remote_async(to + 16 * kRow,
                               Vector16{__float_as_uint(rows.greatest[0]),
                                        __float_as_uint(rows.greatest[1]),
                                        __float_as_uint(rows.sum[0]),
                                        __float_as_uint(rows.sum[1])},
                               barrier);
          }
          turn = 1;
          continue;
        }
        if (!tile.whole) {
          mbarrier_wait_cluster(&bars.handed[row_group], 0);
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
      }

      if constexpr (split == 2) {
        // An odd number of blocks leaves this warpgroup one too far or one
        // behind: half 0 takes the next tile's first block again.
        if ((tile.end - tile.begin) % 2 == 1) {
          if (half == 0) {
            key_place.retreat();
            value_place.retreat();
          } else {
            key_place.advance();
            value_place.advance();
          }
        }
        Half& other = halves[row_group];
        if (half == 1) {
          named_barrier_sync(9 + row_group, 256);
#pragma unroll
          for (int i = 0; i < 64; ++i) other.out[i][thread] = out[i];
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            other.greatest[r][thread] = rows.greatest[r];
            other.sum[r][thread] = rows.sum[r];
          }
          named_barrier_arrive(6 + row_group, 256);
          if constexpr (persistent == 0) break;
          continue;
        }
        named_barrier_sync(6 + row_group, 256);
        float mine_by[2];
        float other_by[2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const float greatest = other.greatest[r][thread];
          const float top = fmaxf(rows.greatest[r], greatest);
          const float base = top == -INFINITY ? 0.0f : top * log2_scale;
          mine_by[r] = exp2_approx(rows.greatest[r] * log2_scale - base);
          other_by[r] = exp2_approx(greatest * log2_scale - base);
          rows.sum[r] =
              rows.sum[r] * mine_by[r] + other.sum[r][thread] * other_by[r];
        }
#pragma unroll
        for (int i = 0; i < 64; ++i) {
          out[i] = out[i] * mine_by[i / 2 % 2] +
                   other.out[i][thread] * other_by[i / 2 % 2];
        }
        named_barrier_arrive(9 + row_group, 256);
      }

      // Rows that see no key are zero.
      float inverse[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float sum = sum_over_lanes<0b11>(rows.sum[r]);
        inverse[r] = sum > 0 ? 1.0f / sum : 0.0f;
      }
      correct(out, inverse);

      // Through shared memory: this warpgroup's own, or that of its queries,
      // which are done with.
      if constexpr (output_tile != 0) {
        if (leader) wait_stores_read<0>();
        named_barrier_sync(3 + consumer, kWarpgroup);
      }
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
        if constexpr (output_tile == 0 || persistent == 0) {
          wait_stores_read<0>();
        }
      }
      if constexpr (output_tile == 0) release_query();
      if constexpr (persistent == 0) break;
    }
  }
}
// EVOLVE-BLOCK-END
