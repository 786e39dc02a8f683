#include "link/cached_prefixes_codec.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(CachedPrefixesCodecTest, HashesTravelUnlessTheyAreKnown) {
  const CachedPrefixes prefixes = MakeCachedPrefixes({5, ~0ull, 7});
  internal::v1::CachedPrefixes message;
  ToProto(prefixes, 0, &message);
  const CachedPrefixes back = FromProto(message);
  EXPECT_EQ(back.version, prefixes.version);
  EXPECT_EQ(back.hashes, prefixes.hashes);
  message.Clear();
  ToProto(prefixes, prefixes.version, &message);
  EXPECT_EQ(message.version(), prefixes.version);
  EXPECT_EQ(message.hashes_size(), 0);
}

TEST(CachedPrefixesCodecTest, TooManyHashesAreCutOff) {
  internal::v1::CachedPrefixes message;
  for (std::size_t i = 0; i < kMostPrefixes + 5; ++i) message.add_hashes(i);
  const CachedPrefixes prefixes = FromProto(message);
  ASSERT_EQ(prefixes.hashes.size(), kMostPrefixes);
  EXPECT_EQ(prefixes.hashes.back(), kMostPrefixes - 1);
}

}  // namespace
}  // namespace apollo
