#include "evoke/evaluation/protocol/plan_json.h"

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "evoke/evaluation/protocol/json_reader.h"

namespace evoke::protocol {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 46;
constexpr int64_t kMaxExtent = int64_t{1} << 40;
constexpr int64_t kMaxRank = 8;

Json scalars_to_json(const std::map<std::string, float>& scalars) {
  Json json = Json::object();
  for (const auto& [name, value] : scalars) json[name] = double{value};
  return json;
}

std::map<std::string, float> scalars_from_json(JsonReader& reader,
                                               const char* key) {
  std::map<std::string, float> scalars;
  const Json& json = reader.object(key);
  for (const auto& [name, value] : json.items()) {
    if (!value.is_number()) {
      reader.fail(key, "expected numbers");
      return {};
    }
    scalars[name] = static_cast<float>(value.get<double>());
  }
  return scalars;
}

DType dtype_from_json(JsonReader& reader, const char* key) {
  const std::string name = reader.text(key);
  if (!reader.ok()) return {};
  const auto type = parse_dtype(name);
  if (!type) reader.fail(key, type.error().message);
  return type.value_or(DType{});
}

template <typename T, typename Function>
std::vector<T> list_from_json(JsonReader& reader, const char* key,
                              Function read_one) {
  std::vector<T> list;
  for (const Json& each : reader.array(key)) {
    list.push_back(
        reader.take(read_one(each, reader.where() + "." + key + "[" +
                                       std::to_string(list.size()) + "]")));
    if (!reader.ok()) break;
  }
  return list;
}

Json to_json(const TensorDeclaration& tensor);
Json to_json(const ResolvedScratch& scratch);
Json to_json(const ResolvedTensorMap& map);
Json to_json(const ResolvedLaunch& launch);

template <typename List>
Json list_to_json(const List& list) {
  Json json = Json::array();
  for (const auto& each : list) json.push_back(to_json(each));
  return json;
}

Json to_json(const TensorDeclaration& tensor) {
  return {{"name", tensor.name},
          {"type", to_string(tensor.type)},
          {"shape", tensor.shape},
          {"output", tensor.output}};
}

Result<TensorDeclaration> declaration_from_json(const Json& json,
                                                const std::string& where) {
  JsonReader reader(json, where);
  TensorDeclaration tensor;
  tensor.name = reader.text("name");
  tensor.type = dtype_from_json(reader, "type");
  tensor.shape = reader.texts("shape");
  tensor.output = reader.flag("output");
  return reader.finish(std::move(tensor));
}

Json to_json(const ResolvedScratch& scratch) {
  return {{"name", scratch.name},
          {"type", to_string(scratch.type)},
          {"shape", scratch.shape},
          {"bytes", scratch.bytes},
          {"zero", scratch.init == ScratchInit::zero},
          {"self_reset", scratch.self_reset}};
}

Result<ResolvedScratch> scratch_from_json(const Json& json,
                                          const std::string& where) {
  JsonReader reader(json, where);
  ResolvedScratch scratch;
  scratch.name = reader.text("name");
  scratch.type = dtype_from_json(reader, "type");
  scratch.shape = reader.integers("shape");
  scratch.bytes = reader.integer("bytes", 0, kMaxBytes);
  scratch.init = reader.flag("zero") ? ScratchInit::zero : ScratchInit::poison;
  scratch.self_reset = reader.flag("self_reset");
  return reader.finish(std::move(scratch));
}

// A reference is written as one integer: 2 * index + scratch.
Json refs_to_json(const std::vector<TensorRef>& refs) {
  Json json = Json::array();
  for (const TensorRef& ref : refs) {
    json.push_back(2 * ref.index + (ref.scratch ? 1 : 0));
  }
  return json;
}

std::vector<TensorRef> refs_from_json(JsonReader& reader, const char* key) {
  std::vector<TensorRef> refs;
  for (const int each : reader.indices(key)) {
    refs.push_back({each % 2 == 1, static_cast<std::size_t>(each / 2)});
  }
  return refs;
}

std::array<int64_t, 3> extents_from_json(JsonReader& reader, const char* key) {
  const std::vector<int64_t> list = reader.integers(key);
  if (list.size() != 3 || list[0] < 1 || list[1] < 1 || list[2] < 1) {
    reader.fail(key, "expected three positive integers");
    return {1, 1, 1};
  }
  return {list[0], list[1], list[2]};
}

Json to_json(const ResolvedLaunch& launch) {
  return {{"kernel", launch.kernel},
          {"reads", refs_to_json(launch.reads)},
          {"writes", refs_to_json(launch.writes)},
          {"threadgroups", launch.threadgroups},
          {"threads", launch.threads},
          {"dynamic_memory_bytes", launch.dynamic_memory_bytes},
          {"tensor_maps", launch.tensor_maps},
          {"cluster", launch.cluster},
          {"nonportable", launch.nonportable},
          {"cooperative", launch.cooperative},
          {"pdl", launch.pdl}};
}

Json to_json(const ResolvedTensorMap& map) {
  return {{"name", map.name},
          {"tensor", refs_to_json({map.tensor})},
          {"order", map.order},
          {"box", map.box},
          {"element_strides", map.element_strides},
          {"swizzle_bytes", map.swizzle_bytes},
          {"l2_promotion_bytes", map.l2_promotion_bytes}};
}

Result<ResolvedTensorMap> map_from_json(const Json& json,
                                        const std::string& where) {
  JsonReader reader(json, where);
  ResolvedTensorMap map;
  map.name = reader.text("name");
  const std::vector<TensorRef> tensors = refs_from_json(reader, "tensor");
  if (tensors.size() == 1) map.tensor = tensors.front();
  for (const Json& merged : reader.array("order")) {
    std::vector<int64_t> dimensions;
    if (!merged.is_array() || merged.empty()) {
      reader.fail("order", "expected arrays of dimensions");
      break;
    }
    for (const Json& each : merged) {
      if (!each.is_number_integer() || each.get<int64_t>() < 0 ||
          each.get<int64_t>() >= kMaxRank) {
        reader.fail("order", "expected dimensions");
        break;
      }
      dimensions.push_back(each.get<int64_t>());
    }
    map.order.push_back(std::move(dimensions));
  }
  map.box = reader.integers("box");
  map.element_strides = reader.integers("element_strides");
  map.swizzle_bytes = reader.integer("swizzle_bytes", 0, 128);
  map.l2_promotion_bytes = reader.integer("l2_promotion_bytes", 0, 256);
  if (reader.ok() && (tensors.size() != 1 || map.order.empty() ||
                      map.box.size() != map.order.size() ||
                      map.element_strides.size() != map.order.size())) {
    reader.fail("order", "expected one box and stride for each dimension");
  }
  return reader.finish(std::move(map));
}

Result<ResolvedLaunch> launch_from_json(const Json& json,
                                        const std::string& where) {
  JsonReader reader(json, where);
  ResolvedLaunch launch;
  launch.kernel = reader.text("kernel");
  launch.reads = refs_from_json(reader, "reads");
  launch.writes = refs_from_json(reader, "writes");
  launch.threadgroups = extents_from_json(reader, "threadgroups");
  launch.threads = extents_from_json(reader, "threads");
  launch.dynamic_memory_bytes =
      reader.integer("dynamic_memory_bytes", 0, kMaxBytes);
  for (const int map : reader.indices("tensor_maps")) {
    launch.tensor_maps.push_back(static_cast<std::size_t>(map));
  }
  launch.cluster = extents_from_json(reader, "cluster");
  launch.nonportable = reader.flag("nonportable");
  launch.cooperative = reader.flag("cooperative");
  launch.pdl = reader.flag("pdl");
  return reader.finish(std::move(launch));
}

// The last byte of the tensor's last element must lie in the allocation.
bool fits(const TensorLayout& layout) {
  if (layout.shape.size() != layout.strides.size()) return false;
  int64_t last = 0;
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    const int64_t extent = layout.shape[i];
    const int64_t stride = layout.strides[i];
    if (extent < 1 || extent > kMaxExtent) return false;
    if (stride < 0 || stride > kMaxExtent) return false;
    int64_t span = 0;
    if (__builtin_mul_overflow(extent - 1, stride, &span)) return false;
    if (__builtin_add_overflow(last, span, &last)) return false;
    if (last > kMaxBytes) return false;
  }
  const int64_t end = layout.offset_bytes + (last + 1) * size_of(layout.type);
  return end <= layout.allocation_bytes;
}

}  // namespace

