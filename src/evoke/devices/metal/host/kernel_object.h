// A compiled Metal kernel in memory: which objects may be loaded, and where
// their code lies once they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "evoke/base/error.h"
#include "evoke/devices/cpu/object_check.h"
#include "evoke/devices/cpu/shared_object.h"
#include "evoke/devices/metal/host/access.h"
#include "evoke/devices/metal/host/kernel_abi.h"
#include "evoke/devices/metal/host/line_table.h"

namespace evoke::metal::host {

// As on the cpu device: code and constants, nothing that could remember
// anything; beside the C library's functions it may call the executor's.
Result<cpu::ObjectFacts> check_kernel_object(std::span<const std::byte> object);

class KernelObject final : public CodeMap {
 public:
  // Checks the object again: it may come from a disk.
  static Result<std::unique_ptr<KernelObject>> load(
      std::span<const std::byte> object, LineTable lines);

  // Null: there is none of that name.
  EvokeMetalFunction find(const std::string& kernel) const;

  uintptr_t base() const override { return base_; }
  int line_of(uint32_t offset) const override;
  bool is_constant(uintptr_t address, std::size_t bytes) const override;

 private:
  KernelObject() = default;
  std::unique_ptr<cpu::SharedObject> object_;
  LineTable lines_;
  uintptr_t base_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace evoke::metal::host
