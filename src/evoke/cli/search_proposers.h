// The proposers of one search, wired up.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evoke/cli/search_judge.h"
#include "evoke/core/run_config.h"
#include "evoke/evolution/arms.h"
#include "evoke/proposers/command/command_proposer.h"
#include "evoke/proposers/inbox/inbox_proposer.h"
#include "evoke/proposers/llm/llm_config.h"
#include "evoke/proposers/llm/llm_proposer.h"
#include "evoke/proposers/parameters/parameters_proposer.h"
#include "evoke/proposers/proposer_pool.h"
#include "evoke/proposers/replay/replay_proposer.h"
#include "evoke/store/run_store.h"

namespace evoke::cli {

// Members outlive those below them.
struct SearchProposers {
  std::vector<ProposerConfig> configs;  // as the search chooses among them
  std::unique_ptr<ParametersProposer> parameters;
  llm::Ensemble ensemble;
  std::unique_ptr<llm::LlmProposer> llm;
  // Always there: kernel files that nobody asked for come through it.
  std::unique_ptr<inbox::InboxProposer> inbox;
  std::unique_ptr<CommandProposer> command;
  std::unique_ptr<ReplayProposer> replay;
  std::unique_ptr<ProposerPool> pool;
};

// "parameters,llm" as names; UsageError for one that is not known, or twice.
std::vector<std::string> proposer_names(const std::string& list);

// Throws StartupError and UsageError: no key, no command, nothing to replay.
// `llm`: needed when one of the proposers is; `notice` is told, from any
// thread, of what the user should know.
std::unique_ptr<SearchProposers> open_search_proposers(
    const SearchJudge& judge, const RunConfig& config, const RunStore& store,
    const std::optional<llm::LlmConfig>& llm,
    const std::function<void(const std::string&)>& notice);

}  // namespace evoke::cli