Json to_json(const Symbols& symbols) {
  Json json = Json::object();
  for (const auto& [name, value] : symbols) json[name] = value;
  return json;
}

Result<Symbols> symbols_from_json(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Symbols symbols;
  if (reader.ok()) {
    for (const auto& [name, value] : json.items()) {
      symbols[name] = reader.integer(name.c_str());
    }
  }
  return reader.finish(std::move(symbols));
}

Json to_json(const DeviceLimits& limits) {
  return {{"num_sms", limits.num_sms},
          {"l2_bytes", limits.l2_bytes},
          {"max_threadgroup_memory", limits.max_threadgroup_memory},
          {"max_threads", limits.max_threads},
          {"max_threadgroups", limits.max_threadgroups},
          {"max_scratch_bytes", limits.max_scratch_bytes}};
}

Result<DeviceLimits> limits_from_json(const Json& json,
                                      const std::string& where) {
  JsonReader reader(json, where);
  DeviceLimits limits;
  limits.num_sms = reader.integer("num_sms", 1);
  limits.l2_bytes = reader.integer("l2_bytes", 0);
  limits.max_threadgroup_memory = reader.integer("max_threadgroup_memory", 0);
  limits.max_threads = reader.integer("max_threads", 1);
  limits.max_threadgroups = reader.integer("max_threadgroups", 1);
  limits.max_scratch_bytes = reader.integer("max_scratch_bytes", 0);
  return reader.finish(limits);
}

