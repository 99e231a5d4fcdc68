#include "evoke/evaluation/protocol/messages.h"

#include <array>
#include <utility>

#include "evoke/evaluation/protocol/json_reader.h"
#include "evoke/evaluation/protocol/plan_json.h"

namespace evoke::protocol {
namespace {

constexpr std::array<std::string_view, 4> kRoles{"compile", "execute",
                                                 "baseline", "measure"};
constexpr std::array<std::string_view, 5> kStatuses{"ok", "rejected", "failed",
                                                    "timed_out", "unavailable"};
constexpr std::array<std::string_view, 3> kErrorKinds{"absent", "failed",
                                                      "timed_out"};

// The index of the text under `key` among `names`.
template <std::size_t N>
std::size_t choice(JsonReader& reader, const char* key,
                   const std::array<std::string_view, N>& names) {
  const std::string text = reader.text(key);
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return i;
  }
  reader.fail(key, "'" + text + "' is unknown");
  return 0;
}

template <typename T>
Result<Request> decode_as(const Json& body) {
  auto message = T::from_json(body);
  if (!message) return error_of(message);
  return Request(std::move(*message));
}

template <std::size_t I = 0>
Result<Request> decode_any(const Envelope& envelope) {
  if constexpr (I == std::variant_size_v<Request>) {
    return failed("a request of the unknown type '" + envelope.type + "'");
  } else {
    using T = std::variant_alternative_t<I, Request>;
    if (envelope.type == T::kType) return decode_as<T>(envelope.body);
    return decode_any<I + 1>(envelope);
  }
}

}  // namespace

std::string_view to_string(Role role) {
  return kRoles[static_cast<std::size_t>(role)];
}

Result<Role> parse_role(std::string_view name) {
  for (std::size_t i = 0; i < kRoles.size(); ++i) {
    if (kRoles[i] == name) return static_cast<Role>(i);
  }
  return absent("no role '" + std::string(name) +
                "'; there are compile, execute, baseline, measure");
}

std::string_view to_string(Compiled::Status status) {
  return kStatuses[static_cast<std::size_t>(status)];
}

Result<Request> decode_request(const Envelope& envelope) {
  return decode_any(envelope);
}

Json Done::to_json() const { return Json::object(); }
Result<Done> Done::from_json(const Json& json) {
  return JsonReader(json, "done").finish(Done{});
}

Json Failure::to_json() const {
  return {{"kind", kErrorKinds[static_cast<std::size_t>(kind)]},
          {"message", message}};
}
Result<Failure> Failure::from_json(const Json& json) {
  JsonReader reader(json, "failure");
  Failure failure;
  failure.kind = static_cast<ErrorKind>(choice(reader, "kind", kErrorKinds));
  failure.message = reader.text("message");
  return reader.finish(std::move(failure));
}

Json Greeting::to_json() const {
  return {{"version", version},
          {"role", to_string(role)},
          {"device_kind", device_kind},
          {"device_name", device_name},
          {"device_id", device_id},
          {"limits", protocol::to_json(limits)},
          {"cache_bytes", cache_bytes},
          {"features", features},
          {"compiler_id", compiler_id},
          {"baseline_name", baseline_name},
          {"baseline_version", baseline_version},
          {"shared_memory", shared_memory},
          {"own_memory", own_memory},
          {"memory_bytes", memory_bytes},
          {"own_clock", own_clock},
          {"confinement", confinement}};
}
Result<Greeting> Greeting::from_json(const Json& json) {
  JsonReader reader(json, "greeting");
  Greeting greeting;
  greeting.version = reader.index("version");
  greeting.role = static_cast<Role>(choice(reader, "role", kRoles));
  greeting.device_kind = reader.text("device_kind");
  greeting.device_name = reader.text("device_name");
  greeting.device_id = reader.text("device_id");
  greeting.limits =
      reader.take(limits_from_json(reader.object("limits"), "greeting.limits"));
  greeting.cache_bytes = reader.integer("cache_bytes", 0);
  greeting.features = reader.texts("features");
  greeting.compiler_id = reader.text("compiler_id");
  greeting.baseline_name = reader.text("baseline_name");
  greeting.baseline_version = reader.text("baseline_version");
  greeting.shared_memory = reader.flag("shared_memory");
  greeting.own_memory = reader.flag("own_memory");
  greeting.memory_bytes = reader.integer("memory_bytes", 0);
  greeting.own_clock = reader.flag("own_clock");
  greeting.confinement = reader.object("confinement");
  return reader.finish(std::move(greeting));
}

Json Hello::to_json() const {
  return {{"version", version}, {"shared_memory", shared_memory}};
}
Result<Hello> Hello::from_json(const Json& json) {
  JsonReader reader(json, "hello");
  Hello hello;
  hello.version = reader.index("version");
  hello.shared_memory = reader.flag("shared_memory");
  return reader.finish(hello);
}

Json Compiled::to_json() const {
  return {{"status", to_string(status)},
          {"artifact", json_bytes(artifact)},
          {"diagnostics", diagnostics},
          {"report", report},
          {"elapsed_ms", elapsed_ms}};
}
Result<Compiled> Compiled::from_json(const Json& json) {
  JsonReader reader(json, "compiled");
  Compiled compiled;
  compiled.status = static_cast<Status>(choice(reader, "status", kStatuses));
  compiled.artifact = reader.bytes("artifact");
  compiled.diagnostics = reader.text("diagnostics");
  compiled.report = reader.object("report");
  compiled.elapsed_ms = reader.number("elapsed_ms");
  return reader.finish(std::move(compiled));
}

