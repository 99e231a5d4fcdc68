// The JSON forms of outcomes and measurements. JSON has no NaN and no
// infinity: those travel as the strings "nan", "inf" and "-inf".
#include <algorithm>
#include <cmath>
#include <limits>

#include "evoke/base/utf8.h"
#include "evoke/core/outcome.h"

namespace evoke {
namespace {

Json number_to_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

std::string_view to_string(CacheState state) {
  return state == CacheState::cold ? "cold" : "warm";
}

Json to_json(const ShapeMeasurement& shape) {
  Json pairs = Json::array();
  for (const TimedPair& pair : shape.pairs) {
    pairs.push_back(Json::array(
        {number_to_json(pair.baseline_us), number_to_json(pair.candidate_us)}));
  }
  Json json = {{"shape", to_valid_utf8(shape.shape)},
               {"baseline", to_valid_utf8(shape.baseline)},
               {"cache_state", to_string(shape.cache_state)},
               {"pairs", std::move(pairs)},
               {"discarded_pairs", shape.discarded_pairs},
               {"calls_per_block", shape.calls_per_block},
               {"candidate_us", number_to_json(shape.candidate_us)},
               {"baseline_us", number_to_json(shape.baseline_us)},
               {"speedup", number_to_json(shape.speedup)},
               {"speedup_low", number_to_json(shape.speedup_low)},
               {"speedup_high", number_to_json(shape.speedup_high)},
               {"confidence", number_to_json(shape.confidence)},
               {"minimum_effect", number_to_json(shape.minimum_effect)},
               {"roof_us", number_to_json(shape.roof_us)},
               {"weight", number_to_json(shape.weight)},
               {"verdict", evoke::to_string(shape.verdict)}};
  if (shape.same_code) json["same_code"] = true;
  return json;
}

// Reads members of one JSON object and keeps the first error, which names the
// member: "outcome.measurements.shapes[2].pairs: expected an array".
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string where, std::string& error)
      : json_(json), where_(std::move(where)), error_(error) {
    if (!json.is_object()) fail("", "expected an object");
  }

  const Json* find(const char* key) {
    if (!error_.empty()) return nullptr;
    const auto found = json_.find(key);
    if (found != json_.end()) return &*found;
    fail(key, "missing");
    return nullptr;
  }
  const Json* find_array(const char* key) {
    const Json* value = find(key);
    if (!value || value->is_array()) return value;
    fail(key, "expected an array");
    return nullptr;
  }
  bool has(const char* key) const {
    return json_.is_object() && json_.contains(key) && !json_.at(key).is_null();
  }

  void read(const char* key, double& value) {
    if (const Json* json = find(key)) read_number(*json, key, value);
  }
  void read(const char* key, std::string& value) {
    const Json* json = find(key);
    if (!json) return;
    if (!json->is_string()) return fail(key, "expected a string");
    value = json->get<std::string>();
  }
  void read(const char* key, bool& value) {
    const Json* json = find(key);
    if (!json) return;
    if (!json->is_boolean()) return fail(key, "expected true or false");
    value = json->get<bool>();
  }
  void read(const char* key, int64_t& value) {
    const Json* json = find(key);
    if (!json) return;
    const bool fits = json->is_number_integer() &&
                      !(json->is_number_unsigned() &&
                        json->get<uint64_t>() >
                            uint64_t{std::numeric_limits<int64_t>::max()});
    if (!fits) return fail(key, "expected a 64-bit integer");
    value = json->get<int64_t>();
  }
  void read(const char* key, int& value) {
    int64_t wide = 0;
    read(key, wide);
    if (wide < std::numeric_limits<int>::min() ||
        wide > std::numeric_limits<int>::max()) {
      return fail(key, "expected a 32-bit integer");
    }
    value = static_cast<int>(wide);
  }
  void read_number(const Json& json, const std::string& key, double& value) {
    if (json.is_number()) {
      value = json.get<double>();
    } else if (json == "nan") {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (json == "inf" || json == "-inf") {
      value = std::numeric_limits<double>::infinity();
      if (json == "-inf") value = -value;
    } else {
      fail(key, "expected a number");
    }
  }

  void fail(const std::string& key, const std::string& what) {
    if (!error_.empty()) return;
    error_ = where_;
    if (!key.empty()) error_.append(".").append(key);
    error_.append(": ").append(what);
  }
  std::string path(const std::string& key) const {
    return std::string(where_).append(".").append(key);
  }
  bool failed() const { return !error_.empty(); }

 private:
  const Json& json_;
  std::string where_;
  std::string& error_;
};

void read_pairs(ObjectReader& reader, std::vector<TimedPair>& pairs) {
  const Json* array = reader.find_array("pairs");
  if (!array) return;
  pairs.reserve(array->size());
  for (const Json& json : *array) {
    if (!json.is_array() || json.size() != 2) {
      return reader.fail("pairs", "expected [baseline_us, candidate_us]");
    }
    TimedPair pair;
    reader.read_number(json[0], "pairs", pair.baseline_us);
    reader.read_number(json[1], "pairs", pair.candidate_us);
    pairs.push_back(pair);
  }
}

ShapeMeasurement shape_from_json(const Json& json, const std::string& where,
                                 std::string& error) {
  ShapeMeasurement shape;
  ObjectReader reader(json, where, error);
  reader.read("shape", shape.shape);
  reader.read("baseline", shape.baseline);
  std::string state;
  reader.read("cache_state", state);
  if (state != "cold" && state != "warm") {
    reader.fail("cache_state", "expected cold or warm");
  }
  shape.cache_state = state == "warm" ? CacheState::warm : CacheState::cold;
  read_pairs(reader, shape.pairs);
  if (reader.has("same_code")) reader.read("same_code", shape.same_code);
  reader.read("discarded_pairs", shape.discarded_pairs);
  reader.read("calls_per_block", shape.calls_per_block);
  reader.read("candidate_us", shape.candidate_us);
  reader.read("baseline_us", shape.baseline_us);
  reader.read("speedup", shape.speedup);
  reader.read("speedup_low", shape.speedup_low);
  reader.read("speedup_high", shape.speedup_high);
  reader.read("confidence", shape.confidence);
  reader.read("minimum_effect", shape.minimum_effect);
  reader.read("roof_us", shape.roof_us);
  reader.read("weight", shape.weight);
  std::string verdict;
  reader.read("verdict", verdict);
  for (const SpeedVerdict known : {SpeedVerdict::faster, SpeedVerdict::slower,
                                   SpeedVerdict::cannot_tell}) {
    if (verdict == to_string(known)) {
      shape.verdict = known;
      return shape;
    }
  }
  reader.fail("verdict", "expected faster, slower or cannot tell");
  return shape;
}

Measurements measurements_of(const Json& json, const std::string& where,
                             std::string& error) {
  Measurements measurements;
  ObjectReader reader(json, where, error);
  if (const Json* shapes = reader.find_array("shapes")) {
    for (std::size_t i = 0; i < shapes->size() && error.empty(); ++i) {
      measurements.shapes.push_back(shape_from_json(
          (*shapes)[i], reader.path("shapes[" + std::to_string(i) + "]"),
          error));
    }
  }
  if (const Json* features = reader.find("features")) {
    if (!features->is_object()) {
      reader.fail("features", "expected an object");
    } else {
      ObjectReader values(*features, reader.path("features"), error);
      for (const auto& [name, value] : features->items()) {
        values.read_number(value, name, measurements.features[name]);
      }
    }
  }
  return measurements;
}

void read_stage_times(ObjectReader& reader, Outcome& outcome) {
  const Json* array = reader.find_array("stage_ms");
  if (!array) return;
  if (array->size() != kNumStages) {
    return reader.fail("stage_ms", "expected one number per stage");
  }
  for (std::size_t i = 0; i < kNumStages; ++i) {
    reader.read_number((*array)[i], "stage_ms", outcome.stage_ms[i]);
  }
}

}  // namespace

