// Where objects are not ELF nobody has written the check, so nothing passes.
#include "evoke/devices/cpu/object_check.h"

namespace evoke::cpu {

Result<ObjectFacts> check_object(std::span<const std::byte>, ImportFilter) {
  return failed(
      "objects of this system cannot be checked, so the cpu device loads none; "
      "use Linux");
}

}  // namespace evoke::cpu
