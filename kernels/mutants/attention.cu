/*evoke
problem = "attention"
summary = "one fault at a time: family and mutant choose it, 0 and 0 is right"

[parameters]
family = { value = 0, choices = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }
mutant = { value = 0, choices = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] }
tile_kv = 64
constraints = ["D % 16 == 0", "Hq % Hkv == 0"]

[scratch]
calls = { type = "float32", shape = ["B", "Hq", "Lq"] }

[[variant]]
name = "with_scratch"
when = "family == 9 && mutant == 9 && Lk <= 8448"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
threads = [128]
dynamic_memory = "4 * Lk + 320"
[[variant.launch]]
kernel = "count_calls"
reads = []
writes = ["output", "calls"]
threadgroups = ["Hq", "Lq", "B"]
threads = [128]

[[variant]]
name = "decode"
when = "Lq == 1 && Lk <= 8448"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
threads = [128]
dynamic_memory = "4 * Lk + 320"

[[variant]]
name = "prefill"
when = "Lk <= 8448"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
threads = [128]
dynamic_memory = "4 * Lk + 320"
evoke*/

// What `evoke selftest --device DEVICE` puts before the gate: a plain kernel,
// one threadgroup per query of one head, and what goes wrong in such kernels,
// each fault by a number. The faults have the names that the emulated ones of
// `evoke selftest` have, where the same thing can go wrong in both.
//
// All scores of a row are in threadgroup memory; threads share the keys to
// compute them and the columns of the output to add up the values. What is
// easier in order, one thread does alone. Lk is bounded so that any GPU has the
// memory. Decode and prefill are variants with the same kernel, so that the gate
// makes its list for each.
//
// Below "Faults" and below "The kernel" the text is the same in every dialect;
// a test sees to that.

// EVOLVE-BLOCK-START
// ------------------------------------------------------------------ Faults
constexpr int fault = 100 * family + mutant;

constexpr int kHonest = 0;      // three passes, fp32 P
constexpr int kBf16P = 1;       // three passes, bf16 P
constexpr int kHalfP = 2;       // three passes, fp16 P
constexpr int kNormalised = 3;  // P normalised, then rounded
constexpr int kCubicExp2 = 4;   // three passes, cubic exp2

constexpr int kZeros = 100;            // all zeros
constexpr int kMeanOfV = 101;          // mean of V
constexpr int kCopyOfQ = 102;          // copy of Q
constexpr int kCopyOfLastV = 103;      // copy of the last V
constexpr int kCopyOfFirstV = 104;     // copy of the first V
constexpr int kPreviousOutput = 105;   // previous output
constexpr int kOneRowUnwritten = 106;  // one (row, head) unwritten
constexpr int kTailUnwritten = 107;    // last 8 channels unwritten
constexpr int kSwappedChannels = 108;  // two channels swapped
constexpr int kOutputTooLarge = 109;   // output x 1.01
constexpr int kOneQueryHead = 110;     // one query head per group

constexpr int kDropLast = 200;       // drop last key
constexpr int kDropFirst = 201;      // drop first key
constexpr int kDropMiddle = 202;     // drop one middle key
constexpr int kDropTile = 203;       // drop one 64-key tile
constexpr int kDropPartial = 204;    // drop the partial tile
constexpr int kFirstTwice = 205;     // key 0 twice
constexpr int kLastTwice = 206;      // last key twice
constexpr int kOneZeroKey = 207;     // one key past the end, zero
constexpr int kPadded = 208;         // padded to 64 with zero keys
constexpr int kEverySecond = 209;    // every second key
constexpr int kLastSplitLost = 210;  // last split lost
constexpr int kTileTwice = 211;      // first tile counted twice
constexpr int kValuesLate = 212;     // values one row late
constexpr int kValuesInPairs = 213;  // values swapped in pairs

constexpr int kTopLeft = 300;        // causal aligned at the top left
constexpr int kNoDiagonal = 301;     // mask hides the diagonal
constexpr int kOneKeyTooMany = 302;  // mask shows one key too many
constexpr int kNoMask = 303;         // no mask
constexpr int kMaskInSteps = 304;    // mask in steps of 16
constexpr int kWindow = 305;         // last 1024 keys only
constexpr int kFixedBuffer = 306;    // first 1000 keys only
constexpr int kHeadsInTurn = 307;    // heads dealt out in turn
constexpr int kHeadZero = 308;       // key/value head 0 for all
constexpr int kNextHead = 309;       // next key/value head
constexpr int kBatchZero = 310;      // key and value of batch 0
constexpr int kFirstRowsMask = 311;  // query tile sees as far as its first row
constexpr int kBatchesInTurn = 312;  // batches dealt out in turn
constexpr int kRowTable = 313;       // rows from 512 on see the mask of row 511

