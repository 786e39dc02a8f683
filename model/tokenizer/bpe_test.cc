// Compares the search of Bpe with Merging, the definition of byte-pair
// encoding.
#include "model/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace apollo {
namespace {

using Ids = std::vector<TokenId>;

// A vocabulary over the letters a, b, ..., with functions to extend it.
struct TestVocabulary {
  TokenizerSpec spec;
  std::vector<std::string> bytes;

  explicit TestVocabulary(int letters) {
    spec.byte_tokens.fill(kNoToken);
    for (int i = 0; i < letters; ++i) {
      const char letter = static_cast<char>('a' + i);
      spec.byte_tokens[letter] = Add(std::string(1, letter));
    }
  }

  TokenId Add(const std::string& token) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] == token) return static_cast<TokenId>(i);
    }
    const auto id = static_cast<TokenId>(bytes.size());
    bytes.push_back(token);
    spec.vocab.emplace_back(token, id);
    return id;
  }

  bool AddMerge(TokenId left, TokenId right) {
    for (const Merge& merge : spec.merges) {
      if (merge.left == left && merge.right == right) return false;
    }
    spec.merges.push_back({left, right, Add(bytes[left] + bytes[right])});
    return true;
  }
};

Ids Merged(const TokenizerSpec& spec, std::string_view piece) {
  const Merging merging(spec.byte_tokens, spec.merges);
  Merging::Scratch scratch;
  Ids ids;
  merging.Encode(piece, &scratch, &ids);
  return ids;
}

std::string RandomText(std::mt19937& random, int letters, int max_size) {
  std::string text;
  for (int i = random() % max_size; i >= 0; --i) {
    text += static_cast<char>('a' + random() % letters);
  }
  return text;
}

// The simplest implementation of merging.
Ids NaiveMerged(const TokenizerSpec& spec, std::string_view piece) {
  Ids ids;
  for (const char c : piece) {
    if (spec.byte_tokens[c] != kNoToken) ids.push_back(spec.byte_tokens[c]);
  }
  while (true) {
    std::size_t best = spec.merges.size();
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      for (std::size_t rank = 0; rank < best; ++rank) {
        const Merge& merge = spec.merges[rank];
        if (merge.left == ids[i] && merge.right == ids[i + 1]) {
          best = rank;
          place = i;
        }
      }
    }
    if (best == spec.merges.size()) return ids;
    ids[place] = spec.merges[best].merged;
    ids.erase(ids.begin() + place + 1);
  }
}

TEST(MergingTest, EqualsTheDefinition) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    TestVocabulary v(3);
    for (int i = 0; i < 20; ++i) {
      v.AddMerge(random() % v.bytes.size(), random() % v.bytes.size());
    }
    // In any order, including orders that training cannot produce.
    std::shuffle(v.spec.merges.begin(), v.spec.merges.end(), random);
    for (int i = 0; i < 20; ++i) {
      const std::string text = RandomText(random, 3, 150);
      ASSERT_EQ(Merged(v.spec, text), NaiveMerged(v.spec, text)) << text;
    }
  }
}

// Compares Bpe with Merging on many texts.
void ExpectSameAsMerging(const TestVocabulary& v, std::mt19937& random,
                         int letters, bool searches) {
  const Bpe bpe(v.spec, v.bytes);
  ASSERT_EQ(bpe.searches(), searches);
  Bpe::Scratch scratch;
  for (int i = 0; i < 60; ++i) {
    const std::string text = RandomText(random, letters, i < 50 ? 30 : 200);
    Ids ids = {-7};  // Existing ids must stay.
    bpe.Encode(text, &scratch, &ids);
    Ids expected = Merged(v.spec, text);
    expected.insert(expected.begin(), -7);
    ASSERT_EQ(ids, expected) << text;
  }
}

TEST(BpeTest, EqualsMergingForRandomOrderlyMerges) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    const int letters = 1 + random() % 4;
    TestVocabulary v(letters);
    const int merges = random() % 60;
    for (int i = 0; i < merges; ++i) {
      // Tokens not made by a merge yet are single letters. A token may be made
      // by several merges, as in Llama 3's list, if none used it before.
      const TokenId left = random() % v.bytes.size();
      const TokenId right = random() % v.bytes.size();
      const std::string both = v.bytes[left] + v.bytes[right];
      if (both.size() > 40) continue;
      bool used = false;
      for (const Merge& merge : v.spec.merges) {
        used |= v.bytes[merge.left] == both || v.bytes[merge.right] == both;
      }
      if (!used) v.AddMerge(left, right);
    }
    ExpectSameAsMerging(v, random, letters, true);
    if (HasFatalFailure()) return;
  }
}

TEST(BpeTest, MergesWhereTheListIsNotOrderly) {
  std::mt19937 random(3);
  TestVocabulary v(3);
  const TokenId ab = v.AddMerge(0, 1) ? v.Add("ab") : kNoToken;
  v.AddMerge(ab, 2);
  v.AddMerge(1, 2);
  v.AddMerge(ab, ab);
  std::reverse(v.spec.merges.begin(), v.spec.merges.end());
  ExpectSameAsMerging(v, random, 3, false);
}

TEST(BpeTest, DropsBytesWithoutAToken) {
  std::mt19937 random(4);
  TestVocabulary v(3);
  v.AddMerge(0, 1);
  v.AddMerge(v.Add("ab"), 2);
  ExpectSameAsMerging(v, random, 5, true);  // d and e have no tokens.
}

