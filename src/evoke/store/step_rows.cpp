#include "evoke/store/step_rows.h"

#include <string>
#include <utility>

#include "evoke/store/step_json.h"

namespace evoke {
namespace {

Result<Json> parse(const Statement& row, int column) {
  Json json = Json::parse(row.text(column), nullptr, false);
  if (json.is_discarded()) return failed("damaged JSON");
  return json;
}

Result<std::vector<CandidateId>> parse_ids(const Statement& row, int column) {
  const auto json = parse(row, column);
  if (!json) return error_of(json);
  std::vector<CandidateId> ids;
  for (const Json& id : *json) {
    if (!id.is_number_integer()) return failed("damaged list of candidates");
    ids.push_back(id.get<CandidateId>());
  }
  return ids;
}

struct Prepared {
  Statement* into;
  std::string_view sql;
};

Result<void> prepare_all(Database& database,
                         std::initializer_list<Prepared> statements) {
  for (const auto& [into, sql] : statements) {
    auto statement = database.prepare(sql);
    if (!statement) return error_of(statement);
    *into = std::move(*statement);
  }
  return {};
}

}  // namespace

Result<StepWriter> StepWriter::prepare(Database& database) {
  StepWriter writer;
  const auto done = prepare_all(
      database,
      {{&writer.candidate_,
        "INSERT INTO candidates(id, genome_hash, parents, inspirations, "
        "island, generation, proposer, operation, summary, text) "
        "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) "
        "ON CONFLICT(id) DO NOTHING"},
       {&writer.known_hash_, "SELECT genome_hash FROM candidates WHERE id=?1"},
       {&writer.outcome_,
        "INSERT INTO outcomes(sequence, candidate, purpose, kind, stage, "
        "fitness, elapsed_s, record) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"},
       {&writer.measurement_,
        "INSERT INTO measurements(sequence, position, record) "
        "VALUES (?1,?2,?3)"},
       {&writer.event_,
        "INSERT INTO events(sequence, position, kind, detail) "
        "VALUES (?1,?2,?3,?4)"}});
  if (!done) return error_of(done);
  return writer;
}

Result<void> StepWriter::write(const Step& step) {
  auto done = write_candidate(step.candidate);
  if (done) done = write_outcome(step);
  if (done) done = write_events(step);
  return done;
}

Result<void> StepWriter::write_candidate(const Candidate& candidate) {
  const std::string parents = dump_json(candidate.parents);
  const std::string inspirations = dump_json(candidate.inspirations);
  const auto done = candidate_.bind(1, candidate.id)
                        .bind(2, candidate.genome_hash)
                        .bind(3, parents)
                        .bind(4, inspirations)
                        .bind(5, candidate.island)
                        .bind(6, candidate.generation)
                        .bind(7, candidate.proposer)
                        .bind(8, candidate.operation)
                        .bind(9, candidate.summary)
                        .bind(10, candidate.text)
                        .run();
  if (!done || candidate_.rows_changed() > 0) return done;
  // Judged before: a candidate is the same in each of its steps.
  const auto known = known_hash_.bind(1, candidate.id).step();
  if (!known) return error_of(known);
  const bool same = *known && known_hash_.text(0) == candidate.genome_hash;
  known_hash_.reset();
  if (same) return {};
  return failed("candidate " + std::to_string(candidate.id) +
                " was recorded with another text");
}

Result<void> StepWriter::write_outcome(const Step& step) {
  // The measured shapes are rows of their own.
  Json record = to_json(step.outcome);
  Json shapes = Json::array();
  if (step.outcome.measurements) {
    std::swap(shapes, record["measurements"]["shapes"]);
    record["measurements"].erase("shapes");
  }
  outcome_.bind(1, step.sequence)
      .bind(2, step.candidate.id)
      .bind(3, to_string(step.purpose))
      .bind(4, to_string(step.outcome.kind))
      .bind(5, to_string(step.outcome.stage));
  if (step.outcome.fitness) {
    outcome_.bind(6, step.outcome.fitness->value);
  } else {
    outcome_.bind_null(6);
  }
  const std::string text = dump_json(record);
  auto done = outcome_.bind(7, step.elapsed_s).bind(8, text).run();
  int position = 0;
  for (const Json& shape : shapes) {
    if (!done) return done;
    const std::string numbers = dump_json(shape);
    done = measurement_.bind(1, step.sequence)
               .bind(2, position++)
               .bind(3, numbers)
               .run();
  }
  return done;
}

Result<void> StepWriter::write_events(const Step& step) {
  int position = 0;
  for (const Effect& effect : step.effects) {
    const std::string detail = dump_json(effect.detail);
    auto done = event_.bind(1, step.sequence)
                    .bind(2, position++)
                    .bind(3, effect.kind)
                    .bind(4, detail)
                    .run();
    if (!done) return done;
  }
  return {};
}

Result<StepReader> StepReader::prepare(Database& database,
                                       std::string_view tail) {
  StepReader reader;
  const std::string steps =
      "SELECT o.sequence, o.purpose, o.elapsed_s, o.record, c.id, "
      "c.genome_hash, c.text, c.parents, c.inspirations, c.island, "
      "c.generation, c.proposer, c.operation, c.summary "
      "FROM outcomes o JOIN candidates c ON c.id = o.candidate " +
      std::string(tail);
  const auto done = prepare_all(
      database, {{&reader.step_, steps},
                 {&reader.measurements_,
                  "SELECT record FROM measurements WHERE sequence = ?1 "
                  "ORDER BY position"},
                 {&reader.events_,
                  "SELECT kind, detail FROM events WHERE sequence = ?1 "
                  "ORDER BY position"}});
  if (!done) return error_of(done);
  return reader;
}

Result<std::optional<Step>> StepReader::next() {
  const auto row = step_.step();
  if (!row) return error_of(row);
  if (!*row) return std::nullopt;
  Step step;
  step.sequence = step_.integer(0);
  const auto damaged = [&](const Error& error) {
    return failed("step " + std::to_string(step.sequence) + ": " +
                  error.message);
  };
  const auto purpose = parse_purpose(step_.text(1));
  if (!purpose) return damaged(purpose.error());
  step.purpose = *purpose;
  step.elapsed_s = step_.real(2);
  auto record = parse(step_, 3);
  if (!record) return damaged(record.error());
  auto done = read_measurements(step.sequence, *record);
  if (!done) return damaged(done.error());
  auto outcome = outcome_from_json(*record);
  if (!outcome) return damaged(outcome.error());
  step.outcome = std::move(*outcome);
  done = read_events(step);
  if (!done) return damaged(done.error());

  Candidate& candidate = step.candidate;
  candidate.id = step_.integer(4);
  candidate.genome_hash = step_.text(5);
  candidate.text = step_.text(6);
  auto parents = parse_ids(step_, 7);
  if (!parents) return damaged(parents.error());
  candidate.parents = std::move(*parents);
  auto inspirations = parse_ids(step_, 8);
  if (!inspirations) return damaged(inspirations.error());
  candidate.inspirations = std::move(*inspirations);
  candidate.island = static_cast<int>(step_.integer(9));
  candidate.generation = static_cast<int>(step_.integer(10));
  candidate.proposer = step_.text(11);
  candidate.operation = step_.text(12);
  candidate.summary = step_.text(13);
  return step;
}

Result<void> StepReader::read_measurements(int64_t sequence, Json& record) {
  if (!record.is_object() || !record.contains("measurements")) return {};
  Json shapes = Json::array();
  measurements_.bind(1, sequence);
  for (;;) {
    const auto row = measurements_.step();
    if (!row) return error_of(row);
    if (!*row) break;
    auto shape = parse(measurements_, 0);
    if (!shape) return error_of(shape);
    shapes.push_back(std::move(*shape));
  }
  if (!record["measurements"].is_object()) return failed("damaged record");
  record["measurements"]["shapes"] = std::move(shapes);
  return {};
}

Result<void> StepReader::read_events(Step& step) {
  events_.bind(1, step.sequence);
  for (;;) {
    const auto row = events_.step();
    if (!row) return error_of(row);
    if (!*row) return {};
    auto detail = parse(events_, 1);
    if (!detail) return error_of(detail);
    step.effects.push_back({events_.text(0), std::move(*detail)});
  }
}

}  // namespace evoke
