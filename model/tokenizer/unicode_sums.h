#pragma once

#include <gtest/gtest.h>
#include <unicode/utf8.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/tokenizer/tokenizer.h"

namespace apollo {

// For each block of 4096 code points without surrogates, returns the number of
// ids of texts that contain one code point each in several contexts, and the
// sum of (id + 1) times its 1-based position within the block. Equals
// unicode_sums() of testdata/make_testdata.py.
inline std::vector<std::vector<std::uint64_t>> UnicodeSums(
    const Tokenizer& tokenizer) {
  std::vector<std::vector<std::uint64_t>> sums;
  for (UChar32 start = 0; start < 0x110000; start += 4096) {
    std::uint64_t count = 0;
    std::uint64_t total = 0;
    for (UChar32 c = start; c < start + 4096; ++c) {
      if (U_IS_SURROGATE(c)) continue;
      char buffer[U8_MAX_LENGTH];
      int length = 0;
      U8_APPEND_UNSAFE(buffer, length, c);
      const std::string s(buffer, length);
      const std::string text = s + " x" + s + "y  " + s + s + " '" + s + "e" +
                               s + "\u0301\u0323 1" + s + "\n\n" + s + "'s" + s;
      const auto ids = tokenizer.Encode(text, SpecialText::kPlain);
      EXPECT_TRUE(ids.ok()) << ids.status();
      if (!ids.ok()) return {};
      for (const TokenId id : *ids) {
        ++count;
        total += count * (static_cast<std::uint64_t>(id) + 1);
      }
    }
    sums.push_back({count, total});
  }
  return sums;
}

}  // namespace apollo
