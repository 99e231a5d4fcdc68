// A run on disk: docs/run-format.md. Start here to read or write one.
//
// One Step is one transaction. It survives kill -9 at once (SQLite's
// write-ahead log) and a power cut after at most a second (a heartbeat syncs
// the log). One process writes; any number may read meanwhile. A RunStore
// belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
  CandidateId best = 0;    // confirmed; 0: none
  bool finished = false;   // the fact "finished" was set
  int64_t writer_pid = 0;  // the process that writes it now; 0: none
};

class RunStore : public EventSink {
 public:
  // Makes the folder (which must not hold a run) with what is known about the
  // run from the start, and takes its lock. The run is there with all its
  // facts, or it is not.
  static Result<std::unique_ptr<RunStore>> create(
      const std::string& folder, const RunConfig& config,
      const Json& facts = Json::object());
  // Takes the lock; `absent` when there is no run.
  static Result<std::unique_ptr<RunStore>> open_for_resume(
      const std::string& folder);
  // Without lock; a writer may be at work.
  static Result<std::unique_ptr<RunStore>> open_for_reading(
      const std::string& folder);

  ~RunStore() override;

  // EventSink. Throws StartupError when the step could not be recorded (disk
  // full), UsageError for a sequence number that is not the next one. After
  // a full disk the same store can go on once there is space.
  void record(const Step& step) override;
  // Throws like record().
  void record_call(const LlmCall& call) override;
  // In one transaction: all of it or nothing.
  void record_all(const std::vector<LlmCall>& calls, const Step& step) override;
  int64_t last_sequence() const;

  const std::string& folder() const;
  const RunConfig& config() const;

  // Facts about the run as a whole: "machine", "reference", "finished", ...
  // Those that reports know are listed in docs/run-format.md.
  Result<void> set_fact(std::string_view key, const Json& value);
  Result<Json> fact(std::string_view key) const;  // `absent`: never set
  Result<Json> facts() const;                     // all, as one object

  // In order of application, until `visit` returns false; one at a time in
  // memory, all of one moment. `visit` must not record. `failed` at a gap or
  // a damaged row.
  Result<void> each_step(const std::function<bool(Step&&)>& visit) const;
  // Calls of language models, in order of their ends, until `visit` returns
  // false; as each_step().
  Result<void> each_call(const std::function<bool(LlmCall&&)>& visit) const;
  // What calls with a known price have cost so far, in US dollars.
  Result<double> spent_usd() const;
  // The latest step of a candidate that had one with a fitness, else its
  // latest step.
  Result<Step> step_of(CandidateId candidate) const;
  // All of its steps: scored, measured again, confirmed.
  Result<std::vector<Step>> steps_of(CandidateId candidate) const;
  // The step that confirmed what is the best now; `absent`: there is none.
  Result<Step> best() const;
  Result<RunSummary> summary() const;

  // Replaces best/ as a whole: kernel.SUFFIX, info.json and table.md. To be
  // called when the best changes and after resuming: a process may have died
  // between recording a best and writing it here.
  Result<void> write_best(const Step& step, std::string_view suffix,
                          const std::string& table_markdown);
  // The best was revoked and there was none before it.
  Result<void> clear_best();

  // Steps that would let run.db grow beyond this are refused as if the disk
  // were full. Rounded down to pages.
  Result<void> limit_size(int64_t bytes);

 private:
  struct Implementation;
  explicit RunStore(std::unique_ptr<Implementation> implementation);
  static Result<std::unique_ptr<RunStore>> open(const std::string& folder,
                                                bool writing);
  std::unique_ptr<Implementation> implementation_;
};

// The run directory in `folder` that was written last: a sub-folder with a
// run.db, or `folder` itself. `absent`: none.
Result<std::string> latest_run(const std::string& folder);

}  // namespace evoke
