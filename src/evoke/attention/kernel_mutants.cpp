#include "evoke/attention/kernel_mutants.h"

#include <map>
#include <string_view>
#include <utility>

#include "evoke/attention/mutants.h"

namespace evoke::attention {
namespace {

// A fault is 100 * family + mutant, as in the kernel files. Family 0 is honest.
constexpr int kPerFamily = 100;

struct Fault {
  int number;
  std::string_view name;
  // Of those that are not emulated.
  std::string_view description = {};
  bool cuda_only = false;  // between the warps of a threadgroup
};

constexpr Fault kFaults[] = {
    {0, "three passes, fp32 P"},
    {1, "three passes, bf16 P"},
    {2, "three passes, fp16 P"},
    {3, "P normalised, then rounded"},
    {4, "three passes, cubic exp2"},
    {100, "all zeros"},
    {101, "mean of V"},
    {102, "copy of Q"},
    {103, "copy of the last V"},
    {104, "copy of the first V"},
    {105, "previous output"},
    {106, "one (row, head) unwritten"},
    {107, "last 8 channels unwritten"},
    {108, "two channels swapped"},
    {109, "output x 1.01"},
    {110, "one query head per group"},
    {200, "drop last key"},
    {201, "drop first key"},
    {202, "drop one middle key"},
    {203, "drop one 64-key tile"},
    {204, "drop the partial tile"},
    {205, "key 0 twice"},
    {206, "last key twice"},
    {207, "one key past the end, zero"},
    {208, "padded to 64 with zero keys"},
    {209, "every second key"},
    {210, "last split lost"},
    {211, "first tile counted twice"},
    {212, "values one row late"},
    {213, "values swapped in pairs"},
    {300, "causal aligned at the top left"},
    {301, "mask hides the diagonal"},
    {302, "mask shows one key too many"},
    {303, "no mask"},
    {304, "mask in steps of 16"},
    {305, "last 1024 keys only"},
    {306, "first 1000 keys only"},
    {307, "heads dealt out in turn"},
    {308, "key/value head 0 for all"},
    {309, "next key/value head"},
    {310, "key and value of batch 0"},
    {311, "query tile sees as far as its first row"},
    {312, "batches dealt out in turn"},
    {313, "rows from 512 on see the mask of row 511"},
    {400, "scale +1.8 %"},
    {401, "scale -0.5 %"},
    {402, "no max subtraction"},
    {403, "maximum of the first tile only"},
    {404, "output not rescaled"},
    {405, "sum not rescaled"},
    {406, "parts averaged"},
    {407, "parts weighted by sums only"},
    {408, "probabilities below 1 % skipped"},
    {409, "probabilities below 0.1 % skipped"},
    {410, "128 largest scores only"},
    {411, "sum without the last tile"},
    {412, "maximum starts at 0"},
    {413, "no rescaling for small growth of the maximum"},
    {414, "maximum bounded by norms"},
    {415, "maximum one tile late, P in float16"},
    {500, "fp8 K and V"},
    {501, "fp8 K"},
    {502, "fp8 V"},
    {503, "fp8 Q"},
    {504, "fp8 P"},
    {505, "fp8 P, e5m2"},
    {506, "bf16 O accumulator"},
    {507, "bf16 O accumulator, tile 16"},
    {508, "bf16 O accumulator, every key"},
    {509, "bf16 denominator"},
    {510, "quadratic exp2"},
    {511, "quadratic exp2, minimax"},
    {512, "bf16 QK accumulator"},
    {513, "fp16 scores"},
    {514, "V in float16"},
    {515, "V of light keys in fp8"},
    {600, "exp as (1 + x/256)^256"},
    {601, "exp from the exponent's bits"},
    {602, "exponent clamped at 2^-16"},
    {603, "log2(e) is 1.44"},
    {604, "scale log2(e) as a bf16 constant"},
    {605, "masked keys in the maximum, P in float16"},
    {606, "masked scores are -100"},
    {607, "parts emptied by the mask weigh one"},
    {700, "tiles 2^-8 below the maximum skipped"},
    {701, "tiles 2^-12 below the maximum skipped"},
    {702, "stops when a tile adds under 1/1024"},
    {703, "light keys sampled"},
    {704, "light tiles averaged"},
    {705, "flat tiles averaged"},
    {706, "first order where scores are small"},
    {707, "winner takes all when 8 nats ahead"},
    {708, "a key in 64 dropped if scores look usual"},
    {709, "zero keys taken for padding"},
    {710, "zero query taken for padding"},
    {711, "small query channels skipped"},
    {800, "one step of 32 for the tail"},
    {801, "the last 256 of whole blocks lost"},
    {802, "tail tile with the previous tile's values"},
    {803, "every second key beyond 6,000"},
    {900, "nothing is written", "a kernel that returns before it stores"},
    {901, "output added to what was there", "as if outputs came as zeros"},
    {902, "key and value taken for contiguous",
     "the strides of key and value are computed, not read"},
    {903, "output taken for contiguous",
     "the output's strides are computed, not read"},
    {904, "a key read behind the last one", "as if memory went on with zeros"},
    {905, "an element written behind the output",
     "a store is not guarded at the edge"},
    {906, "an element written before the output",
     "an index starts at minus one"},
    {907, "inputs changed in place", "const is cast away"},
    {908, "threadgroup memory taken for zero",
     "as if shared memory came as zeros"},
    {909, "scratch taken for zero", "as if scratch came as zeros"},
    {910, "the head before written over", "threadgroups store to the same row"},
    {911, "no barrier before the maxima are read",
     "warps with fewer keys do not wait for the others", true},
    {912, "sum of the first warp only", "warps are not combined", true},
};

}  // namespace

std::vector<KernelMutant> kernel_mutants(Dialect dialect) {
  std::map<std::string, Mutant, std::less<>> emulated;
  for (auto make : {known_mutants, blind_mutants}) {
    for (Mutant& each : make()) emulated.emplace(each.name, std::move(each));
  }
  std::vector<KernelMutant> mutants;
  for (const Fault& fault : kFaults) {
    if (fault.cuda_only && dialect != Dialect::cuda) continue;
    KernelMutant mutant;
    mutant.name = fault.name;
    mutant.family = fault.number / kPerFamily;
    mutant.mutant = fault.number % kPerFamily;
    mutant.honest = mutant.family == 0;
    mutant.description = mutant.honest ? "honest" : fault.description;
    if (const auto same = emulated.find(fault.name); same != emulated.end()) {
      mutant.description = same->second.description;
      mutant.left_to_full_list = same->second.left_to_full_list;
    }
    mutants.push_back(std::move(mutant));
  }
  return mutants;
}

Result<KernelSource> with_mutant(const KernelSource& file,
                                 const KernelMutant& mutant) {
  KernelPlan plan = file.plan();
  for (Parameter& parameter : plan.parameters) {
    if (parameter.name == "family") parameter.value = mutant.family;
    if (parameter.name == "mutant") parameter.value = mutant.mutant;
  }
  return file.with_plan(plan);
}

}  // namespace evoke::attention
