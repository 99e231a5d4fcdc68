#include "evoke/devices/metal/artifact.h"

#include <exception>
#include <string>

#include "evoke/base/json.h"

namespace evoke::metal {
namespace {

Json to_json(const MlxArray& array) {
  return {{"name", array.name},
          {"type", std::string(python_name(array.type))},
          {"shape", array.shape}};
}

MlxArray array_of(const Json& json) {
  const auto type = parse_element_type(json.at("type").get<std::string>());
  if (!type) throw std::runtime_error(type.error().message);
  return {json.at("name").get<std::string>(), *type,
          json.at("shape").get<std::vector<int64_t>>()};
}

}  // namespace

std::vector<std::byte> to_artifact(const Assembly& assembly) {
  Json kernels = Json::array();
  for (const AssembledKernel& each : assembly.kernels) {
    Json inputs = Json::array();
    for (std::size_t i = 0; i < each.inputs.size(); ++i) {
      inputs.push_back({{"array", to_json(each.mlx.inputs[i])},
                        {"role", static_cast<int>(each.inputs[i].role)},
                        {"of", each.inputs[i].name}});
    }
    Json outputs = Json::array();
    for (const MlxArray& output : each.mlx.outputs) {
      outputs.push_back(to_json(output));
    }
    kernels.push_back({{"kernel", each.kernel},
                       {"header", each.mlx.header},
                       {"source", each.mlx.source},
                       {"zero_outputs", each.zero_outputs},
                       {"inputs", std::move(inputs)},
                       {"outputs", std::move(outputs)}});
  }
  const std::string text = kernels.dump();
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

Result<Assembly> from_artifact(std::span<const std::byte> artifact) {
  try {
    const auto* text = reinterpret_cast<const char*>(artifact.data());
    Assembly assembly;
    for (const Json& json : Json::parse(text, text + artifact.size())) {
      AssembledKernel each;
      each.kernel = json.at("kernel").get<std::string>();
      each.mlx.name = each.kernel;
      each.mlx.header = json.at("header").get<std::string>();
      each.mlx.source = json.at("source").get<std::string>();
      each.zero_outputs = json.at("zero_outputs").get<bool>();
      for (const Json& input : json.at("inputs")) {
        const int role = input.at("role").get<int>();
        if (role < 0 || role > static_cast<int>(KernelInput::Role::scalar)) {
          throw std::runtime_error("an unknown role");
        }
        each.mlx.inputs.push_back(array_of(input.at("array")));
        each.inputs.push_back({static_cast<KernelInput::Role>(role),
                               input.at("of").get<std::string>()});
      }
      for (const Json& output : json.at("outputs")) {
        each.mlx.outputs.push_back(array_of(output));
        each.outputs.push_back(each.mlx.outputs.back().name);
      }
      each.source = mlx_source(each.mlx);
      assembly.kernels.push_back(std::move(each));
    }
    return assembly;
  } catch (const std::exception& error) {
    return failed(std::string("not an artifact of the metal device: ") +
                  error.what());
  }
}

}  // namespace evoke::metal
