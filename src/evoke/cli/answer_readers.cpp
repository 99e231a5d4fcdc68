#include "evoke/cli/answer_readers.h"

#include <utility>

#include "evoke/base/utf8.h"
#include "evoke/proposers/llm/answer.h"
#include "evoke/proposers/llm/answer_edit.h"

namespace evoke::cli {
namespace {

// What models write and kernel files do not hold.
bool looks_like_an_answer(const std::string& text) {
  return text.find("<<<<<<< SEARCH") != std::string::npos ||
         text.find("```") != std::string::npos;
}

}  // namespace

AnswerReader answer_reader(Dialect dialect) {
  return [whole = kernel_file_reader(dialect)](
             const std::string& text,
             const ProposalRequest& request) -> Result<Proposal> {
    const std::string& parent = request.parent.candidate.text;
    if (!looks_like_an_answer(text) || parent.empty()) {
      return whole(text, request);
    }
    const auto answer = llm::read_answer(text);
    if (!answer) return error_of(answer);
    const std::string& base =
        request.failed ? request.failed->candidate.text : parent;
    const auto edited = llm::edited_text(*answer, base);
    if (!edited) return error_of(edited);
    auto proposal = whole(*edited, request);
    if (!proposal) return proposal;
    if (!answer->idea.empty()) proposal->summary = one_line(answer->idea);
    proposal->strategies = answer->strategies;
    return proposal;
  };
}

}  // namespace evoke::cli
