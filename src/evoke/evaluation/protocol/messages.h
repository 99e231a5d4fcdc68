// What judge and runner say to each other. Every request has one reply, or a
// Failure. docs/runner-protocol.md has the order in which they make sense.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/device_finding.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/problem.h"
#include "evoke/core/tensor.h"

namespace evoke::protocol {

// Raised with every change that an older side would misread.
inline constexpr int kVersion = 4;
// Of a buffer: more is a mistake.
inline constexpr int64_t kMaxBufferBytes = int64_t{1} << 40;

// What a runner process is for. Only `execute` ever loads a candidate, only
// `compile` ever starts a process.
enum class Role { compile, execute, baseline, measure };
std::string_view to_string(Role role);
Result<Role> parse_role(std::string_view name);

// Where one tensor's allocation begins.
struct Placement {
  int buffer = 0;
  int64_t offset_bytes = 0;
};
// One call: a placement per layout of the request that names it.
using Placements = std::vector<Placement>;

struct Done {
  Json to_json() const;
  static Result<Done> from_json(const Json& json);
};

struct Failure {
  static constexpr std::string_view kType = "failure";
  ErrorKind kind = ErrorKind::failed;
  std::string message;

  Json to_json() const;
  static Result<Failure> from_json(const Json& json);
};

// --- first of all ---------------------------------------------------------

struct Greeting {
  int version = kVersion;
  Role role = Role::execute;
  std::string device_kind;
  std::string device_name;
  std::string device_id;  // DeviceInfo::id
  DeviceLimits limits;
  int64_t cache_bytes = 0;
  std::vector<std::string> features;
  std::string compiler_id;       // compile
  std::string baseline_name;     // baseline
  std::string baseline_version;  //
  bool shared_memory = false;    // whether AddBuffer may carry a descriptor
  // Outputs are in the lent memory only after a collect.
  bool own_memory = false;
  int64_t memory_bytes = 0;  // DeviceInfo::memory_bytes
  // It has a processor and a clock of its own: what the host does beside it
  // is no part of a measurement.
  bool own_clock = false;
  Json confinement = Json::object();  // what was enforced, wall by wall

  Json to_json() const;
  static Result<Greeting> from_json(const Json& json);
};

struct Hello {
  static constexpr std::string_view kType = "hello";
  using Reply = Greeting;
  int version = kVersion;
  bool shared_memory = true;  // the judge would like to use it

  Json to_json() const;
  static Result<Hello> from_json(const Json& json);
};

// --- role compile ---------------------------------------------------------

struct Compiled {
  enum class Status { ok, rejected, failed, timed_out, unavailable };
  Status status = Status::unavailable;
  std::vector<std::byte> artifact;
  std::string diagnostics;
  Json report = Json::object();
  double elapsed_ms = 0;

  Json to_json() const;
  static Result<Compiled> from_json(const Json& json);
};
std::string_view to_string(Compiled::Status status);

struct Compile {
  static constexpr std::string_view kType = "compile";
  using Reply = Compiled;
  std::string kernel_text;
  Dialect dialect = Dialect::cpu;
  std::string path;  // for diagnostics only
  ProblemSignature signature;
  CompileUnit unit;

  Json to_json() const;
  static Result<Compile> from_json(const Json& json);
};

// --- roles execute and baseline: memory -----------------------------------

struct AddBuffer {
  static constexpr std::string_view kType = "add_buffer";
  using Reply = Done;
  int buffer = 0;  // a number of the judge's choice, not in use
  int64_t bytes = 0;
  bool writable = false;
  bool shared = false;  // a descriptor comes with the message

  Json to_json() const;
  static Result<AddBuffer> from_json(const Json& json);
};

struct DropBuffer {
  static constexpr std::string_view kType = "drop_buffer";
  using Reply = Done;
  int buffer = 0;

  Json to_json() const;
  static Result<DropBuffer> from_json(const Json& json);
};

// Without shared memory: at most kMaxInlineBytes at a time.
struct WriteBuffer {
  static constexpr std::string_view kType = "write_buffer";
  using Reply = Done;
  int buffer = 0;
  int64_t offset_bytes = 0;
  std::vector<std::byte> data;

  Json to_json() const;
  static Result<WriteBuffer> from_json(const Json& json);
};

struct BufferContent {
  std::vector<std::byte> data;

  Json to_json() const;
  static Result<BufferContent> from_json(const Json& json);
};

struct ReadBuffer {
  static constexpr std::string_view kType = "read_buffer";
  using Reply = BufferContent;
  int buffer = 0;
  int64_t offset_bytes = 0;
  int64_t bytes = 0;

  Json to_json() const;
  static Result<ReadBuffer> from_json(const Json& json);
};

// --- roles execute and baseline: calls ------------------------------------

struct Loaded {
  int program = 0;