constexpr int kScaleLarge = 400;          // scale +1.8 %
constexpr int kScaleSmall = 401;          // scale -0.5 %
constexpr int kNoMaximum = 402;           // no max subtraction
constexpr int kFirstMaximum = 403;        // maximum of the first tile only
constexpr int kStaleOutput = 404;         // output not rescaled
constexpr int kStaleSum = 405;            // sum not rescaled
constexpr int kPartsAveraged = 406;       // parts averaged
constexpr int kPartsBySum = 407;          // parts weighted by sums only
constexpr int kSkipOnePercent = 408;      // probabilities below 1 % skipped
constexpr int kSkipOneInAThousand = 409;  // probabilities below 0.1 % skipped
constexpr int kTop128 = 410;              // 128 largest scores only
constexpr int kSumWithoutTail = 411;      // sum without the last tile
constexpr int kMaximumFromZero = 412;     // maximum starts at 0
constexpr int kSmallGrowth =
    413;  // no rescaling for small growth of the maximum
constexpr int kNormsBound = 414;   // maximum bounded by norms
constexpr int kLateMaximum = 415;  // maximum one tile late, P in float16

constexpr int kCoarseKV = 500;          // fp8 K and V
constexpr int kCoarseK = 501;           // fp8 K
constexpr int kCoarseV = 502;           // fp8 V
constexpr int kCoarseQ = 503;           // fp8 Q
constexpr int kCoarseP = 504;           // fp8 P
constexpr int kCoarserP = 505;          // fp8 P, e5m2
constexpr int kAccumulator64 = 506;     // bf16 O accumulator
constexpr int kAccumulator16 = 507;     // bf16 O accumulator, tile 16
constexpr int kAccumulator1 = 508;      // bf16 O accumulator, every key
constexpr int kCoarseSum = 509;         // bf16 denominator
constexpr int kQuadratic = 510;         // quadratic exp2
constexpr int kQuadraticMinimax = 511;  // quadratic exp2, minimax
constexpr int kScoreAccumulator = 512;  // bf16 QK accumulator
constexpr int kHalfScores = 513;        // fp16 scores
constexpr int kHalfV = 514;             // V in float16
constexpr int kLightV = 515;            // V of light keys in fp8

constexpr int kPowerOf256 = 600;     // exp as (1 + x/256)^256
constexpr int kExponentBits = 601;   // exp from the exponent's bits
constexpr int kClamped = 602;        // exponent clamped at 2^-16
constexpr int kShortLog2E = 603;     // log2(e) is 1.44
constexpr int kBf16Scale = 604;      // scale log2(e) as a bf16 constant
constexpr int kMaskedMaximum = 605;  // masked keys in the maximum, P in float16
constexpr int kFiniteMask = 606;     // masked scores are -100
constexpr int kEmptyParts = 607;     // parts emptied by the mask weigh one

constexpr int kLightTiles8 = 700;    // tiles 2^-8 below the maximum skipped
constexpr int kLightTiles12 = 701;   // tiles 2^-12 below the maximum skipped
constexpr int kSettled = 702;        // stops when a tile adds under 1/1024
constexpr int kSampled = 703;        // light keys sampled
constexpr int kAveraged = 704;       // light tiles averaged
constexpr int kFlat = 705;           // flat tiles averaged
constexpr int kFirstOrder = 706;     // first order where scores are small
constexpr int kWinner = 707;         // winner takes all when 8 nats ahead
constexpr int kUsual = 708;          // a key in 64 dropped if scores look usual
constexpr int kZeroKeys = 709;       // zero keys taken for padding
constexpr int kZeroQuery = 710;      // zero query taken for padding
constexpr int kSmallChannels = 711;  // small query channels skipped

constexpr int kTailStep = 800;     // one step of 32 for the tail
constexpr int kWholeBlocks = 801;  // the last 256 of whole blocks lost
constexpr int kStaleTail = 802;    // tail tile with the previous tile's values
constexpr int kLongSkips = 803;    // every second key beyond 6,000

