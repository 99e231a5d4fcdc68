// Gate cases with their inputs in shared memory and their right answers,
// made once and used for every candidate. Lives in the judge; runners get the
// inputs, read-only, and nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/call_memory.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::judge {

// Immutable once made.
struct PooledCase {
  std::shared_ptr<const PreparedCase> prepared;
  PackedLayout packed;  // of the inputs
  std::shared_ptr<const protocol::SharedMemory> inputs;
  std::string inputs_hash;
};

struct CasePoolOptions {
  // Secret seeds per case. More of them cost as much time again, once.
  int num_seeds = 2;
  // Inputs kept in memory; those not used for the longest time go first.
  int64_t max_bytes = int64_t{2} << 30;
};

class CasePool {
 public:
  // Draws its seeds from the operating system.
  CasePool(const Problem& problem, CasePoolOptions options);

  // `number` picks one of the seeds, the same for the same number. Waits
  // while another thread makes it.
  Result<std::shared_ptr<const PooledCase>> get(const GateCase& gate_case,
                                                uint64_t number);
  // One that is not kept, with a seed never used before.
  Result<std::shared_ptr<const PooledCase>> make_fresh(
      const GateCase& gate_case) const;

 private:
  struct Entry {
    std::mutex making;
    std::shared_ptr<const PooledCase> value;
    int64_t last_use = 0;
  };
  Result<std::shared_ptr<const PooledCase>> make(const GateCase& gate_case,
                                                 uint64_t seed) const;
  void forget_oldest();

  const Problem& problem_;
  CasePoolOptions options_;
  std::vector<uint64_t> seeds_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::size_t>, std::shared_ptr<Entry>>
      entries_;
  int64_t num_uses_ = 0;
};

// 64 bits from the operating system.
uint64_t secret_seed();

}  // namespace evoke::judge