Json to_json(const ProblemSignature& signature) {
  return {{"name", signature.name},
          {"tensors", list_to_json(signature.tensors)},
          {"constants", signature.constants},
          {"sizes", signature.sizes},
          {"scalars", signature.scalars}};
}

Result<ProblemSignature> signature_from_json(const Json& json,
                                             const std::string& where) {
  JsonReader reader(json, where);
  ProblemSignature signature;
  signature.name = reader.text("name");
  signature.tensors = list_from_json<TensorDeclaration>(reader, "tensors",
                                                        declaration_from_json);
  signature.constants = reader.texts("constants");
  signature.sizes = reader.texts("sizes");
  signature.scalars = reader.texts("scalars");
  return reader.finish(std::move(signature));
}

Json to_json(const Shape& shape) {
  return {{"name", shape.name},
          {"values", to_json(shape.values)},
          {"scalars", scalars_to_json(shape.scalars)}};
}

Result<Shape> shape_from_json(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Shape shape;
  shape.name = reader.text("name");
  shape.values = reader.take(
      symbols_from_json(reader.object("values"), where + ".values"));
  shape.scalars = scalars_from_json(reader, "scalars");
  return reader.finish(std::move(shape));
}

Json to_json(const TensorLayout& layout) {
  return {{"name", layout.name},
          {"type", to_string(layout.type)},
          {"shape", layout.shape},
          {"strides", layout.strides},
          {"offset_bytes", layout.offset_bytes},
          {"allocation_bytes", layout.allocation_bytes}};
}

Result<TensorLayout> layout_from_json(const Json& json,
                                      const std::string& where) {
  JsonReader reader(json, where);
  TensorLayout layout;
  layout.name = reader.text("name");
  layout.type = dtype_from_json(reader, "type");
  layout.shape = reader.integers("shape");
  layout.strides = reader.integers("strides");
  layout.offset_bytes = reader.integer("offset_bytes", 0, kMaxBytes);
  layout.allocation_bytes = reader.integer("allocation_bytes", 0, kMaxBytes);
  if (reader.ok() && !fits(layout)) {
    reader.fail("shape", "the tensor leaves its allocation");
  }
  return reader.finish(std::move(layout));
}

Json to_json(const CompileUnit& unit) {
  return {{"variant", unit.variant}, {"constants", to_json(unit.constants)}};
}

Result<CompileUnit> unit_from_json(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  CompileUnit unit;
  unit.variant = static_cast<std::size_t>(reader.index("variant"));
  unit.constants = reader.take(
      symbols_from_json(reader.object("constants"), where + ".constants"));
  return reader.finish(std::move(unit));
}

Json to_json(const LaunchPlan& plan) {
  return {{"variant", plan.variant},
          {"constants", to_json(plan.constants)},
          {"sizes", to_json(plan.sizes)},
          {"scalars", scalars_to_json(plan.scalars)},
          {"scratch", list_to_json(plan.scratch)},
          {"tensor_maps", list_to_json(plan.tensor_maps)},
          {"launches", list_to_json(plan.launches)}};
}

Result<LaunchPlan> plan_from_json(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  LaunchPlan plan;
  plan.variant = static_cast<std::size_t>(reader.index("variant"));
  plan.constants = reader.take(
      symbols_from_json(reader.object("constants"), where + ".constants"));
  plan.sizes =
      reader.take(symbols_from_json(reader.object("sizes"), where + ".sizes"));
  plan.scalars = scalars_from_json(reader, "scalars");
  plan.scratch =
      list_from_json<ResolvedScratch>(reader, "scratch", scratch_from_json);
  plan.tensor_maps =
      list_from_json<ResolvedTensorMap>(reader, "tensor_maps", map_from_json);
  plan.launches =
      list_from_json<ResolvedLaunch>(reader, "launches", launch_from_json);
  for (const ResolvedLaunch& launch : plan.launches) {
    for (const std::size_t map : launch.tensor_maps) {
      if (map >= plan.tensor_maps.size()) {
        reader.fail("launches", "a tensor map that the plan does not have");
      }
    }
  }
  return reader.finish(std::move(plan));
}

}  // namespace evoke::protocol
