// From the text that MLX would give to Metal's compiler to text that a host
// compiler takes, line for line:
//   threadgroup T name[N];   a reference to memory that the executor owns
//   1.5h, 1.5bf              literals of the shim
//   #include <metal_...>     nothing: the shim is there already
//   template [[host_name]]   nothing: the entry names the kernel
#pragma once

#include <string>
#include <string_view>

namespace evoke::metal::host {

std::string rewrite(std::string_view text);

}  // namespace evoke::metal::host
