#include "evoke/evaluation/judge/case_pool.h"

#include <algorithm>
#include <random>

#include "evoke/base/hash.h"
#include "evoke/evaluation/protocol/plan_json.h"

namespace evoke::judge {
namespace {

// The label names the shape; two shapes of one name are told apart as well.
std::string key_of(const GateCase& gate_case) {
  return gate_case.label() + protocol::to_json(gate_case.shape).dump();
}

}  // namespace

uint64_t secret_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

CasePool::CasePool(const Problem& problem, CasePoolOptions options)
    : problem_(problem), options_(options) {
  for (int i = 0; i < std::max(options_.num_seeds, 1); ++i) {
    seeds_.push_back(secret_seed());
  }
}

Result<std::shared_ptr<const PooledCase>> CasePool::make(
    const GateCase& gate_case, uint64_t seed) const {
  // Every case has a seed of its own under the secret one.
  const uint64_t own_seed = hash_u64(key_of(gate_case), seed);
  auto pooled = std::make_shared<PooledCase>();
  pooled->prepared = problem_.prepare(gate_case, own_seed);
  const auto& layouts = pooled->prepared->tensors();
  pooled->packed = pack(layouts, problem_.signature(), /*outputs=*/false);
  auto memory = protocol::SharedMemory::create(
      std::max<int64_t>(pooled->packed.total_bytes, kPageBytes),
      /*read_only_for_others=*/true);
  if (!memory) return error_of(memory);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    const int64_t offset = pooled->packed.offsets[i];
    if (offset < 0) continue;
    pooled->prepared->write(
        i, memory->bytes().subspan(
               static_cast<std::size_t>(offset),
               static_cast<std::size_t>(layouts[i].allocation_bytes)));
  }
  pooled->inputs_hash = hash_hex(std::span<const std::byte>(memory->bytes()));
  pooled->inputs =
      std::make_shared<const protocol::SharedMemory>(std::move(*memory));
  return pooled;
}

Result<std::shared_ptr<const PooledCase>> CasePool::get(
    const GateCase& gate_case, uint64_t number) {
  const std::size_t index = number % seeds_.size();
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = entries_[{key_of(gate_case), index}];
    if (!slot) slot = std::make_shared<Entry>();
    slot->last_use = ++num_uses_;
    entry = slot;
  }
  const std::lock_guard making(entry->making);
  if (entry->value) return entry->value;
  auto made = make(gate_case, seeds_[index]);
  if (!made) return error_of(made);
  const std::lock_guard lock(mutex_);
  entry->value = std::move(*made);
  forget_oldest();
  return entry->value;
}

Result<std::shared_ptr<const PooledCase>> CasePool::make_fresh(
    const GateCase& gate_case) const {
  return make(gate_case, secret_seed());
}

// Called locked. What a candidate still uses lives on in its hands.
void CasePool::forget_oldest() {
  int64_t total = 0;
  for (const auto& [key, entry] : entries_) {
    if (entry->value) total += entry->value->inputs->size();
  }
  while (total > options_.max_bytes) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (!at->second->value || at->second->last_use == num_uses_) continue;
      if (oldest == entries_.end() ||
          at->second->last_use < oldest->second->last_use) {
        oldest = at;
      }
    }
    if (oldest == entries_.end()) return;
    total -= oldest->second->value->inputs->size();
    entries_.erase(oldest);
  }
}

}  // namespace evoke::judge
