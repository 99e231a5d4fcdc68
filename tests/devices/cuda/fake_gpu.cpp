#include "tests/devices/cuda/fake_gpu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace evoke::testing {
namespace {

using cuda::DevicePointer;
using cuda::Status;

FakeGpu* current = nullptr;

FakeGpu& fake() { return FakeGpu::instance(); }

std::byte* at(DevicePointer pointer) {
  return reinterpret_cast<std::byte*>(pointer);
}

FakeGpu::Function* function_of(cuda::Function function) {
  return reinterpret_cast<FakeGpu::Function*>(function);
}

// Graphs, modules, events: anything that only has to be told apart.
template <typename T>
void give(T* handle) {
  static uintptr_t next = 1;
  *handle = reinterpret_cast<T>(next++);
}

using Steps = std::vector<FakeGpu::Step>;

void execute(const FakeLaunch& launch) {
  fake().ran.push_back(launch.kernel);
  if (launch.kernel.starts_with("evoke_run_")) {
    fake().launches.push_back(launch);
  }
  const auto& body = fake().functions.at(launch.kernel)->body;
  if (body) body(launch);
}

Status launch(const cuda::LaunchConfig* config, cuda::Function function,
              void** parameters, void**) {
  if (const Status error = fake().error_of("cuLaunchKernelEx")) return error;
  FakeLaunch launch;
  launch.kernel = function_of(function)->name;
  launch.config = *config;
  launch.attributes.assign(config->attributes,
                           config->attributes + config->num_attributes);
  launch.parameters = parameters;
  // Parameters of evoke's own kernels do not outlive the call.
  if (launch.kernel.starts_with("evoke_run_")) {
    fake().queue([launch] { execute(launch); });
  } else {
    execute(launch);
  }
  return cuda::kSuccess;
}

// Graphs made by hand are chains: a node has the one before it.
FakeLaunch& launch_of(cuda::GraphNode node) {
  return *reinterpret_cast<FakeLaunch*>(node);
}

void set_node(FakeLaunch& launch, const cuda::KernelNode& kernel) {
  launch.kernel = function_of(kernel.function)->name;
  std::copy_n(kernel.grid, 3, launch.config.grid);
  std::copy_n(kernel.block, 3, launch.config.block);
  launch.config.shared_bytes = kernel.shared_bytes;
  launch.parameters = kernel.parameters;
}

template <typename Run>
void add_node(cuda::Graph graph, const cuda::GraphNode* after,
              std::size_t num_after, cuda::GraphNode* node, Run run) {
  Steps& steps = *reinterpret_cast<Steps*>(graph);
  const cuda::GraphNode before = num_after == 1 ? *after : nullptr;
  EXPECT_EQ(before, steps.empty() ? nullptr : fake().last_node);
  const auto launch = std::make_shared<FakeLaunch>();
  *node = reinterpret_cast<cuda::GraphNode>(launch.get());
  fake().last_node = *node;
  steps.push_back([run, launch] { run(*launch); });
}

// Not evoke's own sum, but one that depends on every byte and its place.
void checksums(const FakeLaunch& launch) {
  const std::byte* const ranges = at(launch.parameter<DevicePointer>(0));
  std::byte* const sums = at(launch.parameter<DevicePointer>(1));
  for (unsigned r = 0; r < launch.config.grid[1]; ++r) {
    std::array<uint64_t, 2> range{};  // address, bytes
    std::memcpy(range.data(), ranges + r * sizeof(range), sizeof(range));
    const std::byte* const data = at(range[0]);
    uint64_t sum = 1469598103934665603ULL;
    for (uint64_t i = 0; i < range[1]; ++i) {
      sum = (sum ^ static_cast<uint64_t>(data[i])) * 1099511628211ULL;
    }
    std::memcpy(sums + r * sizeof(sum), &sum, sizeof(sum));
  }
}

void fill_table(cuda::DriverApi& api) {
  using namespace cuda;  // the table's types
  api.init = [](unsigned) { return fake().num_gpus > 0 ? 0 : kErrorNoDevice; };
  api.driver_version = [](int* version) { return *version = 13000, 0; };
  api.error_name = [](Status, const char** name) {
    return *name = "CUDA_ERROR_FAKE", 0;
  };
  api.error_string = [](Status, const char** text) {
    return *text = "a fake error", 0;
  };
  api.device_count = [](int* count) { return *count = fake().num_gpus, 0; };
  api.device_get = [](DeviceNumber* device, int ordinal) {
    return *device = ordinal, 0;
  };
  api.device_name = [](char* name, int length, DeviceNumber device) {
    std::snprintf(name, static_cast<std::size_t>(length), "Fake %d", device);
    return 0;
  };
  api.device_uuid = [](Uuid* uuid, DeviceNumber device) {
    for (int i = 0; i < 16; ++i) {
      uuid->bytes[i] = static_cast<unsigned char>(i * 17 + device);
    }
    return 0;
  };
  api.device_attribute = [](int* value, DeviceAttribute attribute,
                            DeviceNumber) {
    switch (attribute) {
      case DeviceAttribute::major:
        return *value = 9, 0;
      case DeviceAttribute::num_sms:
        return *value = 132, 0;
      case DeviceAttribute::l2_bytes:
        return *value = 1 << 20, 0;
      case DeviceAttribute::shared_bytes_per_block:
        return *value = 232448, 0;
      default:
        return *value = 0, 0;
    }
  };
  api.device_bytes = [](std::size_t* bytes, DeviceNumber) {
    return *bytes = std::size_t{1} << 36, 0;
  };
  api.context_retain = [](Context* context, DeviceNumber) {
    return give(context), 0;
  };
  api.context_release = [](DeviceNumber) { return 0; };
  api.context_set = [](Context) { return 0; };
  api.context_set_limit = [](int, std::size_t) { return 0; };
  api.reset_persisting_l2 = [] { return 0; };
  api.module_load = [](Module* module, const void*) {
    give(module);
    return fake().error_of("cuModuleLoadData");
  };
  api.module_unload = [](Module) { return 0; };
  api.module_function = [](Function* function, Module, const char* name) {
    const auto found = fake().functions.find(name);
    if (found == fake().functions.end()) return 500;
    *function = reinterpret_cast<Function>(found->second.get());
    return 0;
  };
  api.function_attribute = [](int* value, FunctionAttribute, Function) {
    return *value = 1024, 0;
  };
  api.function_set_attribute = [](Function function,
                                  FunctionAttribute attribute, int value) {
    function_of(function)->attributes[attribute] = value;
    return fake().error_of("cuFuncSetAttribute");
  };
  api.occupancy = [](int* blocks, Function, int, std::size_t) {
    return *blocks = 2, 0;
  };
  api.occupancy_clusters = [](int* clusters, Function, const LaunchConfig*) {
    ++fake().cluster_questions;
    return *clusters = 16, 0;
  };
  api.memory_allocate = [](DevicePointer* pointer, std::size_t bytes) {
    if (const Status error = fake().error_of("cuMemAlloc_v2")) return error;
    std::vector<std::byte> block(bytes + 256, std::byte{0x11});
    const auto address = reinterpret_cast<DevicePointer>(block.data());
    *pointer = (address + 255) / 256 * 256;
    fake().allocated_bytes += bytes;
    fake().memory[*pointer] = std::move(block);
    return 0;
  };
  api.memory_free = [](DevicePointer pointer) {
    const auto found = fake().memory.find(pointer);
    if (found == fake().memory.end()) return 1;
    fake().allocated_bytes -= found->second.size() - 256;
    fake().memory.erase(found);
    return 0;
  };
  api.memory_info = [](std::size_t* free_bytes, std::size_t* total) {
    *free_bytes = std::size_t{5} << 20;
    *total = std::size_t{9} << 20;
    return 0;
  };
  api.copy_to_device = [](DevicePointer to, const void* from, std::size_t bytes,
                          Stream) {
    std::memcpy(at(to), from, bytes);
    return fake().error_of("cuMemcpyHtoDAsync_v2");
  };
  api.copy_to_host = [](void* to, DevicePointer from, std::size_t bytes,
                        Stream) {
    std::memcpy(to, at(from), bytes);
    return 0;
  };
  api.fill_bytes = [](DevicePointer to, unsigned char value, std::size_t bytes,
                      Stream) {
    fake().queue([=] { std::memset(at(to), value, bytes); });
    return 0;
  };
  api.host_allocate = [](void** pointer, std::size_t bytes, unsigned) {
    *pointer = std::calloc(1, bytes);
    return 0;
  };
  api.host_free = [](void* pointer) { return std::free(pointer), 0; };
  api.host_device_pointer = [](DevicePointer* pointer, void* host, unsigned) {
    return *pointer = reinterpret_cast<DevicePointer>(host), 0;
  };
  api.stream_create = [](Stream* stream, unsigned) { return give(stream), 0; };
  api.stream_destroy = [](Stream) { return 0; };
  api.stream_synchronize = [](Stream) {
    return fake().error_of("cuStreamSynchronize");
  };
  api.stream_begin_capture = [](Stream, int) {
    fake().capture = new Steps;
    return 0;
  };
  api.stream_end_capture = [](Stream, Graph* graph) {
    *graph = reinterpret_cast<Graph>(fake().capture);
    fake().capture = nullptr;
    return 0;
  };
  api.event_create = [](Event* event, unsigned) { return give(event), 0; };
  api.event_destroy = [](Event) { return 0; };
  api.event_record = [](Event, Stream) {
    fake().ran.emplace_back("event");
    return 0;
  };
  api.event_query = [](Event) -> Status {
    return fake().gate_late ? kSuccess : kErrorNotReady;
  };
  api.event_elapsed = [](float* ms, Event, Event) { return *ms = 0.25F, 0; };
  api.graph_instantiate = [](GraphExec* exec, Graph graph,
                             unsigned long long) -> Status {
    const Status status = fake().error_of("cuGraphInstantiateWithFlags");
    if (status != kSuccess) return status;
    *exec = reinterpret_cast<GraphExec>(
        new Steps(*reinterpret_cast<Steps*>(graph)));
    return kSuccess;
  };
  api.graph_create = [](Graph* graph, unsigned) {
    *graph = reinterpret_cast<Graph>(new Steps);
    return 0;
  };
  api.graph_add_kernel = [](GraphNode* node, Graph graph,
                            const GraphNode* after, std::size_t num_after,
                            const KernelNode* kernel) -> Status {
    const Status status = fake().error_of("cuGraphAddKernelNode_v2");
    if (status != kSuccess) return status;
    add_node(graph, after, num_after, node, execute);
    set_node(launch_of(*node), *kernel);
    return kSuccess;
  };
  api.graph_add_memset = [](GraphNode* node, Graph graph,
                            const GraphNode* after, std::size_t num_after,
                            const MemsetNode* memset, Context) {
    add_node(graph, after, num_after, node,
             [memset = *memset](const FakeLaunch&) {
               fake().ran.emplace_back("fill");
               std::memset(at(memset.data), static_cast<int>(memset.value),
                           memset.element_bytes * memset.width * memset.height);
             });
    return 0;
  };
  api.graph_set_kernel = [](GraphNode node, const KernelNode* kernel) {
    set_node(launch_of(node), *kernel);
    return fake().error_of("cuGraphKernelNodeSetParams_v2");
  };
  api.graph_set_attribute = [](GraphNode node, LaunchAttributeId id,
                               const LaunchAttributeValue* value) {
    LaunchAttribute attribute{};
    attribute.id = id;
    attribute.value = *value;
    launch_of(node).attributes.push_back(attribute);
    return 0;
  };
  api.graph_upload = [](GraphExec, Stream) { return 0; };
  api.graph_launch = [](GraphExec exec, Stream) {
    for (const auto& step : *reinterpret_cast<Steps*>(exec)) step();
    return 0;
  };
  api.graph_exec_destroy = [](GraphExec exec) {
    delete reinterpret_cast<Steps*>(exec);
    return 0;
  };
  api.graph_destroy = [](Graph graph) {
    delete reinterpret_cast<Steps*>(graph);
    return 0;
  };
  api.launch = launch;
  api.tensor_map_encode = [](TensorMapWords* map, TensorMapType, uint32_t rank,
                             DevicePointer address, const uint64_t* extents,
                             const uint64_t*, const uint32_t*, const uint32_t*,
                             int, int, int, int) {
    map->words[0] = address;
    map->words[1] = rank;
    map->words[2] = extents[0];
    return 0;
  };
  api.tensor_map_set_address = [](TensorMapWords* map, void* address) {
    map->words[0] = reinterpret_cast<DevicePointer>(address);
    return 0;
  };
}

}  // namespace