Json Compile::to_json() const {
  return {{"kernel_text", kernel_text},
          {"dialect", evoke::to_string(dialect)},
          {"path", path},
          {"signature", protocol::to_json(signature)},
          {"unit", protocol::to_json(unit)}};
}
Result<Compile> Compile::from_json(const Json& json) {
  JsonReader reader(json, "compile");
  Compile compile;
  compile.kernel_text = reader.text("kernel_text");
  const std::array<std::string_view, 3> dialects{
      evoke::to_string(Dialect::cpu), evoke::to_string(Dialect::cuda),
      evoke::to_string(Dialect::metal)};
  compile.dialect = static_cast<Dialect>(choice(reader, "dialect", dialects));
  compile.path = reader.text("path");
  compile.signature = reader.take(
      signature_from_json(reader.object("signature"), "compile.signature"));
  compile.unit =
      reader.take(unit_from_json(reader.object("unit"), "compile.unit"));
  return reader.finish(std::move(compile));
}

Json AddBuffer::to_json() const {
  return {{"buffer", buffer},
          {"bytes", bytes},
          {"writable", writable},
          {"shared", shared}};
}
Result<AddBuffer> AddBuffer::from_json(const Json& json) {
  JsonReader reader(json, "add_buffer");
  AddBuffer add;
  add.buffer = reader.index("buffer");
  add.bytes = reader.integer("bytes", 1, kMaxBufferBytes);
  add.writable = reader.flag("writable");
  add.shared = reader.flag("shared");
  return reader.finish(add);
}

Json DropBuffer::to_json() const { return {{"buffer", buffer}}; }
Result<DropBuffer> DropBuffer::from_json(const Json& json) {
  JsonReader reader(json, "drop_buffer");
  DropBuffer drop;
  drop.buffer = reader.index("buffer");
  return reader.finish(drop);
}

Json WriteBuffer::to_json() const {
  return {{"buffer", buffer},
          {"offset_bytes", offset_bytes},
          {"data", json_bytes(data)}};
}
Result<WriteBuffer> WriteBuffer::from_json(const Json& json) {
  JsonReader reader(json, "write_buffer");
  WriteBuffer write;
  write.buffer = reader.index("buffer");
  write.offset_bytes = reader.integer("offset_bytes", 0, kMaxBufferBytes);
  write.data = reader.bytes("data");
  return reader.finish(std::move(write));
}

Json BufferContent::to_json() const { return {{"data", json_bytes(data)}}; }
Result<BufferContent> BufferContent::from_json(const Json& json) {
  JsonReader reader(json, "content");
  BufferContent content;
  content.data = reader.bytes("data");
  return reader.finish(std::move(content));
}

Json ReadBuffer::to_json() const {
  return {{"buffer", buffer}, {"offset_bytes", offset_bytes}, {"bytes", bytes}};
}
Result<ReadBuffer> ReadBuffer::from_json(const Json& json) {
  JsonReader reader(json, "read_buffer");
  ReadBuffer read;
  read.buffer = reader.index("buffer");
  read.offset_bytes = reader.integer("offset_bytes", 0, kMaxBufferBytes);
  read.bytes = reader.integer("bytes", 0, kMaxBufferBytes);
  return reader.finish(read);
}

Json MachineRates::to_json() const {
  return {{"read_bytes_per_s", read_bytes_per_s},
          {"bf16_flops", bf16_flops},
          {"fp32_flops", fp32_flops}};
}
Result<MachineRates> MachineRates::from_json(const Json& json) {
  JsonReader reader(json, "rates");
  MachineRates rates;
  rates.read_bytes_per_s = reader.number("read_bytes_per_s");
  rates.bf16_flops = reader.number("bf16_flops");
  rates.fp32_flops = reader.number("fp32_flops");
  return reader.finish(rates);
}

Json Measure::to_json() const {
  return {{"footprint_bytes", footprint_bytes}, {"flops", flops}};
}
Result<Measure> Measure::from_json(const Json& json) {
  JsonReader reader(json, "measure");
  Measure measure;
  measure.footprint_bytes =
      reader.integer("footprint_bytes", 1 << 12, kMaxBufferBytes);
  measure.flops = reader.flag("flops");
  return reader.finish(measure);
}

Json Envelope::to_json() const {
  return {{"v", kVersion},
          {"nonce", nonce},
          {"number", number},
          {"type", type},
          {"body", body}};
}
Result<Envelope> Envelope::from_json(const Json& json) {
  JsonReader reader(json, "message");
  Envelope envelope;
  const int version = reader.index("v");
  if (reader.ok() && version != kVersion) {
    reader.fail("v", "version " + std::to_string(version) + ", not " +
                         std::to_string(kVersion) +
                         "; judge and runner must come from one build");
  }
  envelope.nonce = reader.text("nonce");
  envelope.number = reader.integer("number", 0);
  envelope.type = reader.text("type");
  envelope.body = reader.object("body");
  return reader.finish(std::move(envelope));
}

}  // namespace evoke::protocol
