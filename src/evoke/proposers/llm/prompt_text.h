// What is known, in words and tables for a prompt. Everything that is returned
// is unfenced; callers fence what others wrote.
#pragma once

#include <string>

#include "evoke/core/outcome.h"
#include "evoke/evolution/interfaces/proposer.h"
#include "evoke/proposers/llm/prompt_facts.h"

namespace evoke::llm {

// Name, features, limits and measured rates of the device, one per line.
std::string device_text(const PromptFacts& facts);
// A table: sizes, weight, traffic, arithmetic and roof of each shape.
std::string shapes_text(const PromptFacts& facts);
// "query (B, Hq, Lq, D) bfloat16, ..., output (...) bfloat16 (written)".
std::string tensors_text(const ProblemSignature& signature);

// One line: who made it, from what, with which idea.
std::string origin_text(const Candidate& candidate);
// Fitness, then a table of its race at each shape: time, speed-up with its
// interval, verdict, percent of the roof. Without measurements: why.
std::string measurements_text(const Outcome& outcome, const PromptFacts& facts);
// What the compiler reported of each variant: registers, spills, occupancy,
// whatever there is. `names`: the variants' names, by index.
std::string compiler_text(const Outcome& outcome,
                          const std::vector<std::string>& names);
// What a profiler saw of the launches at the heaviest shapes: rates, traffic,
// why warps waited. Empty: nothing.
std::string profile_text(const Outcome& outcome);
// Kind, stage, message, compiler warnings and the gate's wrong cases.
std::string failure_text(const Outcome& outcome);

std::string tried_text(const TriedIdea& idea);
// A table.
std::string strategies_text(const std::vector<StrategyRecord>& records,
                            std::size_t most);

}  // namespace evoke::llm
