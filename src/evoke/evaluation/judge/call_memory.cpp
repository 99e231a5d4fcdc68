#include "evoke/evaluation/judge/call_memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace evoke::judge {
namespace {

// All ones: NaN in every floating type.
constexpr std::byte kPoison{0xff};
constexpr int64_t kGuardBytes = 256;
constexpr int64_t kScratchAlignment = 64;

std::vector<int64_t> dense_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

bool all_are(std::span<const std::byte> bytes, std::byte value) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [value](std::byte each) { return each == value; });
}

}  // namespace

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

PackedLayout pack(const std::vector<TensorLayout>& layouts,
                  const ProblemSignature& signature, bool outputs) {
  PackedLayout packed;
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    if (signature.tensors[i].output != outputs) {
      packed.offsets.push_back(-1);
      continue;
    }
    packed.offsets.push_back(packed.total_bytes);
    packed.total_bytes += round_up(layouts[i].allocation_bytes, kPageBytes);
  }
  return packed;
}

std::size_t output_index(const ProblemSignature& signature) {
  for (std::size_t i = 0; i < signature.tensors.size(); ++i) {
    if (signature.tensors[i].output) return i;
  }
  throw StartupError("[output_index] the problem " + signature.name +
                     " has no output tensor.");
}

ScratchMemory::ScratchMemory(const LaunchPlan& plan) {
  for (const ResolvedScratch& scratch : plan.scratch) {
    Part part;
    part.name = scratch.name;
    part.offset = total_bytes_ + kGuardBytes;
    part.bytes = scratch.bytes;
    part.self_reset = scratch.self_reset;
    TensorLayout layout;
    layout.name = scratch.name;
    layout.type = scratch.type;
    layout.shape = scratch.shape;
    layout.strides = dense_strides(scratch.shape);
    layout.allocation_bytes = scratch.bytes;
    layouts_.push_back(std::move(layout));
    total_bytes_ =
        part.offset + round_up(part.bytes, kScratchAlignment) + kGuardBytes;
    parts_.push_back(std::move(part));
  }
}

protocol::Placements ScratchMemory::placements(int buffer,
                                               int64_t offset_bytes) const {
  protocol::Placements placements;
  for (const Part& part : parts_) {
    placements.push_back({buffer, offset_bytes + part.offset});
  }
  return placements;
}

void ScratchMemory::poison(std::span<std::byte> memory, bool first) const {
  int64_t done = 0;
  for (const Part& part : parts_) {
    if (!part.self_reset || first) continue;
    std::fill(memory.begin() + done, memory.begin() + part.offset, kPoison);
    done = part.offset + part.bytes;
  }
  std::fill(memory.begin() + done, memory.begin() + total_bytes_, kPoison);
}

std::optional<ScratchMemory::Damage> ScratchMemory::damage(
    std::span<const std::byte> memory) const {
  int64_t done = 0;
  const auto guards_stand = [&](int64_t end) {
    return all_are(memory.subspan(static_cast<std::size_t>(done),
                                  static_cast<std::size_t>(end - done)),
                   kPoison);
  };
  std::string before = "the first scratch tensor";
  for (const Part& part : parts_) {
    if (!guards_stand(part.offset)) {
      return Damage{true, "wrote outside its scratch, between " + before +
                              " and '" + part.name + "'"};
    }
    if (part.self_reset &&
        !all_are(memory.subspan(static_cast<std::size_t>(part.offset),
                                static_cast<std::size_t>(part.bytes)),
                 std::byte{0})) {
      return Damage{false, "left the self_reset scratch '" + part.name +
                               "' with other values than 0"};
    }
    done = part.offset + part.bytes;
    before = "'" + part.name + "'";
  }
  if (!guards_stand(total_bytes_)) {
    return Damage{true, "wrote outside its scratch, behind " + before};
  }
  return std::nullopt;
}

RunnerResult<void> Workspace::reserve(int64_t bytes) {
  if (memory_ && memory_->size() >= bytes) return {};
  if (memory_) {
    auto dropped = runner_->take_back(buffer_);
    if (!dropped) return fault_of(dropped);
    memory_.reset();
  }
  auto memory = protocol::SharedMemory::create(reserved_bytes(bytes), false);
  if (!memory) return own_fault(memory.error());
  auto buffer = runner_->lend(*memory, /*writable=*/true);
  if (!buffer) return fault_of(buffer);
  memory_ = std::move(*memory);
  buffer_ = *buffer;
  return {};
}

// Grows by half at least, so that a list of cases makes few of them.
int64_t Workspace::reserved_bytes(int64_t bytes) {
  return round_up(bytes + bytes / 2, kPageBytes);
}

void Workspace::give_back() {
  if (memory_ && runner_->usable()) (void)runner_->take_back(buffer_);
  memory_.reset();
}

RunnerResult<void> Workspace::push(int64_t offset_bytes, int64_t bytes) {
  return runner_->push(buffer_, *memory_, offset_bytes, bytes);
}

RunnerResult<void> Workspace::pull(int64_t offset_bytes, int64_t bytes) {
  return runner_->pull(buffer_, *memory_, offset_bytes, bytes);
}

}  // namespace evoke::judge
