#include "evoke/evaluation/judge/compile_cache.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/folders.h"
#include "evoke/base/hash.h"
#include "evoke/evaluation/protocol/cbor.h"

namespace evoke::judge {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".cbor";
constexpr std::string_view kDraft = "draft-";
// A draft older than this belongs to a process that did not live to rename it.
constexpr auto kOldestDraft = std::chrono::hours(1);
constexpr std::size_t kChecksumBytes = 32;
// A file's time is its last use, kept this exactly: touching it more often
// would only cost writes.
constexpr auto kTouchInterval = std::chrono::minutes(10);

struct Entry {
  fs::path path;
  int64_t bytes = 0;
  fs::file_time_type used;
};

std::vector<Entry> entries_of(const std::string& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    if (file.path().extension() != kExtension) continue;
    const auto bytes = file.file_size(ignored);
    const auto used = file.last_write_time(ignored);
    if (ignored) continue;  // gone by now
    entries.push_back({file.path(), static_cast<int64_t>(bytes), used});
  }
  return entries;
}

void remove_old_drafts(const std::string& folder) {
  const auto now = fs::file_time_type::clock::now();
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    if (!file.path().filename().string().starts_with(kDraft)) continue;
    std::error_code ignored;
    const auto written = file.last_write_time(ignored);
    if (!ignored && now - written > kOldestDraft) {
      fs::remove(file.path(), ignored);
    }
  }
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

bool is_cacheable(protocol::Compiled::Status status) {
  using Status = protocol::Compiled::Status;
  return status == Status::ok || status == Status::failed ||
         status == Status::rejected;
}

std::string default_compile_cache_folder() { return cache_home() + "/compile"; }

CompileCache::CompileCache(std::string folder, int64_t max_bytes)
    : folder_(std::move(folder)), max_bytes_(max_bytes) {}

CompileCache::CompileCache(CompileCache&& other) noexcept
    : folder_(std::move(other.folder_)),
      max_bytes_(other.max_bytes_),
      total_bytes_(other.total_bytes_) {}

Result<CompileCache> CompileCache::open(const CompileCacheOptions& options) {
  const std::string folder =
      options.folder.empty() ? default_compile_cache_folder() : options.folder;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return failed("cannot make the compile cache " + folder + ": " +
                  error.message() +
                  "; set XDG_CACHE_HOME to a folder that "
                  "can be written");
  }
  remove_old_drafts(folder);
  CompileCache cache(folder, options.max_bytes);
  for (const Entry& entry : entries_of(folder)) {
    cache.total_bytes_ += entry.bytes;
  }
  cache.evict();
  return cache;
}

std::string CompileCache::path_of(const std::string& key) const {
  return folder_ + "/" + key + std::string(kExtension);
}

std::optional<protocol::Compiled> CompileCache::find(const std::string& key) {
  const std::string path = path_of(key);
  const auto content = read_file(path);
  if (!content) return std::nullopt;
  const std::string_view text = *content;
  std::error_code ignored;
  const auto damaged = [&]() -> std::optional<protocol::Compiled> {
    fs::remove(path, ignored);
    return std::nullopt;
  };
  if (text.size() < kChecksumBytes) return damaged();
  const std::string_view payload = text.substr(kChecksumBytes);
  if (hash_hex(payload) != text.substr(0, kChecksumBytes)) return damaged();
  const auto json = protocol::decode_cbor(bytes_of(payload));
  if (!json) return damaged();
  auto compiled = protocol::Compiled::from_json(*json);
  if (!compiled || !is_cacheable(compiled->status)) return damaged();
  const auto now = fs::file_time_type::clock::now();
  if (now - fs::last_write_time(path, ignored) > kTouchInterval) {
    fs::last_write_time(path, now, ignored);
  }
  return std::move(*compiled);
}

void CompileCache::insert(const std::string& key,
                          const protocol::Compiled& compiled) {
  if (!is_cacheable(compiled.status)) return;
  const std::vector<std::byte> payload =
      protocol::encode_cbor(compiled.to_json());
  const std::string checksum = hash_hex(std::span(payload));
  std::string draft;
  {
    const std::lock_guard lock(mutex_);
    draft = folder_ + "/" + std::string(kDraft) + std::to_string(::getpid()) +
            "-" + std::to_string(next_draft_++);
  }
  // Not synced: what a power cut tears, the checksum finds.
  std::ofstream file(draft, std::ios::binary);
  file.write(checksum.data(), static_cast<std::streamsize>(checksum.size()));
  file.write(reinterpret_cast<const char*>(payload.data()),
             static_cast<std::streamsize>(payload.size()));
  file.close();
  std::error_code error;
  if (file) fs::rename(draft, path_of(key), error);
  if (!file || error) {
    fs::remove(draft, error);
    return;
  }
  const std::lock_guard lock(mutex_);
  total_bytes_ += static_cast<int64_t>(payload.size() + kChecksumBytes);
  if (total_bytes_ > max_bytes_) evict();
}

// Down to nine tenths of the bound, oldest use first. What other processes
// added or removed meanwhile is seen here.
void CompileCache::evict() {
  if (total_bytes_ <= max_bytes_) return;
  std::vector<Entry> entries = entries_of(folder_);
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  int64_t total = 0;
  for (const Entry& entry : entries) total += entry.bytes;
  for (const Entry& entry : entries) {
    if (total <= max_bytes_ / 10 * 9) break;
    std::error_code ignored;
    fs::remove(entry.path, ignored);
    total -= entry.bytes;
  }
  total_bytes_ = total;
}

int64_t CompileCache::total_bytes() const {
  const std::lock_guard lock(mutex_);
  return total_bytes_;
}

}  // namespace evoke::judge
