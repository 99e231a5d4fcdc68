#include "evoke/base/fd.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <span>
#include <string>
#include <string_view>
#include <thread>

namespace evoke {
namespace {

using testing::HasSubstr;

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(Fd, ClosesWhatItOwns) {
  int number = -1;
  {
    const Fd fd(::open("/dev/null", O_RDONLY));
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
  EXPECT_FALSE(Fd().valid());
}

TEST(Fd, MovingHandsOwnershipOver) {
  Fd first(::open("/dev/null", O_RDONLY));
  const int number = first.get();
  Fd second(std::move(first));
  EXPECT_EQ(second.get(), number);
  Fd third(::open("/dev/null", O_RDONLY));
  const int old = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(old));
  EXPECT_TRUE(is_open(number));
  const int released = third.release();
  EXPECT_FALSE(third.valid());
  EXPECT_TRUE(is_open(released));
  ::close(released);
}

TEST(WriteAll, GoesThroughShortWrites) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const std::string text(1'000'000, 'x');  // more than a pipe holds
  std::thread thread([&] {
    EXPECT_TRUE(write_all(writer.get(), std::as_bytes(std::span(text))));
    writer.close();
  });
  std::size_t total = 0;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(reader.get(), buffer, sizeof(buffer))) > 0;) {
    total += static_cast<std::size_t>(n);
  }
  thread.join();
  EXPECT_EQ(total, text.size());
}

TEST(WriteAll, ReportsAFullDevice) {
  const Fd full(::open("/dev/full", O_WRONLY));
  if (!full.valid()) GTEST_SKIP() << "no /dev/full here";
  const std::string_view text = "text";
  const auto written = write_all(full.get(), std::as_bytes(std::span(text)));
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("No space left"));
}

TEST(ReadFile, TellsAbsentFromFailed) {
  const auto missing = read_file("/no/such/file");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::absent);
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/file"));
  const auto folder = read_file("/");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::failed);
  EXPECT_EQ(*read_file("/dev/null"), "");
}

}  // namespace
}  // namespace evoke