FakeGpu::FakeGpu() : api_(std::make_shared<cuda::DriverApi>()) {
  current = this;
  fill_table(*api_);
  for (const char* name : {"evoke_hold", "evoke_checksums", "evoke_read",
                           "evoke_scrub", "evoke_occupy"}) {
    functions[name] = std::make_unique<Function>();
    functions[name]->name = name;
  }
  functions["evoke_checksums"]->body = checksums;
}

FakeGpu::~FakeGpu() { current = nullptr; }

FakeGpu& FakeGpu::instance() {
  if (current == nullptr) throw std::logic_error("no FakeGpu");
  return *current;
}

cuda::Gpu FakeGpu::gpu() const {
  const auto found = cuda::find_gpu(*api_, "");
  if (!found) throw std::runtime_error(found.error().message);
  return *found;
}

void FakeGpu::add_kernel(const std::string& name,
                         std::function<void(const FakeLaunch&)> body) {
  auto& function = functions["evoke_run_" + name];
  function = std::make_unique<Function>();
  function->name = "evoke_run_" + name;
  function->body = std::move(body);
}

void FakeGpu::queue(Step step) {
  if (capture != nullptr) {
    capture->push_back(std::move(step));
  } else {
    step();
  }
}

cuda::Status FakeGpu::error_of(const std::string& call) {
  const auto found = errors.find(call);
  if (found == errors.end()) return cuda::kSuccess;
  const cuda::Status status = found->second;
  errors.erase(found);
  return status;
}

