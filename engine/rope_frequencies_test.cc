#include "engine/rope_frequencies.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/config/read_rope_scaling.h"
#include "model/config/rope_scaling.h"

namespace apollo {
namespace {

ModelConfig ConfigOf(int head_size, double theta) {
  ModelConfig config;
  config.head_size = head_size;
  config.rope_theta = theta;
  return config;
}

// Frequencies of transformers, by testdata/make_rope_frequencies.py.
// transformers 4.57.6 gives the same numbers, except without a factor, or with
// llama3 without an original context, which it refuses.
TEST(RopeFrequenciesTest, AreThoseOfTransformers) {
  constexpr char kFile[] = "engine/testdata/rope_frequencies.json";
  const auto text = ReadFile(kFile, 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  const auto file = ParseJson(*text, kFile);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)["transformers"], "5.24.0");
  int count = 0, equal = 0, compared = 0;
  for (const Json& c : (*file)["cases"]) {
    SCOPED_TRACE(c["what"].get<std::string>());
    ++count;
    ModelConfig config = ConfigOf(c["head_size"], c["theta"]);
    std::vector<std::string> warnings;
    const auto read = ReadRopeScaling({{"rope_scaling", c["rope_scaling"]}},
                                      "c", config.rope_theta,
                                      c["max_position_embeddings"], warnings);
    ASSERT_TRUE(read.ok()) << read.status();
    config.rope_scaling = read->scaling;
    const RopeFrequencies rope = RopeFrequenciesOf(config);
    EXPECT_EQ(rope.scale, c["attention_scaling"].get<float>());
    const auto expected = c["inv_freq"].get<std::vector<float>>();
    ASSERT_EQ(rope.inverse.size(), expected.size());
    ASSERT_EQ(rope.inverse.size(), config.head_size / 2u);
    for (std::size_t j = 0; j < expected.size(); ++j) {
      // The powers of PyTorch may be off by one in the last place.
      EXPECT_LE(std::abs(rope.inverse[j] / expected[j] - 1), 1.2e-7f) << j;
      equal += rope.inverse[j] == expected[j];
      ++compared;
    }
  }
  EXPECT_EQ(count, 14);
  EXPECT_GE(equal, compared * 0.98);
}

TEST(RopeFrequenciesTest, PlainOnesAreRoundedOnce) {
  const RopeFrequencies rope = RopeFrequenciesOf(ConfigOf(12, 10000));
  EXPECT_EQ(rope.scale, 1.0f);
  ASSERT_EQ(rope.inverse.size(), 6u);
  for (int j = 0; j < 6; ++j) {
    EXPECT_EQ(rope.inverse[j],
              static_cast<float>(1 / std::pow(10000.0, 2.0 * j / 12)));
  }
}

TEST(RopeFrequenciesTest, AFactorOfOneScalesNothing) {
  ModelConfig config = ConfigOf(64, 10000);
  const RopeFrequencies plain = RopeFrequenciesOf(config);
  config.rope_scaling.original_context = 100;
  for (const RopeType type :
       {RopeType::kLinear, RopeType::kYarn, RopeType::kLlama3}) {
    SCOPED_TRACE(RopeTypeName(type));
    config.rope_scaling.type = type;
    const RopeFrequencies rope = RopeFrequenciesOf(config);
    EXPECT_EQ(rope.scale, 1.0f);
    ASSERT_EQ(rope.inverse.size(), plain.inverse.size());
    for (std::size_t j = 0; j < plain.inverse.size(); ++j) {
      EXPECT_NEAR(rope.inverse[j] / plain.inverse[j], 1, 1e-6) << j;
    }
  }
}

}  // namespace
}  // namespace apollo