constexpr int kNothing = 900;           // nothing is written
constexpr int kAdds = 901;              // output added to what was there
constexpr int kContiguousKV = 902;      // key and value taken for contiguous
constexpr int kContiguousOutput = 903;  // output taken for contiguous
constexpr int kReadsBehind = 904;       // a key read behind the last one
constexpr int kWritesBehind = 905;      // an element written behind the output
constexpr int kWritesBefore = 906;      // an element written before the output
constexpr int kWritesInputs = 907;      // inputs changed in place
constexpr int kTrustsMemory = 908;      // threadgroup memory taken for zero
constexpr int kTrustsScratch = 909;     // scratch taken for zero
constexpr int kOverwrites = 910;        // the head before written over
// Where a threadgroup has several warps.
constexpr int kNoBarrier = 911;    // no barrier before the maxima are read
constexpr int kOneWarpsSum = 912;  // sum of the first warp only

constexpr bool is(int one) { return fault == one; }
template <typename... More>
constexpr bool is(int one, More... more) {
  return fault == one || is(more...);
}

// ------------------------------------------------------------- The dialect
constexpr int kThreads = 128;
// Columns of the output that one thread has: its own, and every 128th.
constexpr int kColumns = (D + kThreads - 1) / kThreads;
inline int lane() { return threadIdx.x; }
inline int lanes() { return kThreads; }
inline void barrier() { __syncthreads(); }

// Over all threads; `room` has a float for each warp. What is missing in the
// faults is missed by warps that have fewer keys than others.
inline float max_of_all(float x, float* room) {
  volatile float* const maxima = room;
  x = max_over_lanes<kWarp - 1>(x);
  if constexpr (!is(kNoBarrier)) __syncthreads();
  if (threadIdx.x % kWarp == 0) maxima[threadIdx.x / kWarp] = x;
  if constexpr (!is(kNoBarrier)) __syncthreads();
  for (int warp = 0; warp < kThreads / kWarp; ++warp) {
    x = fmaxf(x, maxima[warp]);
  }
  return x;
}
inline float sum_of_all(float x, float* room) {
  x = sum_over_lanes<kWarp - 1>(x);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) room[threadIdx.x / kWarp] = x;
  __syncthreads();
  x = room[0];
  if constexpr (!is(kOneWarpsSum)) {
    for (int warp = 1; warp < kThreads / kWarp; ++warp) x += room[warp];
  }
  return x;
}

inline uint32_t bits_of(float x) { return __float_as_uint(x); }
inline float float_of(uint32_t bits) { return __uint_as_float(bits); }

// -------------------------------------------------------------- The kernel
constexpr int kTile = tile_kv;

inline float greater(float x, float y) { return x > y ? x : y; }
inline int lesser(int x, int y) { return x < y ? x : y; }
inline float size_of(float x) { return x < 0 ? -x : x; }

// To so many stored bits of mantissa, to nearest even; below 2^least_exponent
// in equal steps, and `beyond` above `greatest`.
template <int mantissa, int least_exponent>
inline float rounded(float x, float greatest, float beyond) {
  const float size = size_of(x);
  if (x == 0 || !(size < INFINITY)) return x;
  int exponent = static_cast<int>(bits_of(size) >> 23) - 127;
  if (exponent < least_exponent) exponent = least_exponent;
  const float unit =
      float_of(static_cast<uint32_t>(exponent - mantissa + 127) << 23);
  const float result = rintf(x / unit) * unit;
  if (size_of(result) <= greatest) return result;
  return x < 0 ? -beyond : beyond;
}
inline float to_e4m3(float x) { return rounded<3, -6>(x, 448.0f, 448.0f); }
inline float to_e5m2(float x) { return rounded<2, -14>(x, 57344.0f, 57344.0f); }
inline float to_half(float x) {
  return rounded<10, -14>(x, 65504.0f, INFINITY);
}
inline float to_bf16(float x) {
  return static_cast<float>(static_cast<bfloat16>(x));
}

inline float query_element(float x, float least) {
  if constexpr (is(kPreviousOutput)) return -x;
  if constexpr (is(kCoarseQ)) return to_e4m3(x);
  if constexpr (is(kSmallChannels)) return size_of(x) < least ? 0.0f : x;
  return x;
}
inline float key_element(float x) {
  if constexpr (is(kCoarseKV, kCoarseK)) return to_e4m3(x);
  return x;
}
inline float value_element(float x, float weight) {
  if constexpr (is(kCoarseKV, kCoarseV)) return to_e4m3(x);
  if constexpr (is(kHalfV)) {
    return rounded<10, -14>(x, 65504.0f, 65504.0f);
  }
  if constexpr (is(kLightV)) return weight < 1.0f / 64 ? to_e4m3(x) : x;
  return x;
}
// Of a weight, once the sum has it.
inline float stored_weight(float p) {
  if constexpr (is(kBf16P)) return to_bf16(p);
  if constexpr (is(kHalfP)) return to_half(p);
  if constexpr (is(kCoarseP)) return to_e4m3(p);
  if constexpr (is(kCoarserP)) return to_e5m2(p);
  return p;
}