std::vector<std::byte> fake_cubin(const std::vector<std::string>& kernels) {
  std::string names("\0", 1);
  std::vector<std::size_t> offsets;
  for (const std::string& kernel : kernels) {
    offsets.push_back(names.size());
    names += ".text.evoke_run_" + kernel + '\0';
  }
  constexpr std::size_t kHeader = 64;
  constexpr std::size_t kSection = 64;
  const std::size_t num_sections = kernels.size() + 2;
  std::vector<std::byte> file(kHeader + num_sections * kSection + names.size());
  const auto put = [&](std::size_t offset, auto value) {
    std::memcpy(file.data() + offset, &value, sizeof(value));
  };
  std::memcpy(file.data(),
              "\x7f"
              "ELF\x02\x01",
              6);
  put(18, uint16_t{190});
  put(40, uint64_t{kHeader});
  put(58, uint16_t{kSection});
  put(60, static_cast<uint16_t>(num_sections));
  put(62, static_cast<uint16_t>(num_sections - 1));
  const std::size_t names_at = kHeader + num_sections * kSection;
  std::memcpy(file.data() + names_at, names.data(), names.size());
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const std::size_t section = kHeader + (i + 1) * kSection;
    put(section, static_cast<uint32_t>(offsets[i]));
    put(section + 4, uint32_t{1});
    put(section + 32, uint64_t{16});
  }
  const std::size_t strings = kHeader + (num_sections - 1) * kSection;
  put(strings + 4, uint32_t{3});
  put(strings + 24, static_cast<uint64_t>(names_at));
  put(strings + 32, static_cast<uint64_t>(names.size()));
  return file;
}

}  // namespace evoke::testing
