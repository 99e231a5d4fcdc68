#include "evoke/evaluation/protocol/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "evoke/evaluation/protocol/cbor.h"
#include "evoke/evaluation/protocol/shared_memory.h"

namespace evoke::protocol {
namespace {

class ChannelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = Channel::make_pair();
    ASSERT_TRUE(made);
    left_ = std::make_unique<Channel>(std::move(made->first));
    right_ = std::make_unique<Channel>(std::move(made->second));
  }
  void write_raw(const std::vector<int>& values) {
    std::vector<std::byte> bytes;
    for (const int value : values) {
      bytes.push_back(static_cast<std::byte>(value));
    }
    ASSERT_TRUE(write_all(left_->fd(), bytes));
  }
  std::unique_ptr<Channel> left_;
  std::unique_ptr<Channel> right_;
};

TEST_F(ChannelTest, CarriesMessagesInOrder) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(left_->send(Json(i)));
  for (int i = 0; i < 100; ++i) {
    const auto message = right_->receive(1000);
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_EQ(message->body, Json(i));
    EXPECT_TRUE(message->descriptors.empty());
  }
}

TEST_F(ChannelTest, CarriesMessagesLargerThanTheSocketHolds) {
  const std::string text(8 << 20, 'x');
  std::thread writer([&] { EXPECT_TRUE(left_->send(Json(text), {}, 30'000)); });
  const auto message = right_->receive(30'000);
  writer.join();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->body.get_ref<const std::string&>(), text);
}

TEST_F(ChannelTest, CarriesDescriptorsWithTheirMessage) {
  auto memory = SharedMemory::create(4096, /*read_only_for_others=*/false);
  ASSERT_TRUE(memory);
  memory->bytes()[5] = std::byte{42};
  const std::array<int, 1> descriptors{memory->fd()};
  ASSERT_TRUE(left_->send(Json("first")));
  ASSERT_TRUE(left_->send(Json("second"), descriptors));
  ASSERT_TRUE(left_->send(Json("third")));
  EXPECT_TRUE(right_->receive(1000)->descriptors.empty());
  const auto second = right_->receive(1000);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, Json("second"));
  ASSERT_EQ(second->descriptors.size(), 1U);
  EXPECT_TRUE(right_->receive(1000)->descriptors.empty());

  auto mapped =
      MappedMemory::map(second->descriptors[0].get(), 4096, /*writable=*/true);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->bytes()[5], std::byte{42});
  mapped->bytes()[6] = std::byte{43};
  EXPECT_EQ(memory->bytes()[6], std::byte{43});
}

TEST_F(ChannelTest, TellsClosedFromBroken) {
  left_->close();
  const auto message = right_->receive(1000);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::absent);
}

TEST_F(ChannelTest, ACloseInTheMiddleIsAFailure) {
  write_raw({'e', 'v', 'k', '1', 9, 0, 0, 0, 0x01});
  left_->close();
  const auto message = right_->receive(1000);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::failed);
}

TEST_F(ChannelTest, RefusesAnotherProtocol) {
  write_raw({'H', 'T', 'T', 'P', '/', '1', '.', '1', '\n'});
  const auto message = right_->receive(1000);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::failed);
}

TEST_F(ChannelTest, RefusesHugeMessagesBeforeReadingThem) {
  write_raw({'e', 'v', 'k', '1', 0xff, 0xff, 0xff, 0xff});
  const auto message = right_->receive(1000);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::failed);
}

TEST_F(ChannelTest, RefusesPayloadsThatAreNotCbor) {
  write_raw({'e', 'v', 'k', '1', 2, 0, 0, 0, 0xff, 0xff});
  const auto message = right_->receive(1000);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::failed);
}

TEST_F(ChannelTest, TimesOut) {
  const auto message = right_->receive(10);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::timed_out);
  EXPECT_FALSE(right_->wait_readable(1));
  write_raw({'e', 'v', 'k'});
  EXPECT_TRUE(right_->wait_readable(1000));
  EXPECT_FALSE(right_->receive(10));
}

TEST_F(ChannelTest, SpinningReadsTheSame) {
  right_->set_spin_us(500);
  ASSERT_TRUE(left_->send(Json("go")));
  EXPECT_TRUE(right_->receive(1000));
  EXPECT_FALSE(right_->receive(5));
}

TEST(SharedMemory, WhatIsReadOnlyCannotBeMappedForWriting) {
  auto memory = SharedMemory::create(4096, /*read_only_for_others=*/true);
  ASSERT_TRUE(memory);
  memory->bytes()[0] = std::byte{1};
#ifdef __linux__
  EXPECT_FALSE(MappedMemory::map(memory->fd(), 4096, /*writable=*/true));
#endif
  const auto mapped = MappedMemory::map(memory->fd(), 4096, false);
  ASSERT_TRUE(mapped);
  memory->bytes()[1] = std::byte{2};
  EXPECT_EQ(mapped->bytes()[1], std::byte{2});
}

TEST(SharedMemory, CannotBeShortenedUnderItsReader) {
  auto memory = SharedMemory::create(8192, /*read_only_for_others=*/false);
  ASSERT_TRUE(memory);
#ifdef __linux__
  EXPECT_NE(::ftruncate(memory->fd(), 4096), 0);
#endif
  EXPECT_FALSE(MappedMemory::map(memory->fd(), 16384, true));
  EXPECT_FALSE(SharedMemory::create(0, false));
}

}  // namespace
}  // namespace evoke::protocol
