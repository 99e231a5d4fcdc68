#include "evoke/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "evoke/base/error.h"

namespace evoke {
namespace {

TEST(Parallel, EveryPieceIsDoneOnce) {
  for (const int num_threads : {0, 1, 3, 40}) {
    std::vector<std::atomic<int>> done(17);
    in_parallel(num_threads, done.size(), [&](std::size_t i) { ++done[i]; });
    for (const auto& each : done) EXPECT_EQ(each, 1) << num_threads;
  }
}

TEST(Parallel, NothingToDoIsDone) {
  in_parallel(4, 0, [](std::size_t) { FAIL(); });
}

TEST(Parallel, OneThreadIsTheCallers) {
  std::set<std::thread::id> threads;
  in_parallel(1, 5,
              [&](std::size_t) { threads.insert(std::this_thread::get_id()); });
  EXPECT_EQ(threads, std::set{std::this_thread::get_id()});
}

TEST(Parallel, WhatAPieceThrowsArrives) {
  std::atomic<int> done{0};
  EXPECT_THROW(in_parallel(4, 1000,
                           [&](std::size_t i) {
                             if (i == 3) throw StartupError("three");
                             ++done;
                           }),
               StartupError);
  EXPECT_LT(done, 1000);
}

}  // namespace
}  // namespace evoke
