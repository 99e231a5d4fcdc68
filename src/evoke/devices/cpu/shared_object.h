// A shared object in memory, loaded into this process.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "evoke/base/error.h"

namespace evoke::cpu {

class SharedObject {
 public:
  // Calls the dynamic loader on the bytes as they are: check_object() first.
  static Result<std::unique_ptr<SharedObject>> load(
      std::span<const std::byte> bytes);
  ~SharedObject();
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  // Null when there is none.
  void* find(const std::string& symbol) const;

 private:
  SharedObject() = default;
  struct File;
  std::unique_ptr<File> file_;
  void* handle_ = nullptr;
};

}  // namespace evoke::cpu
