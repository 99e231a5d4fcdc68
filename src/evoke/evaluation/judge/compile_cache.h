// What compiling gave, kept on disk between runs: objects, and the compiler's
// own diagnostics when it refused. Never what says nothing about the code:
// time-outs, kills, missing tools.
//
// One file per key, written beside its place and renamed, with a checksum: a
// torn or damaged file counts as absent. When the folder outgrows its bound,
// the files used longest ago go first. Several processes may share a folder.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "evoke/base/error.h"
#include "evoke/evaluation/protocol/messages.h"

namespace evoke::judge {

// $XDG_CACHE_HOME/evoke/compile, or ~/.cache/evoke/compile.
std::string default_compile_cache_folder();

struct CompileCacheOptions {
  std::string folder;  // empty: the default
  int64_t max_bytes = int64_t{512} << 20;
};

class CompileCache {
 public:
  static Result<CompileCache> open(const CompileCacheOptions& options);
  CompileCache(CompileCache&& other) noexcept;

  std::optional<protocol::Compiled> find(const std::string& key);
  // Ignores what must not be kept. Failing to write is not an error: the next
  // run compiles again.
  void insert(const std::string& key, const protocol::Compiled& compiled);

  const std::string& folder() const { return folder_; }
  int64_t total_bytes() const;

 private:
  CompileCache(std::string folder, int64_t max_bytes);
  std::string path_of(const std::string& key) const;
  void evict();

  std::string folder_;
  int64_t max_bytes_;
  mutable std::mutex mutex_;
  int64_t total_bytes_ = 0;  // as far as this process knows
  int64_t next_draft_ = 0;
};

// Whether an answer of the compiler is about the code alone.
bool is_cacheable(protocol::Compiled::Status status);

}  // namespace evoke::judge
