// A run on disk: docs/run-format.md. Start here to read or write one.
//
// One Step is one transaction. It survives kill -9 at once (SQLite's
// write-ahead log) and a power cut after at most a second (a heartbeat syncs
// the log). One process writes; any number may read meanwhile.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/run_config.h"
#include "evoke/evolution/interfaces/event_sink.h"

namespace evoke {

// What `evoke status` says of a run.
struct RunSummary {
  int64_t steps = 0;
  double elapsed_s = 0;
  std::array<int64_t, kNumOutcomeKinds> counts{};
  CandidateId best = 0;  // confirmed; 0: none
  bool finished = false;
};

class RunStore : public EventSink {
 public:
  static constexpr int kSchemaVersion = 1;

  // Makes the folder (which must not hold a run) and takes its lock.
  static Result<std::unique_ptr<RunStore>> create(const std::string& folder,
                                                  const RunConfig& config);
  // Takes the lock; `absent` when there is no run.
  static Result<std::unique_ptr<RunStore>> open_for_resume(
      const std::string& folder);
  // Without lock; a writer may be at work.
  static Result<std::unique_ptr<RunStore>> open_for_reading(
      const std::string& folder);

  ~RunStore() override;

  // EventSink. Throws StartupError when the step could not be recorded.
  void record(const Step& step) override;

  const std::string& folder() const;
  const RunConfig& config() const;

  // Facts about the run as a whole: "machine", "founders", "finished", ...
  Result<void> set_fact(std::string_view key, const Json& value);
  Result<Json> fact(std::string_view key) const;  // `absent`: never set

  // In order of application, until `visit` returns false.
  Result<void> each_step(const std::function<bool(Step&&)>& visit) const;
  // The latest step of a candidate that had one with measurements, else its
  // latest step.
  Result<Step> step_of(CandidateId candidate) const;
  Result<RunSummary> summary() const;

  // Replaces best/: the kernel file, info.json and table.md.
  Result<void> write_best(const Step& step, std::string_view extension,
                          const std::string& table_markdown);

 private:
  struct Implementation;
  explicit RunStore(std::unique_ptr<Implementation> implementation);
  static Result<std::unique_ptr<RunStore>> open(const std::string& folder,
                                                bool writing);
  std::unique_ptr<Implementation> implementation_;
};

// The run directory in `folder` that was written last: a sub-folder with a
// run.db. `absent`: none.
Result<std::string> latest_run(const std::string& folder);

}  // namespace evoke