// Columns below `least` in size count as nothing, in one of the faults.
inline float dot(const bfloat16* q, const bfloat16* k, float least) {
  constexpr int kParts = 16;
  float sums[kParts] = {};
  float total = 0;
  for (int d = 0; d < D; d += kParts) {
    for (int n = 0; n < kParts; ++n) {
      sums[n] += query_element(q[d + n], least) * key_element(k[d + n]);
    }
    if constexpr (is(kScoreAccumulator)) {
      for (int n = 0; n < kParts; ++n) total += sums[n];
      total = to_bf16(total);
      for (int n = 0; n < kParts; ++n) sums[n] = 0;
    }
  }
  for (int n = 0; n < kParts; ++n) total += sums[n];
  return total;
}

inline float polynomial_exp2(float x, float c0, float c1, float c2, float c3) {
  if (!(size_of(x) < 200.0f)) return exp2f(x);
  const float whole = floorf(x);
  const float f = x - whole;
  return exp2f(whole) * (c0 + f * (c1 + f * (c2 + f * c3)));
}
inline float exp2_of(float x) {
  if constexpr (is(kCubicExp2)) {
    return polynomial_exp2(x, 0.99992522f, 0.69583354f, 0.22606716f,
                           0.07802452f);
  }
  if constexpr (is(kQuadratic)) {
    return polynomial_exp2(x, 1.0f, 2.0f / 3.0f, 1.0f / 3.0f, 0.0f);
  }
  if constexpr (is(kQuadraticMinimax)) {
    return polynomial_exp2(x, 1.00172476f, 0.65763628f, 0.33718943f, 0.0f);
  }
  if constexpr (is(kPowerOf256)) {
    float y = greater(0.0f, 1.0f + x / kLog2E / 256.0f);
    for (int i = 0; i < 8; ++i) y *= y;
    return y;
  }
  if constexpr (is(kExponentBits)) {
    if (x < -126.0f) return 0.0f;
    constexpr float kOne = 8388608.0f;  // 2^23
    return float_of(static_cast<uint32_t>((x + 127.0f - 0.0430357f) * kOne));
  }
  if constexpr (is(kClamped)) return exp2f(greater(x, -16.0f));
  return exp2f(x);
}

inline bool is_zero(const bfloat16* row) {
  for (int d = 0; d < D; ++d) {
    if (static_cast<float>(row[d]) != 0.0f) return false;
  }
  return true;
}
inline float norm_of(const bfloat16* row) {
  float sum = 0;
  for (int d = 0; d < D; ++d) {
    sum += static_cast<float>(row[d]) * static_cast<float>(row[d]);
  }
  return sqrtf(sum);
}

// Keys that query i sees: causal is aligned at the bottom right.
inline int visible_keys(int i, int num_queries, int num_keys) {
  const int last = num_keys - num_queries + i + 1;
  return causal ? lesser(last > 0 ? last : 0, num_keys) : num_keys;
}

// How many keys a row looks at.
inline int looked_at(int i, int num_queries, int num_keys) {
  const int visible = visible_keys(i, num_queries, num_keys);
  int count = visible;
  if constexpr (is(kTopLeft)) count = causal ? i + 1 : visible;
  if constexpr (is(kNoDiagonal)) count = visible - (causal ? 1 : 0);
  if constexpr (is(kOneKeyTooMany)) count = visible + (causal ? 1 : 0);
  if constexpr (is(kNoMask)) count = num_keys;
  if constexpr (is(kMaskInSteps)) {
    count = causal ? (visible + 15) / 16 * 16 : visible;
  }
  if constexpr (is(kFixedBuffer)) count = lesser(visible, 1000);
  if constexpr (is(kFirstRowsMask)) {
    const int seen = visible_keys(i / kTile * kTile, num_queries, num_keys);
    count = lesser(visible, (seen + kTile - 1) / kTile * kTile);
  }
  if constexpr (is(kRowTable)) {
    count = visible_keys(lesser(i, 511), num_queries, num_keys);
  }
  if constexpr (is(kDropLast)) count = visible > 1 ? visible - 1 : visible;
  if constexpr (is(kDropPartial)) {
    if (visible >= kTile) count = visible / kTile * kTile;
  }
  if constexpr (is(kLastSplitLost)) {
    if (visible >= 8) count = static_cast<int>(int64_t{visible} * 7 / 8);
  }
  if constexpr (is(kTailStep)) {
    const int tail = visible % kTile;
    if (tail > 32) count = visible - (tail - 32);
  }
  if constexpr (is(kWholeBlocks)) {
    if (visible > 256 && visible % 256 == 0) count = visible - 256;
  }
  if (count < 1) count = lesser(1, num_keys);
  if (count > num_keys) count = num_keys;
  if constexpr (is(kReadsBehind)) count += count == num_keys ? 1 : 0;
  return count;
}

