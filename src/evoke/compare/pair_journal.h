// What a comparison has finished so far, on disk: one JSON document per line,
// synced as it is written, so that a killed comparison goes on where it was.
// The first line says what is compared; another comparison is refused.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/compare/run_sample.h"

namespace evoke::compare {

class PairJournal {
 public:
  // FOLDER/pairs.jsonl, made when it is not there. `identity` is everything
  // that makes results comparable. A last line that was cut off is dropped.
  // `failed`: the folder holds another comparison, or a damaged one.
  static Result<PairJournal> open(const std::string& folder,
                                  const Json& identity);

  const std::vector<RunPair>& pairs() const { return pairs_; }
  // By scenario: what `evoke_model generate --agreement` printed.
  const std::map<std::string, Json>& agreements() const { return agreements_; }

  Result<void> add(const RunPair& pair);
  Result<void> add_agreement(const std::string& scenario, const Json& json);

 private:
  PairJournal() = default;
  Result<void> read(const std::string& text, const Json& identity,
                    const std::string& path);
  Result<void> append(const Json& line);

  Fd fd_;
  std::vector<RunPair> pairs_;
  std::map<std::string, Json> agreements_;
};

}  // namespace evoke::compare
