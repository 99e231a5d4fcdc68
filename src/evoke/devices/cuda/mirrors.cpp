#include "evoke/devices/cuda/mirrors.h"

#include <fmt/format.h>

#include <algorithm>

namespace evoke::cuda {

Mirrors::~Mirrors() {
  for (const Mirror& mirror : mirrors_) driver_.memory_free(mirror.device);
}

Result<Mirror*> Mirrors::of(const HostBuffer& buffer) {
  for (Mirror& mirror : mirrors_) {
    if (mirror.host == buffer.bytes.data() &&
        mirror.bytes == buffer.bytes.size()) {
      return &mirror;
    }
  }
  if (buffer.bytes.empty()) return failed("a tensor outside any buffer");
  Mirror mirror;
  mirror.host = buffer.bytes.data();
  mirror.bytes = buffer.bytes.size();
  mirror.writable = buffer.writable;
  const Status status = driver_.memory_allocate(&mirror.device, mirror.bytes);
  if (status != kSuccess) {
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    driver_.memory_info(&free_bytes, &total_bytes);
    return failed(fmt::format(
        "the GPU has no room for a buffer of {} MiB ({} of {} MiB are free): "
        "{}",
        mirror.bytes >> 20, free_bytes >> 20, total_bytes >> 20,
        driver_.error_text(status)));
  }
  mirrors_.push_back(std::move(mirror));
  return &mirrors_.back();
}

void Mirrors::forget(std::span<const std::byte> buffer) {
  const auto found =
      std::find_if(mirrors_.begin(), mirrors_.end(), [&](const Mirror& mirror) {
        return mirror.host == buffer.data() && mirror.bytes == buffer.size();
      });
  if (found == mirrors_.end()) return;
  driver_.memory_free(found->device);
  mirrors_.erase(found);
}

Status Mirrors::wipe(const Mirror& mirror) {
  for (const Range& gap : gaps_between(mirror.lasting, mirror.bytes)) {
    const Status status =
        driver_.fill_bytes(mirror.at(gap.begin), 0xff, gap.bytes, stream_);
    if (status != kSuccess) return status;
  }
  return kSuccess;
}

Status Mirrors::bring(const Mirror& mirror, Range range) {
  return driver_.copy_to_device(
      mirror.at(range.begin), mirror.host + range.begin, range.bytes, stream_);
}

Status Mirrors::fetch(const Mirror& mirror, Range range) {
  return driver_.copy_to_host(mirror.host + range.begin, mirror.at(range.begin),
                              range.bytes, stream_);
}

std::vector<Range> gaps_between(const std::map<Range, int>& ranges,
                                std::size_t bytes) {
  std::vector<Range> gaps;
  std::size_t done = 0;
  for (const auto& [range, calls] : ranges) {
    if (range.begin > done) gaps.push_back({done, range.begin - done});
    done = std::max(done, range.end());
  }
  if (done < bytes) gaps.push_back({done, bytes - done});
  return gaps;
}

std::vector<Range> joined(const std::set<Range>& ranges) {
  std::vector<Range> all;
  for (const Range& range : ranges) {
    if (all.empty() || range.begin > all.back().end()) {
      all.push_back(range);
    } else {
      Range& last = all.back();
      last.bytes = std::max(last.end(), range.end()) - last.begin;
    }
  }
  return all;
}

}  // namespace evoke::cuda
