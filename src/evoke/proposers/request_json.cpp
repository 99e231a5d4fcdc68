#include "evoke/proposers/request_json.h"

#include <utility>

#include "evoke/base/utf8.h"

namespace evoke {
namespace {

Json exemplar_json(const Exemplar& exemplar) {
  const Candidate& candidate = exemplar.candidate;
  const Outcome& outcome = exemplar.outcome;
  Json json = {{"id", candidate.id},
               {"text", to_valid_utf8(candidate.text)},
               {"proposer", to_valid_utf8(candidate.proposer)},
               {"operation", to_valid_utf8(candidate.operation)},
               {"summary", to_valid_utf8(candidate.summary)},
               {"strategies", candidate.strategies},
               {"outcome",
                {{"kind", to_string(outcome.kind)},
                 {"stage", to_string(outcome.stage)},
                 {"message", to_valid_utf8(outcome.message)}}}};
  if (outcome.fitness) {
    json["fitness"] = {{"value", outcome.fitness->value},
                       {"low", outcome.fitness->low},
                       {"high", outcome.fitness->high}};
  }
  if (!outcome.measurements) return json;
  json["shapes"] = Json::array();
  for (const ShapeMeasurement& shape : outcome.measurements->shapes) {
    json["shapes"].push_back({{"shape", shape.shape},
                              {"baseline", shape.baseline},
                              {"candidate_us", shape.candidate_us},
                              {"baseline_us", shape.baseline_us},
                              {"speedup", shape.speedup},
                              {"speedup_low", shape.speedup_low},
                              {"speedup_high", shape.speedup_high},
                              {"roof_us", shape.roof_us},
                              {"weight", shape.weight}});
  }
  json["features"] = outcome.measurements->features;
  return json;
}

Json exemplars_json(const std::vector<Exemplar>& exemplars) {
  Json list = Json::array();
  for (const Exemplar& each : exemplars) list.push_back(exemplar_json(each));
  return list;
}

}  // namespace

Json to_json(const ProposalRequest& request, const Json& facts) {
  Json json = {{"version", 1},
               {"id", request.id},
               {"operation", request.operation},
               {"attempt", request.attempt},
               {"rng_seed", std::to_string(request.rng_seed)},
               {"parent", exemplar_json(request.parent)},
               {"inspirations", exemplars_json(request.inspirations)},
               {"failed_siblings", exemplars_json(request.failed_siblings)},
               {"tried", Json::array()},
               {"strategies", Json::array()},
               {"facts", facts}};
  json["failed"] =
      request.failed ? exemplar_json(*request.failed) : Json(nullptr);
  for (const TriedIdea& idea : request.tried) {
    json["tried"].push_back({{"candidate", idea.candidate},
                             {"parent", idea.parent},
                             {"operation", to_valid_utf8(idea.operation)},
                             {"strategies", idea.strategies},
                             {"summary", to_valid_utf8(idea.summary)},
                             {"kind", to_string(idea.kind)},
                             {"gain", idea.gain}});
  }
  for (const StrategyRecord& record : request.strategies) {
    json["strategies"].push_back({{"strategy", record.strategy},
                                  {"tried", record.tried},
                                  {"improved", record.improved},
                                  {"failed", record.failed},
                                  {"best_gain", record.best_gain}});
  }
  return json;
}

AnswerReader kernel_file_reader(Dialect dialect) {
  return [dialect](const std::string& answer,
                   const ProposalRequest& request) -> Result<Proposal> {
    const std::string path = "answer" + std::string(file_suffix(dialect));
    Proposal proposal;
    proposal.text = answer;
    const std::size_t first = answer.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && answer[first] == '{') {
      const Json json = Json::parse(answer, nullptr, false);
      if (!json.is_object() || !json.contains("text") ||
          !json["text"].is_string()) {
        return failed(
            "the answer is neither a kernel file nor a JSON object with "
            "\"text\"");
      }
      proposal.text = json["text"].get<std::string>();
      try {
        proposal.summary = one_line(json.value("summary", ""));
        for (const Json& tag : json.value("strategies", Json::array())) {
          if (proposal.strategies.size() < 3) {
            proposal.strategies.push_back(one_line(tag.get<std::string>(), 40));
          }
        }
      } catch (const Json::exception& error) {
        return failed(std::string("the answer's JSON: ") + error.what());
      }
    }
    const auto kernel = KernelSource::parse(proposal.text, dialect, path);
    if (!kernel) return error_of(kernel);
    const auto allowed = check_forbidden_text(*kernel);
    if (!allowed) return error_of(allowed);
    proposal.text = kernel->text();
    if (proposal.summary.empty()) {
      proposal.summary = one_line(kernel->plan().summary);
    }
    proposal.operation = request.operation;
    const Candidate& parent = request.parent.candidate;
    if (parent.text.empty()) return proposal;  // nobody asked for it
    if (proposal.text == parent.text) {
      return failed("the answer changes nothing: it is candidate " +
                    std::to_string(parent.id));
    }
    const auto before = KernelSource::parse(parent.text, dialect, "parent");
    if (before) {
      const auto same = before->check_immutable_text(*kernel);
      if (!same) return error_of(same);
    }
    proposal.parents = {parent.id};
    if (request.failed) {
      proposal.parents.push_back(request.failed->candidate.id);
    }
    return proposal;
  };
}

}  // namespace evoke
