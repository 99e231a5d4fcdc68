#include "evoke/devices/metal/host/private_watch.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "evoke/base/error.h"

namespace evoke::metal::host {
namespace {

// States of a byte of a stack.
enum : uint8_t {
  kPlain = 0,
  kUnwritten = 1,
  kLeft = 0xf1,
  kMiddle = 0xf2,
  kRight = 0xf3
};
constexpr uint64_t kFrameMagic = 0x41b58ab3;
constexpr std::size_t kGranule = 8;  // bytes per shadow byte of the compiler
constexpr std::size_t kLongestAccess = 16;

// A frame begins with the compiler's description of it: how many variables,
// and for each: offset, size, length of what follows, name:line.
struct FrameVariable {
  std::size_t begin = 0;
  std::size_t size = 0;
  std::string name;
};

std::vector<FrameVariable> frame_variables(const char* description) {
  std::vector<FrameVariable> variables;
  char* at = nullptr;
  for (int64_t count = std::strtoll(description, &at, 10); count > 0; --count) {
    FrameVariable variable;
    variable.begin = static_cast<std::size_t>(std::strtoll(at, &at, 10));
    variable.size = static_cast<std::size_t>(std::strtoll(at, &at, 10));
    const int64_t length = std::strtoll(at, &at, 10);
    if (*at != ' ' || length <= 0) break;
    variable.name.assign(at + 1, static_cast<std::size_t>(length));
    variable.name.resize(
        std::min(variable.name.find(':'), variable.name.size()));
    at += 1 + length;
    variables.push_back(std::move(variable));
  }
  return variables;
}

}  // namespace

PrivateWatch::PrivateWatch(const Stacks& stacks, Report& report)
    : report_(report), begin_(stacks.begin()), bytes_(stacks.bytes()) {
  void* const state =
      ::mmap(nullptr, bytes_ + kLongestAccess, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (state == MAP_FAILED) {
    throw StartupError(
        "[PrivateWatch::PrivateWatch] no room for the state of stacks. "
        "Is the address space limited?");
  }
  state_ = static_cast<uint8_t*>(state);
}

PrivateWatch::~PrivateWatch() { ::munmap(state_, bytes_ + kLongestAccess); }

void PrivateWatch::forget() { ::madvise(state_, bytes_, MADV_DONTNEED); }

const Finding* PrivateWatch::copy(const Accessor& who, uintptr_t to,
                                  uintptr_t from, std::size_t bytes,
                                  const void* code) {
  if (const Finding* found =
          out_of_bounds(who, from, bytes, Access::read, code)) {
    return found;
  }
  if (const Finding* found =
          out_of_bounds(who, to, bytes, Access::write, code)) {
    return found;
  }
  std::memmove(state_ + (to - begin_), state_ + (from - begin_), bytes);
  return nullptr;
}

void PrivateWatch::set_frame(uintptr_t shadow, std::size_t count,
                             uint8_t value) {
  const uintptr_t address = shadow * kGranule - begin_;
  const std::size_t bytes = count * kGranule;
  if (address >= bytes_) return;
  uint8_t* const state = state_ + address;
  if (value == kLeft || value == kMiddle || value == kRight) {
    std::memset(state, value, bytes);
    if (value == kLeft) {
      base_ = address;
      frame_ = address + bytes;
    }
    if (value == kRight && frame_ != 0) {
      // What the red zones left free holds variables, not written yet.
      for (uint8_t* each = state_ + frame_; each < state; ++each) {
        if (*each == kPlain) *each = kUnwritten;
      }
      const char* description = nullptr;
      std::memcpy(&description,
                  reinterpret_cast<const void*>(begin_ + base_ + 8),
                  sizeof(description));
      for (const Range& each : written_by_caller(description)) {
        std::memset(state_ + base_ + each.begin, kPlain, each.end - each.begin);
      }
      frame_ = 0;
    }
  } else if (value == 0) {
    // A frame is left: its variables go with its zones.
    uint8_t* last = state + bytes;
    if (*state == kLeft) {
      uint8_t* const end = state_ + bytes_;
      while (last < end && *last != kRight) ++last;
      while (last < end && *last == kRight) ++last;
    }
    std::memset(state, kPlain, static_cast<std::size_t>(last - state));
  } else if (value < kGranule) {
    std::memset(state, kUnwritten, value);
    std::memset(state + value, kMiddle, bytes - value);
  }
}

// "count offset size length name:line offset size ...": what clang passes by
// value lies in a copy called "name.byval".
const std::vector<PrivateWatch::Range>& PrivateWatch::written_by_caller(
    const char* description) {
  const auto [place, fresh] = written_by_caller_.try_emplace(description);
  if (!fresh) return place->second;
  for (const FrameVariable& each : frame_variables(description)) {
    if (each.name.ends_with(".byval")) {
      place->second.push_back({each.begin, each.begin + each.size});
    }
  }
  return place->second;
}

const Finding* PrivateWatch::out_of_bounds(const Accessor& who,
                                           uintptr_t address, std::size_t bytes,
                                           Access kind, const void* code) {
  const uint8_t* const state = state_ + (address - begin_);
  const uint8_t* const zone = std::find_if(
      state, state + bytes, [](uint8_t each) { return each >= kLeft; });
  if (zone == state + bytes) return nullptr;
  return report_.finding(
      who, FindingKind::out_of_bounds_private, report_.code().line_at(code),
      fmt::format("{} {} bytes {}", verb(kind), bytes,
                  describe(address + static_cast<uintptr_t>(zone - state))));
}

const Finding* PrivateWatch::access(const Accessor& who, uintptr_t address,
                                    std::size_t bytes, Access kind,
                                    const void* code) {
  if (const Finding* found = out_of_bounds(who, address, bytes, kind, code)) {
    return found;
  }
  uint8_t* const state = state_ + (address - begin_);
  if (kind != Access::read) {
    std::memset(state, kPlain, bytes);
  } else if (std::find(state, state + bytes, kUnwritten) != state + bytes) {
    return report_.finding(who, FindingKind::uninitialised_private,
                           report_.code().line_at(code),
                           fmt::format("reads {} bytes {} that it never wrote",
                                       bytes, describe(address)));
  }
  return nullptr;
}

// "at byte 4 of its private variable 'scores' of 32 bytes", or beside what
// lies closest.
std::string PrivateWatch::describe(uintptr_t address) const {
  constexpr std::size_t kLongestFrame = 128 * 1024;
  const uintptr_t begin = begin_;
  for (uintptr_t at = address & ~uintptr_t{31};
       at >= begin && address - at < kLongestFrame; at -= 32) {
    if (state_[at - begin] != kLeft) continue;
    uint64_t magic = 0;
    std::memcpy(&magic, reinterpret_cast<const void*>(at), sizeof(magic));
    if (magic != kFrameMagic) continue;
    const char* text = nullptr;
    std::memcpy(&text, reinterpret_cast<const void*>(at + 8), sizeof(text));
    const auto offset = static_cast<int64_t>(address - at);
    std::string best = "of its private memory";
    int64_t least = INT64_MAX;
    for (const FrameVariable& each : frame_variables(text)) {
      const auto first = static_cast<int64_t>(each.begin);
      const auto last = static_cast<int64_t>(each.begin + each.size);
      const int64_t distance = offset < first   ? first - offset
                               : offset >= last ? offset - last
                                                : -1;
      if (distance >= least) continue;
      least = distance;
      const std::string variable = fmt::format(
          "its private variable '{}' of {} bytes", each.name, each.size);
      best =
          distance < 0
              ? fmt::format("at byte {} of {}", offset - first, variable)
          : offset < first
              ? fmt::format("{} bytes before {}", distance, variable)
              : fmt::format("{} bytes past the end of {}", distance, variable);
    }
    return best;
  }
  return "of its private memory";
}

}  // namespace evoke::metal::host
