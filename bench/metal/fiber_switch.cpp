// What a switch between two fibers costs: ours, and Boost.Context's. Prints
// the median and the least of nine rounds, taken in turns.
//
//   apt-get install libboost-context-dev
//   g++ -O2 -std=c++20 -Isrc bench/metal/fiber_switch.cpp
//     src/evoke/devices/metal/host/fiber.cpp -lboost_context -o fiber_switch
#include <algorithm>
#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "evoke/devices/metal/host/fiber.h"

namespace {

namespace host = evoke::metal::host;
namespace boost_context = boost::context::detail;

constexpr int kSwitches = 2'000'000;
constexpr int kRounds = 9;

host::Context here;
host::Context there;

void answer(void* /*unused*/) {
  for (;;) host::evoke_metal_switch(&there, here);
}
void answer_boost(boost_context::transfer_t from) {
  for (;;) from = boost_context::jump_fcontext(from.fctx, nullptr);
}

}  // namespace

int main() {
  host::Stacks stacks;
  stacks.reserve(2);
  there = host::make_context(stacks.stack(0), stacks.stack_bytes(), answer,
                             nullptr);
  boost_context::transfer_t low{
      boost_context::make_fcontext(stacks.stack(1) + stacks.stack_bytes(),
                                   stacks.stack_bytes(), answer_boost),
      nullptr};
  boost::context::fiber high([](boost::context::fiber&& from) {
    for (;;) from = std::move(from).resume();
    return std::move(from);
  });
  std::array<std::vector<double>, 3> results;
  const auto measure = [](std::vector<double>& out, const auto& step) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kSwitches; ++i) step();
    const std::chrono::duration<double, std::nano> taken =
        std::chrono::steady_clock::now() - start;
    out.push_back(taken.count() / kSwitches / 2);
  };
  for (int round = 0; round < kRounds; ++round) {
    measure(results[0], [] { host::evoke_metal_switch(&here, there); });
    measure(results[1],
            [&] { low = boost_context::jump_fcontext(low.fctx, nullptr); });
    measure(results[2], [&] { high = std::move(high).resume(); });
  }
  constexpr std::array<const char*, 3> kNames{"ours", "jump_fcontext",
                                              "boost::context::fiber"};
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::sort(results[i].begin(), results[i].end());
    std::printf("%-22s %6.2f ns, least %6.2f ns\n", kNames[i],
                results[i][results[i].size() / 2], results[i].front());
  }
  std::fflush(stdout);
  std::_Exit(0);  // the fibers never end
}