TEST(BpeTest, MergesWhereTokensAreHuge) {
  std::mt19937 random(5);
  TestVocabulary v(1);
  TokenId longest = 0;
  for (int i = 0; i < 11; ++i) {
    v.AddMerge(longest, longest);
    longest = v.Add(v.bytes[longest] + v.bytes[longest]);
  }
  ExpectSameAsMerging(v, random, 1, false);
}

std::uint64_t StepsFor(const Bpe& bpe, std::string_view text) {
  Bpe::Scratch scratch;
  Ids ids;
  bpe.Encode(text, &scratch, &ids);
  EXPECT_FALSE(ids.empty());
  return scratch.steps();
}

std::string Repeat(std::string_view unit, std::size_t size) {
  std::string text;
  while (text.size() < size) text += unit;
  return text;
}

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

// A megabyte without spaces. Quadratic time would take 10^12 steps. Five tokens
// (a, aa, aaaa, aaaaaa and aaaaaaa) start at each position, and each is tried
// there at most once.
TEST(BpeTest, OneLetterTakesAtMostOneStepForEachByteAndToken) {
  TestVocabulary v(1);
  const TokenId a = 0;
  const TokenId a2 = v.AddMerge(a, a) ? v.Add("aa") : a;
  v.AddMerge(a2, a2);
  v.AddMerge(v.Add("aaaa"), a2);
  v.AddMerge(v.Add("aaaaaa"), a);
  const Bpe bpe(v.spec, v.bytes);
  ASSERT_TRUE(bpe.searches());
  EXPECT_LE(StepsFor(bpe, Repeat("a", kMegabyte)), 5 * kMegabyte);
  EXPECT_LE(StepsFor(bpe, Repeat("a", kMegabyte + 1)), 5 * (kMegabyte + 1));
}

// Each token is tried at most once at each position where it starts.
TEST(BpeTest, StepsOfASearchAreInProportionForAnyVocabulary) {
  std::mt19937 random(8);
  for (int round = 0; round < 300; ++round) {
    const int letters = 1 + random() % 3;
    TestVocabulary v(letters);
    for (int i = 0; i < 40; ++i) {
      const TokenId left = random() % v.bytes.size();
      const TokenId right = random() % v.bytes.size();
      const std::string both = v.bytes[left] + v.bytes[right];
      bool used = both.size() > 24;
      for (const Merge& merge : v.spec.merges) {
        used |= v.bytes[merge.left] == both || v.bytes[merge.right] == both;
      }
      if (!used) v.AddMerge(left, right);
    }
    const Bpe bpe(v.spec, v.bytes);
    ASSERT_TRUE(bpe.searches());
    const std::string text =
        round % 2 == 0 ? Repeat(RandomText(random, letters, 9), 20'000)
                       : RandomText(random, letters, 20'000);
    ASSERT_LE(StepsFor(bpe, text), 25 * text.size());
  }
}

TEST(BpeTest, MergingTakesAFewStepsForEachByte) {
  TestVocabulary v(2);
  TokenId longest = 0;
  for (int i = 0; i < 11; ++i) {
    v.AddMerge(longest, longest);
    longest = v.Add(v.bytes[longest] + v.bytes[longest]);
  }
  v.AddMerge(0, 1);
  const Bpe bpe(v.spec, v.bytes);
  ASSERT_FALSE(bpe.searches());
  // Each merge creates at most two new pairs, and there are fewer merges than
  // bytes.
  for (const char* unit : {"a", "ab", "aab", "aaaaaaaab"}) {
    EXPECT_LE(StepsFor(bpe, Repeat(unit, kMegabyte)), 3 * (kMegabyte + 16));
  }
}

TEST(TokenTrieTest, FindsTheLongest) {
  std::mt19937 random(6);
  for (int round = 0; round < 100; ++round) {
    TestVocabulary v(1 + random() % 26);
    const int letters = static_cast<int>(v.bytes.size());
    for (int i = random() % 3000; i > 0; --i) {
      std::string token = RandomText(random, letters, 6);
      if (random() % 4 == 0) token += static_cast<char>(random() % 256);
      if (i % 10 == 0 || v.bytes.size() < 300) v.Add(token);
    }
    std::vector<std::pair<std::string_view, TokenId>> tokens;
    for (std::size_t i = 0; i < v.bytes.size(); ++i) {
      tokens.emplace_back(v.bytes[i], static_cast<TokenId>(i));
    }
    const auto trie = TokenTrie::Build(tokens);
    ASSERT_TRUE(trie.has_value());
    for (int i = 0; i < 300; ++i) {
      std::string text = RandomText(random, letters, 9);
      if (random() % 4 == 0) text[random() % text.size()] = random() % 256;
      TokenId longest = kNoToken;
      for (const auto& [bytes, id] : tokens) {
        if (text.starts_with(bytes) &&
            (longest == kNoToken || bytes.size() > v.bytes[longest].size())) {
          longest = id;
        }
      }
      ASSERT_EQ(trie->Longest(text), longest);
    }
  }
}

TEST(TokenTrieTest, EmptyOneFindsNothing) {
  const auto trie = TokenTrie::Build({});
  ASSERT_TRUE(trie.has_value());
  EXPECT_EQ(trie->Longest("a"), kNoToken);
  EXPECT_EQ(trie->Longest(""), kNoToken);
}

}  // namespace
}  // namespace apollo
