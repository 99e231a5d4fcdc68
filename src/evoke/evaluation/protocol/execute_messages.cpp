// Messages of the roles execute and baseline, but for memory: programs, calls
// and their answers.
#include <utility>

#include "evoke/evaluation/protocol/json_reader.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/protocol/plan_json.h"

namespace evoke::protocol {
namespace {

Json layouts_to_json(const std::vector<TensorLayout>& layouts) {
  Json json = Json::array();
  for (const TensorLayout& each : layouts) {
    json.push_back(protocol::to_json(each));
  }
  return json;
}

std::vector<TensorLayout> layouts_from_json(JsonReader& reader,
                                            const char* key) {
  std::vector<TensorLayout> layouts;
  for (const Json& each : reader.array(key)) {
    layouts.push_back(reader.take(
        layout_from_json(each, reader.where() + "." + key + "[" +
                                   std::to_string(layouts.size()) + "]")));
  }
  return layouts;
}

// Calls come by the thousand, so theirs is the flat form: buffer, offset,
// buffer, offset, ... one array per call.
Json placements_to_json(const std::vector<Placements>& calls) {
  Json json = Json::array();
  for (const Placements& call : calls) {
    Json flat = Json::array();
    for (const Placement& placement : call) {
      flat.push_back(placement.buffer);
      flat.push_back(placement.offset_bytes);
    }
    json.push_back(std::move(flat));
  }
  return json;
}

std::vector<Placements> placements_from_json(JsonReader& reader,
                                             const char* key,
                                             std::size_t num_layouts) {
  std::vector<Placements> calls;
  for (const Json& flat : reader.array(key)) {
    if (!flat.is_array() || flat.size() != 2 * num_layouts) {
      reader.fail(key, "expected a buffer and an offset for every layout");
      return {};
    }
    Placements call;
    for (std::size_t i = 0; i < num_layouts; ++i) {
      const Json& buffer = flat[2 * i];
      const Json& offset = flat[2 * i + 1];
      if (!buffer.is_number_integer() || !offset.is_number_integer()) {
        reader.fail(key, "expected integers");
        return {};
      }
      const auto number = buffer.get<int64_t>();
      const auto offset_bytes = offset.get<int64_t>();
      if (number < 0 || number > INT32_MAX || offset_bytes < 0 ||
          offset_bytes > kMaxBufferBytes) {
        reader.fail(key, "an integer is out of range");
        return {};
      }
      call.push_back({static_cast<int>(number), offset_bytes});
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace

Json Loaded::to_json() const { return {{"program", program}}; }
Result<Loaded> Loaded::from_json(const Json& json) {
  JsonReader reader(json, "loaded");
  Loaded loaded;
  loaded.program = reader.index("program");
  return reader.finish(loaded);
}

Json Load::to_json() const { return {{"artifact", json_bytes(artifact)}}; }
Result<Load> Load::from_json(const Json& json) {
  JsonReader reader(json, "load");
  Load load;
  load.artifact = reader.bytes("artifact");
  return reader.finish(std::move(load));
}

Json Unload::to_json() const { return {{"program", program}}; }
Result<Unload> Unload::from_json(const Json& json) {
  JsonReader reader(json, "unload");
  Unload unload;
  unload.program = reader.index("program");
  return reader.finish(unload);
}

Json Prepared::to_json() const { return {{"calls", calls}, {"path", path}}; }
Result<Prepared> Prepared::from_json(const Json& json) {
  JsonReader reader(json, "prepared");
  Prepared prepared;
  prepared.calls = reader.indices("calls");
  prepared.path = reader.text("path");
  return reader.finish(std::move(prepared));
}

Json Prepare::to_json() const {
  return {{"program", program},
          {"plan", protocol::to_json(plan)},
          {"layouts", layouts_to_json(layouts)},
          {"placements", placements_to_json(placements)}};
}
Result<Prepare> Prepare::from_json(const Json& json) {
  JsonReader reader(json, "prepare");
  Prepare prepare;
  prepare.program = reader.index("program");
  prepare.plan =
      reader.take(plan_from_json(reader.object("plan"), "prepare.plan"));
  prepare.layouts = layouts_from_json(reader, "layouts");
  prepare.placements =
      placements_from_json(reader, "placements", prepare.layouts.size());
  return reader.finish(std::move(prepare));
}

Json PrepareBaseline::to_json() const {
  return {{"shape", protocol::to_json(shape)},
          {"layouts", layouts_to_json(layouts)},
          {"placements", placements_to_json(placements)}};
}
Result<PrepareBaseline> PrepareBaseline::from_json(const Json& json) {
  JsonReader reader(json, "prepare_baseline");
  PrepareBaseline prepare;
  prepare.shape = reader.take(
      shape_from_json(reader.object("shape"), "prepare_baseline.shape"));
  prepare.layouts = layouts_from_json(reader, "layouts");
  prepare.placements =
      placements_from_json(reader, "placements", prepare.layouts.size());
  return reader.finish(std::move(prepare));
}

Json Release::to_json() const { return {{"calls", calls}}; }
Result<Release> Release::from_json(const Json& json) {
  JsonReader reader(json, "release");
  Release release;
  release.calls = reader.indices("calls");
  return reader.finish(std::move(release));
}

Json Stage::to_json() const {
  return {{"calls", calls}, {"collect", collect}, {"inputs", inputs}};
}
Result<Stage> Stage::from_json(const Json& json) {
  JsonReader reader(json, "stage");
  Stage stage;
  stage.calls = reader.indices("calls");
  stage.collect = reader.flag("collect");
  stage.inputs = reader.flag("inputs");
  return reader.finish(std::move(stage));
}

Json Go::to_json() const { return Json::object(); }
Result<Go> Go::from_json(const Json& json) {
  return JsonReader(json, "go").finish(Go{});
}

namespace {

Json findings_to_json(const std::vector<DeviceFinding>& findings) {
  Json list = Json::array();
  for (const DeviceFinding& each : findings) {
    list.push_back({{"kind", each.kind},
                    {"wrong", each.wrong},
                    {"out_of_bounds", each.out_of_bounds},
                    {"message", each.message}});
  }
  return list;
}
Result<DeviceFinding> finding_from_json(const Json& json) {
  JsonReader reader(json, "finding");
  DeviceFinding finding;
  finding.kind = reader.text("kind");
  finding.wrong = reader.flag("wrong");
  finding.out_of_bounds = reader.flag("out_of_bounds");
  finding.message = reader.text("message");
  return reader.finish(std::move(finding));
}

}  // namespace

Json Ran::to_json() const {
  Json json{{"damage", damage}};
  if (device_ns) json["device_ns"] = *device_ns;
  // The only message that is timed stays small on devices that see nothing.
  if (!findings.empty()) json["findings"] = findings_to_json(findings);
  return json;
}
Result<Ran> Ran::from_json(const Json& json) {
  JsonReader reader(json, "ran");
  Ran ran;
  if (reader.has("device_ns")) ran.device_ns = reader.integer("device_ns", 0);
  ran.damage = reader.text("damage");
  if (reader.has("findings")) {
    for (const Json& each : reader.array("findings")) {
      ran.findings.push_back(reader.take(finding_from_json(each)));
    }
  }
  return reader.finish(std::move(ran));
}

Json Collected::to_json() const { return {{"damage", damage}}; }
Result<Collected> Collected::from_json(const Json& json) {
  JsonReader reader(json, "collected");
  Collected collected;
  collected.damage = reader.text("damage");
  return reader.finish(std::move(collected));
}

Json Collect::to_json() const { return {{"calls", calls}}; }
Result<Collect> Collect::from_json(const Json& json) {
  JsonReader reader(json, "collect");
  Collect collect;
  collect.calls = reader.indices("calls");
  return reader.finish(std::move(collect));
}

Json Digests::to_json() const {
  return {{"digests", digests}, {"damage", damage}};
}
Result<Digests> Digests::from_json(const Json& json) {
  JsonReader reader(json, "digests");
  Digests digests;
  digests.digests = reader.texts("digests");
  digests.damage = reader.text("damage");
  return reader.finish(std::move(digests));
}

Json Digest::to_json() const { return Json::object(); }
Result<Digest> Digest::from_json(const Json& json) {
  return JsonReader(json, "digest").finish(Digest{});
}

}  // namespace evoke::protocol
