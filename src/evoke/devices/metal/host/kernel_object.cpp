#include "evoke/devices/metal/host/kernel_object.h"

#include <dlfcn.h>
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "evoke/devices/metal/host/artifact.h"
#include "evoke/devices/metal/host/hooks.h"

namespace evoke::metal::host {
namespace {

bool is_import(std::string_view name) {
  return cpu::is_allowed_import(name) || name.starts_with("evoke_metal_") ||
         name.starts_with("__wrap___asan_");
}

// Of all that is loaded; the object has been checked.
std::size_t loaded_bytes(std::span<const std::byte> object) {
  Elf64_Ehdr header{};
  std::memcpy(&header, object.data(), sizeof(header));
  std::size_t bytes = 0;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, object.data() + header.e_phoff + i * sizeof(segment),
                sizeof(segment));
    if (segment.p_type != PT_LOAD) continue;
    bytes = std::max<std::size_t>(bytes, segment.p_vaddr + segment.p_memsz);
  }
  return bytes;
}

}  // namespace

Result<cpu::ObjectFacts> check_kernel_object(
    std::span<const std::byte> object) {
  return cpu::check_object(object, is_import);
}

Result<std::unique_ptr<KernelObject>> KernelObject::load(
    std::span<const std::byte> object, LineTable lines) {
  keep_hooks();
  const auto facts = check_kernel_object(object);
  if (!facts) {
    return failed("the compiled kernel is refused: " + facts.error().message);
  }
  auto loaded = cpu::SharedObject::load(object);
  if (!loaded) return error_of(loaded);
  std::unique_ptr<KernelObject> result(new KernelObject);
  result->object_ = std::move(*loaded);
  result->lines_ = std::move(lines);
  result->bytes_ = loaded_bytes(object);
  Dl_info info{};
  if (facts->entry_points.empty() ||
      ::dladdr(result->object_->find(facts->entry_points.front()), &info) ==
          0) {
    return failed("the compiled kernel has no entry point");
  }
  result->base_ = reinterpret_cast<uintptr_t>(info.dli_fbase);
  return result;
}

EvokeMetalFunction KernelObject::find(const std::string& kernel) const {
  return reinterpret_cast<EvokeMetalFunction>(
      object_->find(entry_point(kernel)));
}

// Return addresses lie behind their call.
int KernelObject::line_of(uint32_t offset) const {
  return offset == 0 || offset > bytes_ ? 0 : lines_.line_of(offset - 1);
}

bool KernelObject::is_constant(uintptr_t address, std::size_t bytes) const {
  return address >= base_ && address + bytes <= base_ + bytes_;
}

}  // namespace evoke::metal::host
