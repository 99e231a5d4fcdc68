#include "evoke/compare/scenarios.h"

#include <algorithm>

#include "evoke/base/spelling.h"

namespace evoke::compare {
namespace {

// The quick mode shows what a long text costs without taking an hour for it.
constexpr int kQuickCap = 1000;
constexpr std::string_view kQuick[] = {
    "short_context_quick", "code_generation", "long_context_detailed",
    "long_generation", "maximum_context_stress_test"};

std::vector<Scenario> make_scenarios() {
  const std::string report =
      "The harbour office of a small island keeps a log. Week one: eleven "
      "boats came in, nine went out, and the crane stood still for two days "
      "because of wind. Week two: fourteen boats came in and fifteen went out, "
      "one of them towed. The lighthouse changed its lamp from oil to electric "
      "light, and the keeper noted that moths stay away. Week three: a storm "
      "from the north-west broke the outer mole over a length of forty metres. "
      "Two fishing boats were lifted onto the quay and repaired there. The "
      "council met three times and could not agree on who pays. Week four: the "
      "first stones arrived on a barge, and the school sent its oldest pupils "
      "to count them. They counted eight hundred and twelve. ";
  return {
      {"short_context_quick", 50, "Explain in two sentences what a tide is."},
      {"medium_context_analysis", 200,
       report + "Which of these events cost the island most, and why?"},
      {"long_context_detailed", 500,
       report + report +
           "Write a summary for the council with a section for each week, the "
           "causes of every delay, and a proposal for the budget."},
      {"very_long_context_comprehensive", 1000,
       report + report + report + report +
           "The log was copied several times. Compare the copies, say what is "
           "missing in them, and write the chapter on this month for a history "
           "of the island."},
      {"micro_generation", 10, "Name one prime number above one hundred."},
      {"short_generation", 100, "How does a bicycle stay upright?"},
      {"long_generation", 1000,
       "Describe how bread is made, from the field to the table, with the "
       "chemistry of every step."},
      {"very_long_generation", 2000,
       "Write a guide for someone who wants to build a wooden rowing boat "
       "alone: tools, wood, plans, every step, and the usual mistakes."},
      {"ultra_long_generation", 5000,
       "Write a course on the geometry of maps in ten lessons. Each lesson has "
       "an introduction, worked examples, exercises and their solutions."},
      {"code_generation", 300,
       "Write a C++ class for a ring buffer of fixed capacity with push, pop, "
       "iteration from oldest to newest, and tests."},
      {"step_by_step_reasoning", 400,
       "A train leaves at 9:10 and drives 84 km/h; another leaves the same "
       "station at 9:40 and drives 112 km/h on a parallel track. When and "
       "where "
       "does the second pass the first? Think step by step and check the "
       "result."},
      {"creative_writing", 800,
       "Tell a story in which a clockmaker finds a clock that strikes "
       "thirteen, and nobody else can hear it."},
      {"technical_documentation", 1200,
       "Write the manual page of a command-line program that finds duplicate "
       "files: synopsis, description, every option, exit codes, examples, and "
       "how it decides that two files are the same."},
      {"conversational_assistant", 1500,
       "I moved into an old flat with a garden in the shade, two cats, and "
       "little time. Advise me: plants, furniture, heating, and what to ask "
       "the landlord. Ask questions where you need to, and go on with likely "
       "answers."},
      {"progressive_context_building", 600,
       "Begin with one sentence about a river. Then write it again with one "
       "more fact, and again with two more, until the text is a page long and "
       "everything in it fits together."},
      {"repetitive_pattern_generation", 2000,
       "Write a table of the days of a year as a calendar for a night watch: "
       "for each day the date, sunset, sunrise, and who is on duty of four "
       "people in turn."},
      {"extreme_long_generation", 8000,
       "Write a textbook chapter on how computers store numbers: integers, "
       "fixed and floating point, rounding, errors and how to bound them, with "
       "many examples worked out to the last bit."},
      {"sustained_dialogue_generation", 6000,
       "Write a dialogue between an astronomer and a sailor who spend one "
       "night on deck and explain their worlds to each other, hour by hour "
       "until the sun rises."},
      {"comprehensive_analysis_generation", 7000,
       report +
           "Analyse this log as an economist, an engineer, a meteorologist "
           "and a teacher would, each at length, and let them answer each "
           "other."},
      {"maximum_context_stress_test", 10000,
       report + report +
           "Continue this log for a whole year, week by week. Keep every "
           "number "
           "consistent with those before it, and end with an index of all "
           "events by cause."},
  };
}

}  // namespace

const std::vector<Scenario>& all_scenarios() {
  static const std::vector<Scenario> scenarios = make_scenarios();
  return scenarios;
}

Result<std::vector<Scenario>> choose_scenarios(const ScenarioChoice& choice) {
  const std::vector<Scenario>& all = all_scenarios();
  std::vector<std::string> names = choice.names;
  const bool quick = names.empty() && choice.quick;
  if (quick) names.assign(std::begin(kQuick), std::end(kQuick));
  std::vector<std::string> known;
  for (const Scenario& each : all) known.push_back(each.name);
  if (names.empty()) names = known;
  std::vector<Scenario> chosen;
  for (const std::string& name : names) {
    const auto found =
        std::find_if(all.begin(), all.end(),
                     [&](const Scenario& each) { return each.name == name; });
    if (found == all.end()) {
      return absent("no scenario is called '" + name + "'" +
                    did_you_mean(name, known) +
                    "; evoke compare --list names them");
    }
    const auto same = [&](const Scenario& each) { return each.name == name; };
    if (std::any_of(chosen.begin(), chosen.end(), same)) continue;
    chosen.push_back(*found);
    int& tokens = chosen.back().max_tokens;
    if (choice.max_tokens_cap > 0) {
      tokens = std::min(tokens, choice.max_tokens_cap);
    } else if (quick) {
      tokens = std::min(tokens, kQuickCap);
    }
  }
  return chosen;
}

}  // namespace evoke::compare
