// Attention composed of oneDNN primitives: how one shape and layout is split,
// with the primitives made and the scratch allocated. Used by one thread at a
// time; all plans share the OpenMP threads that oneDNN uses.
#pragma once

#include <memory>
#include <string>

#include "evoke/baselines/attention_call.h"

namespace evoke::baselines {

// A call bound to memory; belongs to the plan that bound it.
class OnednnCall {
 public:
  virtual ~OnednnCall() = default;
  virtual void run() = 0;
};

class OnednnPlan {
 public:
  virtual ~OnednnPlan() = default;
  virtual std::string describe() const = 0;
  virtual std::unique_ptr<OnednnCall> bind(const AttentionCall& call) = 0;
};

// One query row, dense tensors: every head in one primitive, scores as
// key x query^T, so that the key is read as it lies and only the small query
// is repacked. Not for other layouts: oneDNN then falls back to slow code.
bool whole_decode_fits(const Geometry& geometry);
std::unique_ptr<OnednnPlan> make_whole_decode(const Geometry& geometry,
                                              int num_threads);
// Any call: tiles of query rows of one head at a time, one thread each; with
// a causal mask only the keys up to the tile's last row.
std::unique_ptr<OnednnPlan> make_head_tiles(const Geometry& geometry,
                                            int num_threads);

// Threads of oneDNN's primitives made or run from here on by this thread.
void set_onednn_threads(int num_threads);

}  // namespace evoke::baselines