  Json to_json() const;
  static Result<Loaded> from_json(const Json& json);
};

struct Load {
  static constexpr std::string_view kType = "load";
  using Reply = Loaded;
  std::vector<std::byte> artifact;

  Json to_json() const;
  static Result<Load> from_json(const Json& json);
};

struct Unload {
  static constexpr std::string_view kType = "unload";
  using Reply = Done;
  int program = 0;

  Json to_json() const;
  static Result<Unload> from_json(const Json& json);
};

struct Prepared {
  std::vector<int> calls;  // one per Placements, in their order
  std::string path;        // baseline: which of its own ways computes them

  Json to_json() const;
  static Result<Prepared> from_json(const Json& json);
};

// Tensors in the signature's order, then scratch in the plan's.
struct Prepare {
  static constexpr std::string_view kType = "prepare";
  using Reply = Prepared;
  int program = 0;
  LaunchPlan plan;
  std::vector<TensorLayout> layouts;
  std::vector<Placements> placements;

  Json to_json() const;
  static Result<Prepare> from_json(const Json& json);
};

struct PrepareBaseline {
  static constexpr std::string_view kType = "prepare_baseline";
  using Reply = Prepared;
  Shape shape;
  std::vector<TensorLayout> layouts;
  std::vector<Placements> placements;

  Json to_json() const;
  static Result<PrepareBaseline> from_json(const Json& json);
};

struct Release {
  static constexpr std::string_view kType = "release";
  using Reply = Done;
  std::vector<int> calls;

  Json to_json() const;
  static Result<Release> from_json(const Json& json);
};

// Says what the next Go runs, so that a timed Go is the smallest message. The
// runner looks out for it without sleeping for a short while.
struct Stage {
  static constexpr std::string_view kType = "stage";
  using Reply = Done;
  std::vector<int> calls;
  bool collect = false;  // the next go brings outputs into their tensors
  bool inputs = false;   // the judge changed inputs since they were prepared

  Json to_json() const;
  static Result<Stage> from_json(const Json& json);
};

struct Ran {
  // By the device's own clock and without the host's share, where it has one
  // (DeviceSession::device_ns).
  std::optional<int64_t> device_ns;
  std::string damage;  // as of Collected; empty without Stage::collect
  std::vector<DeviceFinding> findings;  // DeviceSession::findings

  Json to_json() const;
  static Result<Ran> from_json(const Json& json);
};

// Runs the staged calls one after another; answers when all have finished.
// May be repeated.
struct Go {
  static constexpr std::string_view kType = "go";
  using Reply = Ran;

  Json to_json() const;
  static Result<Go> from_json(const Json& json);
};

struct Collected {
  // What the kernels did to memory that the judge cannot see: "changed its
  // input 'key'". Empty when nothing.
  std::string damage;

  Json to_json() const;
  static Result<Collected> from_json(const Json& json);
};

// Brings outputs, scratch and guard bands of some calls of the latest run into
// the lent memory, where the device has its own; nothing to do elsewhere.
struct Collect {
  static constexpr std::string_view kType = "collect";
  using Reply = Collected;
  std::vector<int> calls;

  Json to_json() const;
  static Result<Collect> from_json(const Json& json);
};

struct Digests {
  std::vector<std::string> digests;  // DeviceSession::digests
  std::string damage;                // as of Collected

  Json to_json() const;
  static Result<Digests> from_json(const Json& json);
};

// Of the staged calls' answers, where the device has memory of its own.
struct Digest {
  static constexpr std::string_view kType = "digest";
  using Reply = Digests;

  Json to_json() const;
  static Result<Digest> from_json(const Json& json);
};

// --- role measure ---------------------------------------------------------

struct MachineRates {
  double read_bytes_per_s = 0;  // all threads, over the footprint
  double bf16_flops = 0;        // per second, all threads, best instruction
  double fp32_flops = 0;

  Json to_json() const;
  static Result<MachineRates> from_json(const Json& json);
};

struct Measure {
  static constexpr std::string_view kType = "measure";
  using Reply = MachineRates;
  int64_t footprint_bytes = 0;
  bool flops = false;  // the arithmetic as well

  Json to_json() const;
  static Result<Measure> from_json(const Json& json);
};

using Request = std::variant<Hello, Compile, AddBuffer, DropBuffer, WriteBuffer,
                             ReadBuffer, Load, Unload, Prepare, PrepareBaseline,
                             Release, Stage, Go, Digest, Collect, Measure>;

// The frame around every message: version, nonce, number and type.
struct Envelope {
  std::string nonce;
  int64_t number = 0;  // 1, 2, ...; a reply carries its request's
  std::string type;
  Json body = Json::object();

  Json to_json() const;
  static Result<Envelope> from_json(const Json& json);
};

Result<Request> decode_request(const Envelope& envelope);

}  // namespace evoke::protocol