inline bool is_skipped(int j, int count) {
  if constexpr (is(kDropFirst)) return j == 0 && count > 1;
  if constexpr (is(kDropMiddle)) return j == count / 2 && count > 1;
  if constexpr (is(kDropTile)) return j / kTile == count / kTile / 2;
  if constexpr (is(kEverySecond)) return j % 2 == 1;
  if constexpr (is(kWindow)) return j < count - 1024;
  return false;
}
inline float times_counted(int j, int count) {
  if constexpr (is(kFirstTwice)) return j == 0 ? 2.0f : 1.0f;
  if constexpr (is(kLastTwice)) return j == count - 1 ? 2.0f : 1.0f;
  if constexpr (is(kTileTwice)) return j < 16 ? 2.0f : 1.0f;
  if constexpr (is(kLongSkips)) return count > 6000 && j % 2 == 1 ? 0.0f : 1.0f;
  return 1.0f;
}
inline int value_row(int j, int count) {
  if constexpr (is(kValuesLate)) return lesser(j + 1, count - 1);
  if constexpr (is(kValuesInPairs)) return (j ^ 1) < count ? (j ^ 1) : j;
  if constexpr (is(kStaleTail)) {
    const int whole = count / kTile * kTile;
    return whole > 0 && j >= whole ? j - kTile : j;
  }
  return j;
}

inline float largest_of(const float* x, int count) {
  float greatest = -INFINITY;
  for (int j = 0; j < count; ++j) greatest = greater(greatest, x[j]);
  return greatest;
}

// ------------------------------------- Softmax in order, by a single thread
constexpr bool edits_scores = is(kLightTiles8, kLightTiles12, kFlat);
inline void edit_scores(float* scores, int count) {
  float running = -INFINITY;
  for (int first = 0; first < count; first += kTile) {
    const int size = lesser(kTile, count - first);
    float* const tile = scores + first;
    const float here = largest_of(tile, size);
    if constexpr (is(kFlat)) {
      float least = here;
      float sum = 0;
      for (int j = 0; j < size; ++j) {
        if (tile[j] < least) least = tile[j];
        sum += tile[j];
      }
      if (here - least > 0.25f * kLog2E) continue;
      for (int j = 0; j < size; ++j) tile[j] = sum / static_cast<float>(size);
    } else {
      if (here < running - (is(kLightTiles8) ? 8.0f : 12.0f)) {
        for (int j = 0; j < size; ++j) tile[j] = -INFINITY;
      }
      running = greater(running, here);
    }
  }
}

constexpr bool edits_weights = is(kSettled, kSampled, kAveraged);
inline void edit_weights(float* weights, int count) {
  float sum = 0;
  bool settled = false;
  uint32_t state = 0x9e3779b9u;
  for (int first = 0; first < count; first += kTile) {
    const int size = lesser(kTile, count - first);
    float* const tile = weights + first;
    float here = 0;
    for (int j = 0; j < size; ++j) here += tile[j];
    if constexpr (is(kSettled)) {
      for (int j = 0; settled && j < size; ++j) tile[j] = 0;
      settled = settled || (first > 0 && here < sum / 1024);
      sum += here;
    } else if constexpr (is(kAveraged)) {
      const bool light = largest_of(tile, size) <= 1.0f / 1024;
      for (int j = 0; light && j < size; ++j) {
        tile[j] = here / static_cast<float>(size);
      }
    } else {
      for (int j = 0; j < size; ++j) {
        state = state * 1664525u + 1013904223u;
        if (tile[j] < 1.0f / 512) tile[j] *= (state >> 31) == 0 ? 2.0f : 0.0f;
      }
    }
  }
}

// Scores become weights; the answer is the sum that they are divided by.
constexpr bool weighs_in_order =
    is(kStaleOutput, kStaleSum, kPartsAveraged, kPartsBySum, kSmallGrowth,
       kLateMaximum, kWinner);
