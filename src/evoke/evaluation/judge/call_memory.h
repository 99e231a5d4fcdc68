// The memory of calls: where inputs, outputs and scratch lie, what they are
// poisoned with, and whether the guard bands between them still stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/core/tensor.h"
#include "evoke/evaluation/judge/runner.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::judge {

// Allocations of one set of tensors, one after another, each beginning on a
// page of its own.
struct PackedLayout {
  std::vector<int64_t> offsets;  // per tensor; -1 for those left out
  int64_t total_bytes = 0;
};
// Only tensors whose `output` is as asked.
PackedLayout pack(const std::vector<TensorLayout>& layouts,
                  const ProblemSignature& signature, bool outputs);
// The one output of a problem, as an index into its tensors.
std::size_t output_index(const ProblemSignature& signature);

// Scratch of one call, with guard bands around every tensor.
class ScratchMemory {
 public:
  explicit ScratchMemory(const LaunchPlan& plan);

  int64_t total_bytes() const { return total_bytes_; }
  const std::vector<TensorLayout>& layouts() const { return layouts_; }
  protocol::Placements placements(int buffer, int64_t offset_bytes) const;
  // Fills everything with NaN; self_reset tensors stay as they are unless it
  // is `first`, before the device has zeroed them.
  void poison(std::span<std::byte> memory, bool first) const;
  // What a call did that it may not do: a guard band written, a self_reset
  // tensor left dirty.
  struct Damage {
    bool out_of_bounds = false;
    std::string message;
  };
  std::optional<Damage> damage(std::span<const std::byte> memory) const;

 private:
  struct Part {
    std::string name;
    int64_t offset = 0;  // of the tensor, after its first guard band
    int64_t bytes = 0;
    bool self_reset = false;
  };
  std::vector<Part> parts_;
  std::vector<TensorLayout> layouts_;
  int64_t total_bytes_ = 0;
};

// Writable memory that one runner borrows; larger ones replace smaller ones.
class Workspace {
 public:
  explicit Workspace(std::shared_ptr<Runner> runner)
      : runner_(std::move(runner)) {}

  // At least so many bytes; what they held is lost.
  RunnerResult<void> reserve(int64_t bytes);
  // What reserve() of so many bytes makes when there was less.
  static int64_t reserved_bytes(int64_t bytes);
  // Frees it; a runner that is gone holds nothing.
  void give_back();
  int buffer() const { return buffer_; }
  const protocol::SharedMemory& memory() const { return *memory_; }
  std::span<std::byte> at(int64_t offset_bytes, int64_t bytes) const {
    return memory_->bytes().subspan(static_cast<std::size_t>(offset_bytes),
                                    static_cast<std::size_t>(bytes));
  }
  // See Runner::push and pull.
  RunnerResult<void> push(int64_t offset_bytes, int64_t bytes);
  RunnerResult<void> pull(int64_t offset_bytes, int64_t bytes);

 private:
  std::shared_ptr<Runner> runner_;
  std::optional<protocol::SharedMemory> memory_;
  int buffer_ = 0;
};

int64_t round_up(int64_t value, int64_t multiple);
inline constexpr int64_t kPageBytes = 4096;

}  // namespace evoke::judge
