#include "evoke/store/step_rows.h"

#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "evoke/base/hash.h"
#include "evoke/store/step_json.h"

namespace evoke {
namespace {

// Of a row and what belongs to it, value by value in a fixed order.
class Checksum {
 public:
  Checksum& add(std::string_view text) {
    value_ = hash_u64(text, value_);
    return *this;
  }
  Checksum& add(int64_t value) {
    return add(std::string_view(std::to_string(value)));
  }
  Checksum& add(double value) { return add(std::bit_cast<int64_t>(value)); }
  int64_t value() const { return std::bit_cast<int64_t>(value_); }

 private:
  uint64_t value_ = 0;
};

int64_t checksum_of(const Candidate& candidate, std::string_view parents,
                    std::string_view inspirations) {
  Checksum checksum;
  checksum.add(candidate.id)
      .add(candidate.genome_hash)
      .add(parents)
      .add(inspirations)
      .add(int64_t{candidate.island})
      .add(int64_t{candidate.generation})
      .add(candidate.proposer)
      .add(candidate.operation)
      .add(candidate.summary)
      .add(candidate.text);
  // Format 1 knew none of these.
  const ProposalCost& cost = candidate.cost;
  for (const std::string& each : candidate.strategies) checksum.add(each);
  if (cost != ProposalCost()) {
    checksum.add(cost.seconds).add(cost.usd.value_or(-1));
  }
  return checksum.value();
}

// What the rows of `measurements` and `events` add to it follows.
Checksum outcome_checksum(const Step& step, std::string_view record) {
  Checksum checksum;
  checksum.add(step.sequence)
      .add(step.candidate.id)
      .add(to_string(step.purpose))
      .add(step.elapsed_s)
      .add(record);
  return checksum;
}

Result<Json> parse(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return failed("damaged JSON");
  return json;
}

Result<std::vector<CandidateId>> parse_ids(const std::string& text) {
  const auto json = parse(text);
  if (!json) return error_of(json);
  std::vector<CandidateId> ids;
  for (const Json& id : *json) {
    if (!id.is_number_integer()) return failed("damaged list of candidates");
    ids.push_back(id.get<CandidateId>());
  }
  return ids;
}

Result<std::vector<std::string>> parse_strings(const std::string& text) {
  const auto json = parse(text);
  if (!json) return error_of(json);
  std::vector<std::string> strings;
  for (const Json& each : *json) {
    if (!each.is_string()) return failed("damaged list of strategies");
    strings.push_back(each.get<std::string>());
  }
  return strings;
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
        "island, generation, proposer, operation, summary, text, checksum, "
        "strategies, seconds, usd) "
        "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14) "
        "ON CONFLICT(id) DO NOTHING"},
       {&writer.known_candidate_,
        "SELECT checksum FROM candidates WHERE id=?1"},
       {&writer.outcome_,
        "INSERT INTO outcomes(sequence, candidate, purpose, kind, stage, "
        "fitness, elapsed_s, record, checksum) "
        "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)"},
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
  return done;
}

Result<void> StepWriter::write_candidate(const Candidate& candidate) {
  const std::string parents = dump_json(candidate.parents);
  const std::string inspirations = dump_json(candidate.inspirations);
  const int64_t checksum = checksum_of(candidate, parents, inspirations);
  const std::string strategies = dump_json(candidate.strategies);
  if (candidate.cost.usd) {
    candidate_.bind(14, *candidate.cost.usd);
  } else {
    candidate_.bind_null(14);
  }
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
                        .bind(11, checksum)
                        .bind(12, strategies)
                        .bind(13, candidate.cost.seconds)
                        .run();
  if (!done || candidate_.rows_changed() > 0) return done;
  // Judged before: a candidate is the same in each of its steps.
  const auto known = known_candidate_.bind(1, candidate.id).step();
  if (!known) return error_of(known);
  const bool same = *known && known_candidate_.integer(0) == checksum;
  known_candidate_.reset();
  if (same) return {};
  return failed("candidate " + std::to_string(candidate.id) +
                " was recorded as another one before");
}

Result<void> StepWriter::write_outcome(const Step& step) {
  // The measured shapes are rows of their own.
  Json json = to_json(step.outcome);
  std::vector<std::string> shapes;
  if (step.outcome.measurements) {
    for (const Json& shape : json["measurements"]["shapes"]) {
      shapes.push_back(dump_json(shape));
    }
    json["measurements"].erase("shapes");
  }
  std::vector<std::string> details;
  for (const Effect& effect : step.effects) {
    details.push_back(dump_json(effect.detail));
  }
  const std::string record = dump_json(json);
  Checksum checksum = outcome_checksum(step, record);
  for (const std::string& shape : shapes) checksum.add(shape);
  for (std::size_t i = 0; i < details.size(); ++i) {
    checksum.add(step.effects[i].kind).add(details[i]);
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
  auto done = outcome_.bind(7, step.elapsed_s)
                  .bind(8, record)
                  .bind(9, checksum.value())
                  .run();
  for (std::size_t i = 0; done && i < shapes.size(); ++i) {
    done = measurement_.bind(1, step.sequence)
               .bind(2, static_cast<int64_t>(i))
               .bind(3, shapes[i])
               .run();
  }
  for (std::size_t i = 0; done && i < details.size(); ++i) {
    done = event_.bind(1, step.sequence)
               .bind(2, static_cast<int64_t>(i))
               .bind(3, step.effects[i].kind)
               .bind(4, details[i])
               .run();
  }
  return done;
}

Result<StepReader> StepReader::prepare(Database& database,
                                       std::string_view tail) {
  StepReader reader;
  const auto version = database.number("PRAGMA user_version");
  if (!version) return error_of(version);
  const std::string later =
      *version >= 2 ? "c.strategies, c.seconds, c.usd " : "'[]', 0.0, 0.0 ";
  const std::string steps =
      "SELECT o.sequence, o.purpose, o.elapsed_s, o.record, o.checksum, c.id, "
      "c.genome_hash, c.text, c.parents, c.inspirations, c.island, "
      "c.generation, c.proposer, c.operation, c.summary, c.checksum, " +
      later + "FROM outcomes o JOIN candidates c ON c.id = o.candidate " +
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
  auto done = read_candidate(step.candidate);
  if (done) done = read_outcome(step);
  if (done) return step;
  return failed("step " + std::to_string(step.sequence) + ": " +
                done.error().message);
}

Result<void> StepReader::read_candidate(Candidate& candidate) {
  candidate.id = step_.integer(5);
  candidate.genome_hash = step_.text(6);
  candidate.text = step_.text(7);
  const std::string parents = step_.text(8);
  const std::string inspirations = step_.text(9);
  candidate.island = static_cast<int>(step_.integer(10));
  candidate.generation = static_cast<int>(step_.integer(11));
  candidate.proposer = step_.text(12);
  candidate.operation = step_.text(13);
  candidate.summary = step_.text(14);
  candidate.cost.seconds = step_.real(17);
  candidate.cost.usd.reset();
  if (!step_.is_null(18)) candidate.cost.usd = step_.real(18);
  auto tags = parse_strings(step_.text(16));
  if (!tags) return error_of(tags);
  candidate.strategies = std::move(*tags);
  if (checksum_of(candidate, parents, inspirations) != step_.integer(15)) {
    return failed("candidate " + std::to_string(candidate.id) +
                  " is not what was written");
  }
  auto ids = parse_ids(parents);
  if (!ids) return error_of(ids);
  candidate.parents = std::move(*ids);
  ids = parse_ids(inspirations);
  if (!ids) return error_of(ids);
  candidate.inspirations = std::move(*ids);
  return {};
}

Result<void> StepReader::read_outcome(Step& step) {
  const auto purpose = parse_purpose(step_.text(1));
  if (!purpose) return error_of(purpose);
  step.purpose = *purpose;
  step.elapsed_s = step_.real(2);
  const std::string text = step_.text(3);
  const int64_t written = step_.integer(4);
  Checksum checksum = outcome_checksum(step, text);
  const auto shapes = rows_of(measurements_, step.sequence, 1);
  if (!shapes) return error_of(shapes);
  const auto events = rows_of(events_, step.sequence, 2);
  if (!events) return error_of(events);
  for (const std::string& shape : *shapes) checksum.add(shape);
  for (const std::string& value : *events) checksum.add(value);
  if (checksum.value() != written) {
    return failed("its outcome is not what was written");
  }

  auto record = parse(text);
  if (!record) return error_of(record);
  if (record->contains("measurements")) {
    if (!(*record)["measurements"].is_object()) return failed("damaged record");
    Json list = Json::array();
    for (const std::string& shape : *shapes) {
      auto json = parse(shape);
      if (!json) return error_of(json);
      list.push_back(std::move(*json));
    }
    (*record)["measurements"]["shapes"] = std::move(list);
  }
  auto outcome = outcome_from_json(*record);
  if (!outcome) return error_of(outcome);
  step.outcome = std::move(*outcome);
  for (std::size_t i = 0; i + 1 < events->size(); i += 2) {
    auto detail = parse((*events)[i + 1]);
    if (!detail) return error_of(detail);
    step.effects.push_back({(*events)[i], std::move(*detail)});
  }
  return {};
}

Result<std::vector<std::string>> StepReader::rows_of(Statement& query,
                                                     int64_t sequence,
                                                     int columns) {
  query.bind(1, sequence);
  std::vector<std::string> values;
  for (;;) {
    const auto row = query.step();
    if (!row) return error_of(row);
    if (!*row) return values;
    for (int i = 0; i < columns; ++i) values.push_back(query.text(i));
  }
}

}  // namespace evoke
