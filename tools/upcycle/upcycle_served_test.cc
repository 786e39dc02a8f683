// Models without experts, upcycled and served. With weights of the experts that
// sum to 1, the result computes what its base computes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/mapped_file.h"
#include "engine/test_stages.h"
#include "tools/upcycle/options.h"
#include "tools/upcycle/upcycler.h"

namespace apollo {
namespace {

class UpcycleServedTest : public testing::TestWithParam<const char*> {
 protected:
  static std::vector<float> Logits(const OpenModel& model, int pinned = -1) {
    Stages stages(model, 1);
    Sequence sequence = Make(40, 1, pinned);
    stages.Step({{&sequence, 40}});
    return sequence.logits;
  }
};

TEST_P(UpcycleServedTest, TheResultComputesWhatTheBaseComputes) {
  UpcycleOptions options;
  options.input = std::string("tests/golden/") + GetParam();
  options.output = testing::TempDir() + "/upcycled_" + std::string(GetParam());
  std::filesystem::remove_all(options.output);
  options.experts = 7;
  options.norm_topk_prob = true;
  const absl::Status status = Upcycle(options, [](const std::string&) {});
  ASSERT_TRUE(status.ok()) << status;
  const OpenModel base = OpenGolden(GetParam());
  auto upcycled = OpenModelDirectory(options.output);
  ASSERT_TRUE(upcycled.ok()) << upcycled.status();
  EXPECT_THAT(upcycled->warnings, testing::IsEmpty());
  const ModelConfig& config = upcycled->config;
  EXPECT_EQ(config.architecture, "UpcyclingQwen2MoeForCausalLM");
  EXPECT_EQ(config.num_experts, 7);
  EXPECT_EQ(config.boundary, base.config.num_layers - 2);
  EXPECT_EQ(config.head_size, base.config.head_size);
  EXPECT_EQ(config.qk_norm, base.config.qk_norm);
  EXPECT_EQ(config.attention_bias, base.config.attention_bias);
  const std::vector<float> expected = Logits(base);
  for (const int pinned : {-1, 3}) {
    const std::vector<float> logits = Logits(*upcycled, pinned);
    ASSERT_EQ(logits.size(), expected.size());
    // Float32 errors of two layers and the head; logits are a few units large.
    for (std::size_t i = 0; i < logits.size(); ++i) {
      ASSERT_NEAR(logits[i], expected[i], 2e-4) << i;
    }
  }
  const auto [least, most] =
      std::minmax_element(expected.begin(), expected.end());
  EXPECT_GT(*most - *least, 2);
}

// Gates made from texts prefer the expert of the texts' family, change nothing
// in what the model computes, and have the same bits each time.
TEST_P(UpcycleServedTest, GatesFromTextsPreferTheFamily) {
  const std::string folder = testing::TempDir() + "/gates_" + GetParam();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/families.txt") << "0 a: en\n1 b: zh\n2 c: sw\n";
  std::ofstream(folder + "/texts.tsv") << "en\tabcabacbabcaab\n"
                                          "zh\tmnonmonmnoomno\n"
                                          "sw\t1232131232113\n";
  UpcycleOptions options;
  options.input = std::string("tests/golden/") + GetParam();
  options.experts = 3;
  options.norm_topk_prob = true;
  options.gate_from_texts = folder + "/texts.tsv";
  options.families_file = folder + "/families.txt";
  std::string shares;
  for (const char* name : {"/first", "/second"}) {
    options.output = folder + name;
    const absl::Status status =
        Upcycle(options, [&shares](const std::string& line) {
          if (line.rfind("gate of layer", 0) == 0) shares += line + "\n";
        });
    ASSERT_TRUE(status.ok()) << status;
  }
  const auto bytes_of = [&folder](const char* name) {
    const auto file = MappedFile::Open(folder + name + "/model.safetensors");
    EXPECT_TRUE(file.ok()) << file.status();
    return std::vector<std::uint8_t>(file->bytes().begin(),
                                     file->bytes().end());
  };
  EXPECT_EQ(bytes_of("/first"), bytes_of("/second"));
  // Six lines for each run: two layers, three families.
  EXPECT_EQ(std::count(shares.begin(), shares.end(), '\n'), 12);
  EXPECT_THAT(shares, testing::HasSubstr("first for 100.0%"));
  auto upcycled = OpenModelDirectory(folder + "/first");
  ASSERT_TRUE(upcycled.ok()) << upcycled.status();
  EXPECT_THAT(upcycled->warnings, testing::IsEmpty());
  const std::vector<float> expected = Logits(OpenGolden(GetParam()));
  const std::vector<float> logits = Logits(*upcycled);
  ASSERT_EQ(logits.size(), expected.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    ASSERT_NEAR(logits[i], expected[i], 2e-4) << i;
  }
  options.output = folder + "/third";
  options.experts = 7;
  const absl::Status status = Upcycle(options, [](const std::string&) {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("--experts is 7"));
  EXPECT_FALSE(std::filesystem::exists(options.output));
}

INSTANTIATE_TEST_SUITE_P(Bases, UpcycleServedTest,
                         testing::Values("dense_llama", "dense_qwen2",
                                         "dense_qwen3"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace apollo