Json to_json(const Measurements& measurements) {
  Json shapes = Json::array();
  for (const ShapeMeasurement& shape : measurements.shapes) {
    shapes.push_back(to_json(shape));
  }
  Json features = Json::object();
  for (const auto& [name, value] : measurements.features) {
    features[to_valid_utf8(name)] = number_to_json(value);
  }
  return {{"shapes", std::move(shapes)}, {"features", std::move(features)}};
}

Json to_json(const Outcome& outcome) {
  Json stage_ms = Json::array();
  for (const double time_ms : outcome.stage_ms) {
    stage_ms.push_back(number_to_json(time_ms));
  }
  Json json = {{"candidate", outcome.candidate},
               {"kind", to_string(outcome.kind)},
               {"stage", to_string(outcome.stage)},
               {"message", to_valid_utf8(outcome.message)},
               {"stage_ms", std::move(stage_ms)},
               {"duplicate_of", outcome.duplicate_of},
               {"details", outcome.details}};
  if (outcome.measurements) {
    json["measurements"] = to_json(*outcome.measurements);
  }
  if (outcome.fitness) {
    json["fitness"] = {{"value", number_to_json(outcome.fitness->value)},
                       {"low", number_to_json(outcome.fitness->low)},
                       {"high", number_to_json(outcome.fitness->high)}};
  }
  return json;
}

Result<Measurements> measurements_from_json(const Json& json) {
  std::string error;
  Measurements measurements = measurements_of(json, "measurements", error);
  if (!error.empty()) return failed(error);
  return measurements;
}

Result<Outcome> outcome_from_json(const Json& json) {
  std::string error;
  Outcome outcome;
  ObjectReader reader(json, "outcome", error);
  reader.read("candidate", outcome.candidate);
  std::string name;
  reader.read("kind", name);
  const auto kind = parse_outcome_kind(name);
  if (!kind) {
    reader.fail("kind", kind.error().message);
  } else {
    outcome.kind = *kind;
  }
  reader.read("stage", name);
  const auto stage = parse_stage(name);
  if (!stage) {
    reader.fail("stage", stage.error().message);
  } else {
    outcome.stage = *stage;
  }
  reader.read("message", outcome.message);
  read_stage_times(reader, outcome);
  reader.read("duplicate_of", outcome.duplicate_of);
  if (const Json* details = reader.find("details")) outcome.details = *details;
  if (reader.has("measurements")) {
    outcome.measurements = measurements_of(json.at("measurements"),
                                           reader.path("measurements"), error);
  }
  if (reader.has("fitness")) {
    Fitness fitness;
    ObjectReader values(json.at("fitness"), reader.path("fitness"), error);
    values.read("value", fitness.value);
    values.read("low", fitness.low);
    values.read("high", fitness.high);
    outcome.fitness = fitness;
  }
  if (!error.empty()) return failed(error);
  return outcome;
}

}  // namespace evoke
