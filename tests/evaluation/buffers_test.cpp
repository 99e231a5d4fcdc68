#include "evoke/evaluation/runner/buffers.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <utility>
#include <vector>

namespace evoke::runner {
namespace {

constexpr int64_t kPage = 4096;

TensorLayout layout_of(int64_t bytes) {
  TensorLayout layout;
  layout.name = "tensor";
  layout.type = DType::float32;
  layout.shape = {bytes / 4};
  layout.strides = {1};
  layout.allocation_bytes = bytes;
  return layout;
}

class BuffersTest : public ::testing::TestWithParam<bool> {
 protected:
  // The buffer's bytes as kernels see them.
  std::byte* add(int number, int64_t bytes) {
    protocol::AddBuffer request;
    request.buffer = number;
    request.bytes = bytes;
    request.writable = true;
    request.shared = GetParam();
    Fd descriptor;
    if (request.shared) {
      memory_.push_back(
          std::move(protocol::SharedMemory::create(bytes, false).value()));
      descriptor = Fd(::dup(memory_.back().fd()));
    }
    EXPECT_TRUE(buffers_.add(request, descriptor));
    return buffers_.bind({layout_of(bytes)}, {{number, 0}})->front().data;
  }

  Buffers buffers_{/*populate=*/true};
  std::vector<protocol::SharedMemory> memory_;
};

TEST_P(BuffersTest, WhatTheRunBeforeWroteIsForgotten) {
  constexpr int64_t kBytes = 64 * kPage;
  std::byte* const bytes = add(1, kBytes);
  const Buffers::Place kept{1, 8 * kPage, 100};
  const Buffers::Place left{1, 20 * kPage, 2 * kPage};
  ASSERT_TRUE(buffers_.isolate({kept, left}));
  std::memset(bytes + 8 * kPage, 42, kPage);  // more than its own
  std::memset(bytes + 20 * kPage, 42, 2 * kPage);
  ASSERT_TRUE(buffers_.isolate({kept}));
  for (int64_t i = 0; i < kPage; ++i) {
    const std::byte expected{static_cast<unsigned char>(i < 100 ? 42 : 0xff)};
    ASSERT_EQ(bytes[8 * kPage + i], expected) << "byte " << i;
  }
  for (int64_t i = 0; i < 2 * kPage; ++i) {
    ASSERT_EQ(bytes[20 * kPage + i], std::byte{0xff}) << "byte " << i;
  }
}

TEST_P(BuffersTest, OnlyPagesInUseCanBeWritten) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  volatile std::byte* const bytes = add(1, 64 * kPage);
  ASSERT_TRUE(buffers_.isolate({{1, 8 * kPage, kPage}, {1, 40 * kPage, 10}}));
  bytes[8 * kPage] = std::byte{1};
  bytes[40 * kPage] = std::byte{1};
  EXPECT_DEATH(bytes[7 * kPage] = std::byte{1}, "");
  EXPECT_DEATH(bytes[9 * kPage] = std::byte{1}, "");
  EXPECT_DEATH(bytes[63 * kPage] = std::byte{1}, "");
  ASSERT_TRUE(buffers_.isolate({{1, 63 * kPage, kPage}}));
  bytes[63 * kPage] = std::byte{1};
  EXPECT_DEATH(bytes[8 * kPage] = std::byte{1}, "");
}

TEST_P(BuffersTest, OtherCallsBuffersCannotBeWritten) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  add(1, kPage);
  std::byte* const other = add(2, kPage);
  ASSERT_TRUE(buffers_.isolate({{1, 0, kPage}}));
  EXPECT_DEATH(*static_cast<volatile std::byte*>(other) = std::byte{1}, "");
  // ... but prepared, and then again by its own call.
  ASSERT_TRUE(buffers_.open_for({{2, 0}}));
  *static_cast<volatile std::byte*>(other) = std::byte{1};
}

TEST_P(BuffersTest, ReadsAndWritesReachClosedBuffers) {
  if (GetParam()) GTEST_SKIP() << "the judge writes shared memory itself";
  add(1, kPage);
  add(2, kPage);
  ASSERT_TRUE(buffers_.isolate({{1, 0, kPage}}));
  protocol::WriteBuffer write;
  write.buffer = 2;
  write.offset_bytes = 8;
  write.data = {std::byte{1}, std::byte{2}};
  ASSERT_TRUE(buffers_.write(write));
  const auto content = buffers_.read({2, 8, 2});
  ASSERT_TRUE(content);
  EXPECT_EQ(content->data, write.data);
}

INSTANTIATE_TEST_SUITE_P(Memory, BuffersTest, ::testing::Bool(),
                         [](const auto& each) {
                           return each.param ? "Shared" : "Private";
                         });

}  // namespace
}  // namespace evoke::runner