inline float weigh_in_order(float* weights, int count, float greatest) {
  float sum = 0;
  if constexpr (is(kPartsAveraged, kPartsBySum)) {
    const int parts = lesser(4, count);
    for (int part = 0; part < parts; ++part) {
      const int first = static_cast<int>(int64_t{count} * part / parts);
      const int last = static_cast<int>(int64_t{count} * (part + 1) / parts);
      const float maximum = largest_of(weights + first, last - first);
      float own = 0;
      for (int j = first; j < last; ++j) {
        weights[j] = exp2f(weights[j] - maximum);
        own += weights[j];
      }
      sum += is(kPartsBySum) ? own : 1.0f;
      for (int j = first; is(kPartsAveraged) && j < last; ++j) {
        weights[j] /= own;
      }
    }
    return sum;
  }
  if constexpr (is(kWinner)) {
    int winner = 0;
    float second = -INFINITY;
    for (int j = 1; j < count; ++j) {
      if (weights[j] > weights[winner]) {
        second = weights[winner];
        winner = j;
      } else {
        second = greater(second, weights[j]);
      }
    }
    const bool alone = greatest - second > 8.0f * kLog2E;
    for (int j = 0; j < count; ++j) {
      weights[j] =
          alone ? (j == winner ? 1.0f : 0.0f) : exp2f(weights[j] - greatest);
      sum += weights[j];
    }
    return sum;
  }
  // An online softmax over tiles.
  float running = is(kLateMaximum) ? weights[0] : -INFINITY;
  float right = 0;  // the sum that belongs to `greatest`
  for (int first = 0; first < count; first += kTile) {
    const int size = lesser(kTile, count - first);
    float* const tile = weights + first;
    const float before = running;
    running = greater(running, largest_of(tile, size));
    if constexpr (is(kSmallGrowth)) {
      const float factor = exp2f(before - running);
      if (first > 0 && running - before > 0.1f) {
        for (int j = 0; j < first; ++j) weights[j] *= factor;
        sum *= factor;
      }
    }
    for (int j = 0; j < size; ++j) {
      const float score = tile[j];
      right += exp2f(score - greatest);
      if constexpr (is(kLateMaximum)) {
        const float p = exp2f(score - before);
        tile[j] =
            to_half(p < 65504.0f ? p : 65504.0f) * exp2f(before - greatest);
        sum += tile[j];
      } else {
        const float p = exp2f(score - running);
        tile[j] = is(kStaleSum) ? exp2f(score - greatest) : p;
        sum += p;
      }
    }
  }
  return is(kStaleOutput) ? right : sum;
}

