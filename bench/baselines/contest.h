// Calls of several baselines on the same memory, timed in turns.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evoke/baselines/baseline.h"
#include "evoke/core/problem.h"

namespace evoke::bench {

// The four tensors of one call, in memory of their own.
class Memory {
 public:
  explicit Memory(const std::vector<TensorLayout>& layouts);
  std::span<std::byte> allocation(std::size_t index);
  std::vector<BoundTensor> tensors();

 private:
  struct Free {
    void operator()(std::byte* block) const;
  };
  std::vector<TensorLayout> layouts_;
  std::vector<std::unique_ptr<std::byte, Free>> blocks_;
};

// One baseline with its calls prepared on every copy.
struct Contestant {
  std::string label;
  Baseline* baseline = nullptr;
  std::vector<CallId> calls;           // one per copy
  int block_calls = 1;                 // calls of one timed block
  std::size_t next = 0;                // the copy to go on with
  std::vector<double> ms_per_call;     // one per block
  std::vector<double> cores_per_call;  // processor time / wall time, likewise
};

struct ContestOptions {
  double block_ms = 4;
  double seconds = 10;  // of timed blocks, after which no round begins
  int min_rounds = 4;
  int max_rounds = 100;
  bool cold = false;  // each call on the next copy; else always on the first
};

// Rounds in the order 1 2 .. n n .. 2 1, so that a drift hits all alike. A
// block begins with one untimed call, so that nobody pays for threads of
// another library that still spin. Throws std::runtime_error when a call
// fails.
void race(std::vector<Contestant>& contestants, const ContestOptions& options);

struct Ratio {
  double median = 0;
  double low = 0;  // 95 % percentile bootstrap interval
  double high = 0;
};
// Of paired blocks: how many times as long `slower` takes as `faster`.
Ratio ratio_of(const Contestant& slower, const Contestant& faster);

double median_of(std::vector<double> values);

}  // namespace evoke::bench
