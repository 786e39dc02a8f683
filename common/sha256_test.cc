#include "common/sha256.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

// Example values published by NIST with FIPS 180-4.
TEST(Sha256Test, IsTheStandards) {
  EXPECT_EQ(Sha256Hex(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(
      Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, BytesAndDigitsAreTheSame) {
  const std::string bytes = Sha256("abc");
  ASSERT_EQ(bytes.size(), 32u);
  EXPECT_EQ(bytes.substr(0, 3), "\xba\x78\x16");
  EXPECT_EQ(bytes[31], '\xad');
}

TEST(Sha256Test, TakesZeroBytesAsBytes) {
  EXPECT_NE(Sha256Hex(std::string_view("\0", 1)), Sha256Hex(""));
}

}  // namespace
}  // namespace apollo
