// A device: where kernels of one dialect are compiled and run. Lives in the
// runner process; the judge reaches it through evaluation/protocol.
//
// Two halves, never used in the same process for candidates: a Compiler (may
// start a compiler, never loads what it made) and a DeviceSession (loads and
// runs, never starts a process).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"
#include "evoke/core/device_finding.h"
#include "evoke/core/exit_reason.h"
#include "evoke/core/kernel_source.h"
#include "evoke/core/launch_plan.h"
#include "evoke/core/tensor.h"

namespace evoke {

struct DeviceInfo {
  std::string kind;  // "cpu"
  std::string name;  // "Intel Xeon, 2 threads, avx512_bf16"
  // Which of several alike it is, wherever it is counted: "GPU-8f2a...".
  // Empty: there is but one.
  std::string id;
  DeviceLimits limits;
  int64_t cache_bytes = 0;            // the last-level cache
  std::vector<std::string> features;  // "avx2", "avx512_bf16", "amx_bf16"
  // Its memory is not the host's: see DeviceSession::stage.
  bool own_memory = false;
  int64_t memory_bytes = 0;  // of its own memory, where that is known
  bool own_clock = false;    // DeviceSession::device_ns() tells
};

// The device is in a state that only the end of this process mends. Thrown by
// sessions, answered by nobody: the runner ends with `reason` as its exit
// code, which the judge puts into words.
class DeviceFault : public std::runtime_error {
 public:
  DeviceFault(ExitReason reason, const std::string& what)
      : std::runtime_error(what), reason_(reason) {}
  ExitReason reason() const { return reason_; }

 private:
  ExitReason reason_;
};

struct CompileReply {
  enum class Status { ok, rejected, failed, timed_out, unavailable };
  Status status = Status::unavailable;
  std::vector<std::byte> artifact;  // when ok
  std::string diagnostics;          // cleaned of paths; warnings too
  Json report = Json::object();     // code_bytes, isa, registers, ...
  double elapsed_ms = 0;
};

class Compiler {
 public:
  virtual ~Compiler() = default;
  // Version and flags: part of every compile key.
  virtual std::string id() const = 0;
  virtual CompileReply compile(const KernelSource& kernel,
                               const ProblemSignature& signature,
                               const CompileUnit& unit) = 0;
};

// Memory of the host's that tensors lie in: the unit that a device with
// memory of its own keeps a mirror of.
struct HostBuffer {
  std::span<std::byte> bytes;
  bool writable = false;  // by kernels
};

// One tensor of a call: where its element 0 lies, and its layout.
struct BoundTensor {
  std::byte* data = nullptr;
  TensorLayout layout;
  HostBuffer buffer;  // that holds the layout's whole allocation
};

using ProgramId = int;
using CallId = int;

// Of answers in a device's memory.
struct DeviceDigests {
  std::vector<std::string> digests;  // by call; empty: it cannot tell
  std::string damage;                // as collect() gives it
};

// The best that probes reach: no kernel is quicker.
struct DeviceRates {
  double read_bytes_per_s = 0;  // over the footprint asked for
  double bf16_flops = 0;        // per second, with the best instruction
};

// Where a device's memory is not the host's (DeviceInfo::own_memory), each
// HostBuffer has a mirror there: one allocation of the same size, tensors at
// the same offsets, guard bands included, shared by all calls. Then
//   prepare()   brings the call's inputs to the mirror
//   stage()     makes all that kernels may write there NaN (all ones), so
//               that no call finds what an earlier one left
//   run()       touches the mirrors alone; device_ns() is what it took
//   digests()   tells answers apart without bringing them back
//   collect()   brings outputs, scratch and the guard bands around them back
// and between stage() and collect() the host's memory means nothing. On other
// devices stage() and collect() have nothing to do.
class DeviceSession {
 public:
  virtual ~DeviceSession() = default;
  // Loads the artifact of one compile unit.
  virtual Result<ProgramId> load(std::span<const std::byte> artifact) = 0;
  virtual void unload(ProgramId program) = 0;
  // Binds one call: all tensors of the problem in the signature's order, then
  // scratch in the plan's order (memory of the caller's, already poisoned).
  virtual Result<CallId> prepare(ProgramId program, const LaunchPlan& plan,
                                 std::vector<BoundTensor> tensors) = 0;
  virtual void release(CallId call) = 0;
  // A buffer's memory goes away; its calls are released, or never run again.
  virtual void forget(std::span<const std::byte> /*buffer*/) {}
  // Untimed. `inputs`: the host changed inputs of these calls as well.
  virtual Result<void> stage(std::span<const CallId> /*calls*/,
                             bool /*inputs*/) {
    return {};
  }
  // run() comes next, and its time counts.
  virtual void get_ready() {}
  // Runs the calls one after another; returns when all have finished.
  virtual Result<void> run(std::span<const CallId> calls) = 0;
  // What the latest run took by the device's own clock, from the first call's
  // start to the last one's end, free of the host's share. Empty: it has no
  // such clock, or the host was not hidden.
  virtual std::optional<int64_t> device_ns() const { return std::nullopt; }
  // Untimed, after run(). What kernels did there that they may not do and the
  // host cannot see ("changed its input 'key'"); empty when nothing.
  virtual Result<std::string> collect(std::span<const CallId> /*calls*/) {
    return std::string();
  }
  // Untimed, after run(). Of each call a digest of its outputs' allocations,
  // guard bands included: equal bytes have equal ones, and others but by a
  // chance of 2^-64.
  virtual Result<DeviceDigests> digests(std::span<const CallId> /*calls*/) {
    return DeviceDigests();
  }
  // What was seen of the kernels of the latest run, in a stable order: what is
  // wrong comes first. Of a device that watches them; others see nothing.
  virtual std::vector<DeviceFinding> findings() const { return {}; }
  // Takes a second at most. `flops`: the arithmetic as well. Devices that are
  // the host itself leave this to the runner.
  virtual Result<DeviceRates> measure(int64_t /*footprint_bytes*/,
                                      bool /*flops*/) {
    return absent("this device has no probes");
  }
};

struct Device {
  DeviceInfo info;
  std::unique_ptr<Compiler> compiler;      // null: cannot compile here
  std::unique_ptr<DeviceSession> session;  // null: cannot run here
};

struct DeviceOptions {
  std::string selector;        // which of several: "1", "GPU-8f2a..."
  int num_threads = 0;         // cpu: 0 is one per core it may use
  std::string scratch_folder;  // compiler's private folder
  bool with_compiler = false;
  bool with_session = false;
};

}  // namespace evoke