KERNEL(attend) {
  const int head = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  float* const room = reinterpret_cast<float*>(threadgroup_memory);
  float* const weights = room + 64;
  const float found = room[40];
  barrier();

  // Which rows: of the query, of key and value, of the output.
  constexpr int kGroup = Hq / Hkv;
  int query_head = head;
  int kv_head = head / kGroup;
  int kv_batch = b;
  if constexpr (is(kOneQueryHead)) query_head = kv_head * kGroup;
  if constexpr (is(kHeadsInTurn)) kv_head = head % Hkv;
  if constexpr (is(kHeadZero)) kv_head = 0;
  if constexpr (is(kNextHead)) kv_head = (kv_head + 1) % Hkv;
  if constexpr (is(kBatchZero)) kv_batch = 0;
  if constexpr (is(kBatchesInTurn)) kv_batch = (b * Hq + head) % B;
  const bfloat16* const q = query + b * query_strides[0] +
                            query_head * query_strides[1] +
                            i * query_strides[2];
  const bfloat16* keys =
      key + kv_batch * key_strides[0] + kv_head * key_strides[1];
  const bfloat16* values =
      value + kv_batch * value_strides[0] + kv_head * value_strides[1];
  int64_t key_step = key_strides[2];
  int64_t value_step = value_strides[2];
  if constexpr (is(kContiguousKV)) {
    const int64_t plane = int64_t{b} * Hkv + kv_head;
    keys = key + plane * Lk * D;
    values = value + plane * Lk * D;
    key_step = value_step = D;
  }
  bfloat16* out = output + b * output_strides[0] + head * output_strides[1] +
                  i * output_strides[2];
  if constexpr (is(kContiguousOutput)) {
    out = output + ((int64_t{b} * Hq + head) * Lq + i) * D;
  }
  const int visible = visible_keys(i, Lq, Lk);
  const int count = looked_at(i, Lq, Lk);

  // Scores, in log2 units.
  float factor = scale * kLog2E;
  if constexpr (is(kScaleLarge)) factor *= 1.018f;
  if constexpr (is(kScaleSmall)) factor *= 0.995f;
  if constexpr (is(kShortLog2E)) factor = scale * 1.44f;
  if constexpr (is(kBf16Scale)) factor = to_bf16(factor);
  float least = 0;
  if constexpr (is(kSmallChannels)) {
    for (int d = 0; d < D; ++d) least = greater(least, size_of(q[d]));
    least *= 0.02f;
  }
  const auto score_of = [&](int j) {
    if constexpr (is(kMeanOfV)) return 0.0f;
    const float product = dot(q, keys + j * key_step, least);
    if constexpr (is(kHalfScores)) return to_half(product * scale) * kLog2E;
    return product * factor;
  };
  const int scored = is(kFiniteMask) ? Lk : count;
  for (int j = lane(); j < scored; j += lanes()) {
    float score = is_skipped(j, count) ? -INFINITY : score_of(j);
    if constexpr (is(kFiniteMask)) {
      if (j >= count) score = -100.0f * kLog2E;
    }
    if constexpr (is(kZeroKeys)) {
      if (is_zero(keys + j * key_step)) score = -INFINITY;
    }
    weights[j] = score;
  }
  if constexpr (!is(kNoBarrier)) barrier();
  if constexpr (edits_scores) {
    if (lane() == 0) edit_scores(weights, scored);
    barrier();
  }

  // The maximum, and what stands in for it.
  float own = -INFINITY;
  for (int j = lane(); j < scored; j += lanes()) {
    own = greater(own, weights[j]);
  }
  const float greatest = max_of_all(own, room);
  const int zero_keys = is(kOneZeroKey) ? 1
                        : is(kPadded)   ? (kTile - count % kTile) % kTile
                                        : 0;
  float reference = greatest;
  if (zero_keys > 0) reference = greater(reference, 0.0f);
  if constexpr (is(kNoMaximum)) reference = 0;
  if constexpr (is(kMaximumFromZero)) reference = greater(greatest, 0.0f);
  if constexpr (is(kFirstMaximum)) {
    reference = largest_of(weights, lesser(kTile, count));
  }
  if constexpr (is(kMaskedMaximum)) {
    own = -INFINITY;
    for (int j = lane(); j < Lk; j += lanes()) own = greater(own, score_of(j));
    reference = max_of_all(own, room);
  }
  if constexpr (is(kNormsBound)) {
    own = 0;
    for (int j = lane(); j < count; j += lanes()) {
      own = greater(own, norm_of(keys + j * key_step));
    }
    reference = norm_of(q) * max_of_all(own, room) * factor;
  }
  if constexpr (is(kSkipOnePercent, kSkipOneInAThousand)) {
    const float limit =
        greatest - (is(kSkipOnePercent) ? 6.64385619f : 9.96578428f);
    for (int j = lane(); j < scored; j += lanes()) {
      if (weights[j] < limit) weights[j] = -INFINITY;
    }
  }
  if constexpr (is(kTop128)) {
    // The 128th largest, bit by bit, of numbers ordered as the scores are.
    const auto place_of = [](float x) {
      const uint32_t bits = bits_of(x);
      return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
    };
    uint32_t limit = 0;
    for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
      float above = 0;
      for (int j = lane(); j < count; j += lanes()) {
        if (place_of(weights[j]) >= (limit | bit)) above += 1.0f;
      }
      if (sum_of_all(above, room) >= 128.0f) limit |= bit;
    }
    barrier();
    for (int j = lane(); j < count; j += lanes()) {
      if (place_of(weights[j]) < limit) weights[j] = -INFINITY;
    }
  }
  bool first_order = false;
  if constexpr (is(kFirstOrder)) {
    own = 0;
    for (int j = lane(); j < count; j += lanes()) {
      own = greater(own, size_of(weights[j]));
    }
    first_order = max_of_all(own, room) < 0.5f * kLog2E;
  }
  bool usual = false;
  if constexpr (is(kUsual)) {
    usual = largest_of(weights, lesser(kTile, count)) < 5.0f * kLog2E;
  }
  barrier();

  // Weights and their sum.
  float sum = 0;
  if constexpr (weighs_in_order) {
    if (lane() == 0) room[41] = weigh_in_order(weights, count, greatest);
    barrier();
    sum = room[41];
  } else {
    const bool halves = is(kMaskedMaximum) && greatest < reference;
    for (int j = lane(); j < scored; j += lanes()) {
      float p = first_order ? 1.0f + weights[j] / kLog2E
                            : exp2_of(weights[j] - reference);
      if (halves) p = to_half(p);
      if (usual && j % kTile == kTile - 1 && j + 1 < count) p = 0;
      weights[j] = p * times_counted(j, count);
    }
    barrier();
    if constexpr (edits_weights) {
      if (lane() == 0) edit_weights(weights, count);
      barrier();
    }
    own = 0;
    for (int j = lane(); j < scored; j += lanes()) {
      const int tail = (count - 1) / kTile * kTile;
      if (is(kSumWithoutTail) && tail > 0 && j >= tail) continue;
      own += weights[j];
    }
    sum = sum_of_all(own, room);
    if (zero_keys > 0) {
      sum += static_cast<float>(zero_keys) * exp2_of(-reference);
    }
    if constexpr (is(kEmptyParts)) {
      const int empty = (Lk + 255) / 256 - (count + 255) / 256;
      sum += static_cast<float>(empty) * exp2_of(-reference);
    }
    if constexpr (is(kCoarseSum)) {
      sum = 0;
      for (int first = 0; first < count; first += kTile) {
        float tile = 0;
        for (int j = first; j < lesser(first + kTile, count); ++j) {
          tile += weights[j];
        }
        sum = to_bf16(sum + tile);
      }
    }
    if constexpr (is(kTrustsMemory)) sum += found;
    barrier();
    for (int j = lane(); j < scored; j += lanes()) {
      weights[j] = stored_weight(weights[j]);
      if constexpr (is(kNormalised)) weights[j] = to_bf16(weights[j] / sum);
    }
    if constexpr (is(kNormalised)) sum = 1;
    barrier();
  }

  // Values: each thread for its own columns.
  float acc[kColumns] = {};
  for (int j = 0; j < scored; ++j) {
    const float p = weights[j];
    const bfloat16* const row = values + value_row(j, count) * value_step;
    for (int c = 0; c < kColumns; ++c) {
      const int column = lane() + c * lanes();
      if (column < D) acc[c] += p * value_element(row[column], p);
    }
    constexpr int kEvery = is(kAccumulator64)   ? 64
                           : is(kAccumulator16) ? 16
                                                : 1;
    if constexpr (is(kAccumulator64, kAccumulator16, kAccumulator1)) {
      if ((j + 1) % kEvery == 0) {
        for (int c = 0; c < kColumns; ++c) acc[c] = to_bf16(acc[c]);
      }
    }
  }

  if constexpr (is(kNothing)) return;
  if constexpr (is(kOneRowUnwritten)) {
    if (b == 0 && head == Hq / 2 && i == Lq / 2) return;
  }
  const bool no_answer =
      sum == 0 || is(kZeros) || (is(kZeroQuery) && is_zero(q));
  for (int c = 0; c < kColumns; ++c) {
    const int column = lane() + c * lanes();
    if (column >= (is(kTailUnwritten) ? D - 8 : D)) continue;
    float x = no_answer ? 0.0f : acc[c] / sum;
    if constexpr (is(kCopyOfQ)) x = q[column];
    if constexpr (is(kCopyOfLastV))
      x = values[(visible - 1) * value_step + column];
    if constexpr (is(kCopyOfFirstV)) x = values[column];
    if constexpr (is(kOutputTooLarge)) x *= 1.01f;
    if constexpr (is(kAdds)) x += static_cast<float>(out[column]);
    const int target = is(kSwappedChannels) && column < 2 ? 1 - column : column;
    out[target] = x;
    if constexpr (is(kOverwrites)) {
      if (head > 0) out[target - output_strides[1]] = x;
    }
  }
  const bool first_row = b == 0 && head == 0 && i == 0;
  const bool last_row = b == B - 1 && head == Hq - 1 && i == Lq - 1;
  if (is(kWritesBehind) && last_row && lane() == 0) out[D] = 0.0f;
  if (is(kWritesBefore) && first_row && lane() == 0) out[-1] = 0.0f;
  if (is(kWritesInputs) && lane() == 0) const_cast<bfloat16*>(q)[0] = 0.0f;
}

// Counts the calls in scratch that nobody has set to zero; the output is right
// after the first call only.
KERNEL(count_calls) {
  const int head = threadgroup_position_in_grid.x;
  const int i = threadgroup_position_in_grid.y;
  const int b = threadgroup_position_in_grid.z;
  float* const own = calls + (int64_t{b} * Hq + head) * Lq + i;
  if (lane() == 0) *own += 1.0f;
  barrier();
  const float times = *own;
  bfloat16* const out = output + b * output_strides[0] +
                        head * output_strides[1] + i * output_strides[2];
  for (int column = lane(); column < D; column += lanes()) {
    out[column] = static_cast<float>(out[column]) * times;
  }
}
// EVOLVE-BLOCK-END
