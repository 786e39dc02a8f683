#include "sequence/prompt_hashes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "sequence/prefix_hash.h"

namespace apollo {
namespace {

GenerationRequest Request(int prompt, int answer) {
  GenerationRequest request;
  request.cache_salt = "tenant";
  for (int i = 0; i < prompt + answer; ++i) request.prompt.push_back(7 * i);
  request.answer_tokens = answer;
  return request;
}

std::vector<std::uint64_t> Fresh(const GenerationRequest& request) {
  return PrefixHasher("m", request.cache_salt).Chain(request.prompt);
}

TEST(PromptHashesTest, AreThoseOfTheWholePrompt) {
  for (const int prompt : {1, 15, 16, 40, 64}) {
    PromptHashes hashes;
    for (const int answer : {0, 1, 15, 16, 40, 100}) {
      const GenerationRequest request = Request(prompt, answer);
      EXPECT_EQ(*hashes.Of("m", request), Fresh(request))
          << prompt << " " << answer;
    }
  }
}

// A prompt with other tokens shows what is not hashed again.
TEST(PromptHashesTest, TheTokensBeforeTheAnswerAreHashedOnce) {
  PromptHashes hashes;
  const GenerationRequest first = Request(64, 0);
  const PromptHashes::Hashes common = hashes.Of("m", first);
  EXPECT_EQ(hashes.Of("m", first), common);
  GenerationRequest again = Request(64, 40);
  const std::vector<std::uint64_t> expected = Fresh(again);
  for (int i = 0; i < 64; ++i) again.prompt[static_cast<std::size_t>(i)] = -1;
  EXPECT_EQ(*hashes.Of("m", again), expected);
}

// The choices of a request have different answers.
TEST(PromptHashesTest, AnswersDoNotMixUp) {
  PromptHashes hashes;
  const GenerationRequest one = Request(20, 40);
  GenerationRequest other = one;
  other.prompt[25] = 1;
  EXPECT_EQ(*hashes.Of("m", one), Fresh(one));
  EXPECT_EQ(*hashes.Of("m", other), Fresh(other));
  EXPECT_EQ(*hashes.Of("m", one), Fresh(one));
}

TEST(PromptHashesTest, AnotherModelHasOthers) {
  PromptHashes hashes;
  const GenerationRequest request = Request(64, 16);
  const PromptHashes::Hashes before = hashes.Of("older", request);
  EXPECT_NE(*before, Fresh(request));
  EXPECT_EQ(*hashes.Of("m", request), Fresh(request));
}

}  // namespace
}  // namespace apollo
