#include "evoke/store/step_rows.h"

#include <string>

namespace evoke {
namespace {

std::string_view to_string(EvaluationPurpose purpose) {
  switch (purpose) {
    case EvaluationPurpose::score:
      return "score";
    case EvaluationPurpose::remeasure:
      return "remeasure";
    case EvaluationPurpose::confirm:
      return "confirm";
  }
  return "score";
}

Result<EvaluationPurpose> parse_purpose(std::string_view name) {
  for (const auto purpose :
       {EvaluationPurpose::score, EvaluationPurpose::remeasure,
        EvaluationPurpose::confirm}) {
    if (to_string(purpose) == name) return purpose;
  }
  return failed("unknown purpose '" + std::string(name) + "'");
}

std::string ids_text(const std::vector<CandidateId>& ids) {
  return Json(ids).dump();
}

Json effects_json(const std::vector<Effect>& effects) {
  Json array = Json::array();
  for (const Effect& effect : effects) {
    array.push_back({{"kind", effect.kind}, {"detail", effect.detail}});
  }
  return array;
}

}  // namespace

// `outcome` holds everything, raw pairs included; the other columns of steps
// and the table measurements repeat parts of it for people with a SQL prompt.
const char* const kSchema = R"(
CREATE TABLE facts (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
CREATE TABLE candidates (
  id INTEGER PRIMARY KEY,
  genome_hash TEXT NOT NULL,
  text TEXT NOT NULL,
  parents TEXT NOT NULL,
  inspirations TEXT NOT NULL,
  island INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  proposer TEXT NOT NULL,
  operation TEXT NOT NULL,
  summary TEXT NOT NULL
) STRICT;
CREATE TABLE steps (
  sequence INTEGER PRIMARY KEY,
  candidate INTEGER NOT NULL REFERENCES candidates(id),
  purpose TEXT NOT NULL,
  kind TEXT NOT NULL,
  stage TEXT NOT NULL,
  fitness REAL,
  elapsed_s REAL NOT NULL,
  outcome TEXT NOT NULL,
  effects TEXT NOT NULL
) STRICT;
CREATE INDEX steps_of_candidate ON steps(candidate);
CREATE TABLE measurements (
  sequence INTEGER NOT NULL REFERENCES steps(sequence),
  shape TEXT NOT NULL,
  baseline TEXT NOT NULL,
  cache_state TEXT NOT NULL,
  speedup REAL,
  speedup_low REAL,
  speedup_high REAL,
  verdict TEXT NOT NULL,
  candidate_us REAL,
  baseline_us REAL,
  roof_us REAL
) STRICT;
CREATE TABLE llm_calls (
  id INTEGER PRIMARY KEY,
  candidate INTEGER,
  model TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
)";

const char* const kStepColumns =
    "s.sequence, s.purpose, s.elapsed_s, s.outcome, s.effects, c.id, "
    "c.genome_hash, c.text, c.parents, c.inspirations, c.island, "
    "c.generation, c.proposer, c.operation, c.summary";

Result<StepWriter> StepWriter::prepare(Database& database) {
  StepWriter writer;
  const auto prepare = [&](Statement& into, std::string_view sql) {
    auto statement = database.prepare(sql);
    if (statement) into = std::move(*statement);
    return statement.has_value();
  };
  // A candidate's row is the same in each of its steps.
  if (!prepare(writer.candidate_,
               "INSERT OR IGNORE INTO candidates VALUES "
               "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)") ||
      !prepare(writer.step_,
               "INSERT INTO steps VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)") ||
      !prepare(writer.measurement_,
               "INSERT INTO measurements VALUES "
               "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)")) {
    return failed(database.error_text());
  }
  return writer;
}

Result<void> StepWriter::write(const Step& step) {
  const Candidate& candidate = step.candidate;
  auto done = candidate_.bind(1, candidate.id)
                  .bind(2, candidate.genome_hash)
                  .bind(3, candidate.text)
                  .bind(4, ids_text(candidate.parents))
                  .bind(5, ids_text(candidate.inspirations))
                  .bind(6, candidate.island)
                  .bind(7, candidate.generation)
                  .bind(8, candidate.proposer)
                  .bind(9, candidate.operation)
                  .bind(10, candidate.summary)
                  .run();
  if (!done) return done;
  step_.bind(1, step.sequence)
      .bind(2, candidate.id)
      .bind(3, to_string(step.purpose))
      .bind(4, evoke::to_string(step.outcome.kind))
      .bind(5, evoke::to_string(step.outcome.stage));
  if (step.outcome.fitness) {
    step_.bind(6, step.outcome.fitness->value);
  } else {
    step_.bind_null(6);
  }
  done = step_.bind(7, step.elapsed_s)
             .bind(8, to_json(step.outcome).dump())
             .bind(9, effects_json(step.effects).dump())
             .run();
  if (!done || !step.outcome.measurements) return done;
  for (const ShapeMeasurement& shape : step.outcome.measurements->shapes) {
    done = measurement_.bind(1, step.sequence)
               .bind(2, shape.shape)
               .bind(3, shape.baseline)
               .bind(4, shape.cache_state == CacheState::cold ? "cold" : "warm")
               .bind(5, shape.speedup)
               .bind(6, shape.speedup_low)
               .bind(7, shape.speedup_high)
               .bind(8, evoke::to_string(shape.verdict))
               .bind(9, shape.candidate_us)
               .bind(10, shape.baseline_us)
               .bind(11, shape.roof_us)
               .run();
    if (!done) return done;
  }
  return {};
}

Result<Step> read_step(const Statement& row) {
  Step step;
  step.sequence = row.integer(0);
  const std::string where = "step " + std::to_string(step.sequence) + ": ";
  const auto purpose = parse_purpose(row.text(1));
  if (!purpose) return failed(where + purpose.error().message);
  step.purpose = *purpose;
  step.elapsed_s = row.real(2);
  try {
    auto outcome = outcome_from_json(Json::parse(row.text(3)));
    if (!outcome) return failed(where + outcome.error().message);
    step.outcome = std::move(*outcome);
    for (Json& effect : Json::parse(row.text(4))) {
      step.effects.push_back(
          {effect.at("kind").get<std::string>(), effect.at("detail")});
    }
    step.candidate.parents =
        Json::parse(row.text(8)).get<std::vector<CandidateId>>();
    step.candidate.inspirations =
        Json::parse(row.text(9)).get<std::vector<CandidateId>>();
  } catch (const Json::exception& error) {
    return failed(where + error.what());
  }
  step.candidate.id = row.integer(5);
  step.candidate.genome_hash = row.text(6);
  step.candidate.text = row.text(7);
  step.candidate.island = static_cast<int>(row.integer(10));
  step.candidate.generation = static_cast<int>(row.integer(11));
  step.candidate.proposer = row.text(12);
  step.candidate.operation = row.text(13);
  step.candidate.summary = row.text(14);
  return step;
}

}  // namespace evoke
