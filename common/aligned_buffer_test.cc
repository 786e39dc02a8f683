#include "common/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace apollo {
namespace {

TEST(AlignedBufferTest, HoldsZerosAtAPageAndKeepsItsAddress) {
  AlignedBuffer buffer(10000);
  ASSERT_TRUE(buffer.status().ok());
  EXPECT_EQ(buffer.bytes(), 10000u);
  std::uint8_t* data = buffer.as<std::uint8_t>();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 4096, 0u);
  EXPECT_EQ(data[9999], 0);
  data[9999] = 7;
  AlignedBuffer moved(std::move(buffer));
  EXPECT_EQ(moved.as<std::uint8_t>(), data);
  EXPECT_EQ(moved.as<std::uint8_t>()[9999], 7);
}

TEST(AlignedBufferTest, WithoutMemoryItIsEmptyAndSaysHowMuch) {
  // More than the address space of any current machine.
  constexpr std::size_t kTooMany = std::size_t{1} << 60;
  AlignedBuffer buffer(kTooMany);
  EXPECT_EQ(buffer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(buffer.status().message())
                .find("cannot allocate 1152921504606846976 bytes of memory"),
            std::string::npos)
      << buffer.status();
  EXPECT_EQ(buffer.bytes(), 0u);
  EXPECT_EQ(buffer.as<char>(), nullptr);
  const AlignedBuffer moved(std::move(buffer));
  EXPECT_FALSE(moved.status().ok());
}

}  // namespace
}  // namespace apollo
