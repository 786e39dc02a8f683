#include "model/weights/tensor_registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/weights/test_models.h"

namespace apollo {
namespace {

// Tensors of a layer: 2 norms; 4 weights of q, k, v and o; 3 biases; and a
// dense MLP of 3, or a gate and 3 for each of 7 experts.
constexpr int kDense = 2 + 4 + 3 + 3;
constexpr int kSparse = 2 + 4 + 3 + 1 + 7 * 3;

struct Case {
  const char* name;
  ModelConfig config;
  int tensors;
  std::int64_t parameters;  // Without the shared expert's MLP.
  std::map<std::string, Shape> some;
  std::vector<std::string> absent;
};

ModelConfig With(void (*change)(ModelConfig&)) {
  ModelConfig config = Published();
  change(config);
  return config;
}

std::vector<Case> Cases() {
  // The 494,032,768 of Qwen2-0.5B and the 7,615,616,512 of Qwen2-7B, plus six
  // more MLPs and a gate in each of two layers.
  const std::int64_t small = 494'032'768 + 2 * (6 * 3 * 896 * 4864 + 7 * 896);
  const std::int64_t large =
      7'615'616'512 + 2 * (6 * 3 * std::int64_t{3584} * 18944 + 7 * 3584);
  const std::int64_t mlp = 3 * 896 * 4864;
  return {
      {"published",
       Published(),
       1 + 22 * kDense + 2 * kSparse + 1,
       small,
       {{"model.embed_tokens.weight", {151936, 896}},
        {"model.norm.weight", {896}},
        {"model.layers.0.input_layernorm.weight", {896}},
        {"model.layers.7.post_attention_layernorm.weight", {896}},
        {"model.layers.0.self_attn.q_proj.weight", {896, 896}},
        {"model.layers.0.self_attn.k_proj.weight", {128, 896}},
        {"model.layers.0.self_attn.v_proj.bias", {128}},
        {"model.layers.23.self_attn.o_proj.weight", {896, 896}},
        {"model.layers.21.mlp.gate_proj.weight", {4864, 896}},
        {"model.layers.21.mlp.down_proj.weight", {896, 4864}},
        {"model.layers.22.mlp.gate.weight", {7, 896}},
        {"model.layers.23.mlp.experts.6.up_proj.weight", {4864, 896}}},
       {"model.layers.22.mlp.up_proj.weight", "model.layers.21.mlp.gate.weight",
        "model.layers.0.self_attn.o_proj.bias", "lm_head.weight"}},
      {"published 7B",
       Published7B(),
       1 + 26 * kDense + 2 * kSparse + 2,
       large,
       {{"lm_head.weight", {152064, 3584}},
        {"model.layers.27.self_attn.k_proj.weight", {512, 3584}},
        {"model.layers.26.mlp.experts.0.down_proj.weight", {3584, 18944}}},
       {}},
      {"without biases",
       With([](ModelConfig& c) { c.attention_bias = false; }),
       1 + 22 * (kDense - 3) + 2 * (kSparse - 3) + 1,
       small - 24 * (896 + 2 * 128),
       {},
       {"model.layers.0.self_attn.q_proj.bias"}},
      {"with a shared expert",
       With([](ModelConfig& c) { c.shared_expert = true; }),
       1 + 22 * kDense + 2 * (kSparse + 4) + 1,
       small + 2 * 896,
       {{"model.layers.22.mlp.shared_expert_gate.weight", {1, 896}},
        {"model.layers.23.mlp.shared_expert.down_proj.weight", {896, 0}}},
       {"model.layers.21.mlp.shared_expert.down_proj.weight"}},
      {"with norms of queries and keys, and heads of 128",
       With([](ModelConfig& c) {
         c.qk_norm = true;
         c.head_size = 128;
       }),
       1 + 22 * (kDense + 2) + 2 * (kSparse + 2) + 1,
       small + 24 * ((2 * 14 + 2 * 2) * 64 * 896 + (14 + 2 * 2) * 64 + 2 * 128),
       {{"model.layers.0.self_attn.q_norm.weight", {128}},
        {"model.layers.23.self_attn.k_norm.weight", {128}},
        {"model.layers.0.self_attn.q_proj.weight", {1792, 896}},
        {"model.layers.0.self_attn.k_proj.bias", {256}},
        {"model.layers.23.self_attn.o_proj.weight", {896, 1792}}},
       {}},
      {"with a bias of the output of attention",
       With([](ModelConfig& c) { c.output_bias = true; }),
       1 + 22 * (kDense + 1) + 2 * (kSparse + 1) + 1,
       small + 24 * 896,
       {{"model.layers.23.self_attn.o_proj.bias", {896}}},
       {}},
      {"without experts",
       With([](ModelConfig& c) {
         c.boundary = 23;
         c.num_experts = c.experts_per_token = c.moe_intermediate_size = 0;
       }),
       1 + 24 * kDense + 1,
       494'032'768,
       {{"model.layers.23.mlp.gate_proj.weight", {4864, 896}}},
       {"model.layers.23.mlp.gate.weight"}},
      {"without dense layers",
       With([](ModelConfig& c) { c.boundary = 0; }),
       1 + 24 * kSparse + 1,
       small + 22 * (6 * mlp + 7 * 896),
       {{"model.layers.0.mlp.experts.0.gate_proj.weight", {4864, 896}}},
       {"model.layers.0.mlp.gate_proj.weight"}},
  };
}

TEST(TensorRegistryTest, NamesAndShapesOfEveryKindOfModel) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    std::map<std::string, Shape> table;
    std::int64_t parameters = 0;
    for (const TensorInfo& t : AllTensors(c.config)) {
      EXPECT_TRUE(table.emplace(t.name, t.shape).second) << t.name << " twice";
      std::int64_t product = 1;
      for (const std::int64_t n : t.shape) product *= n;
      parameters += product;
    }
    EXPECT_EQ(static_cast<int>(table.size()), c.tensors);
    EXPECT_EQ(parameters, c.parameters);
    for (const auto& [name, shape] : c.some) {
      ASSERT_TRUE(table.contains(name)) << name;
      EXPECT_EQ(table.at(name), shape) << name;
    }
    for (const std::string& name : c.absent) {
      EXPECT_FALSE(table.contains(name)) << name;
    }
  }
}

std::set<std::string> Names(const std::vector<TensorInfo>& tensors) {
  std::set<std::string> names;
  for (const TensorInfo& t : tensors) {
    EXPECT_TRUE(names.insert(t.name).second) << t.name << " twice";
  }
  return names;
}

TEST(TensorRegistryTest, TheStagesNeedEveryTensorBetweenThem) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const std::set<std::string> all = Names(AllTensors(c.config));
    const std::set<std::string> dense = Names(DenseStageTensors(c.config));
    std::set<int> experts;
    for (int e = 0; e < c.config.num_experts; ++e) experts.insert(e);
    const std::set<std::string> sparse =
        Names(ExpertStageTensors(c.config, experts));
    std::set<std::string> either = dense, both;
    either.insert(sparse.begin(), sparse.end());
    EXPECT_EQ(either, all);
    std::set_intersection(dense.begin(), dense.end(), sparse.begin(),
                          sparse.end(), std::inserter(both, both.end()));
    EXPECT_EQ(both, c.config.tie_word_embeddings
                        ? std::set<std::string>{kEmbeddingTensor}
                        : std::set<std::string>{});
  }
}

TEST(TensorRegistryTest, AnExpertIsNeededWhereItIsHeld) {
  const ModelConfig config = Published();
  const auto none = Names(ExpertStageTensors(config, {}));
  const auto two = Names(ExpertStageTensors(config, {1, 5}));
  std::set<std::string> more;
  std::set_difference(two.begin(), two.end(), none.begin(), none.end(),
                      std::inserter(more, more.end()));
  std::set<std::string> expected;
  for (const int layer : {22, 23}) {
    for (const int expert : {1, 5}) {
      for (const TensorInfo& t : MlpTensors(config, layer, expert)) {
        EXPECT_EQ(t.layer, layer);
        EXPECT_EQ(t.expert, expert);
        expected.insert(t.name);
      }
    }
  }
  EXPECT_EQ(more, expected);
  EXPECT_TRUE(more.contains("model.layers.23.mlp.experts.5.down_proj.weight"));
  EXPECT_FALSE(DenseStageTensors(config).back().name.find("layers.21.") ==
               std::string::npos);
}

TEST(TensorRegistryTest, TheExpertStageOfADenseModelHasItsLastLayer) {
  const ModelConfig config = TinyDense();
  const auto names = Names(ExpertStageTensors(config, {}));
  for (const TensorInfo& t : MlpTensors(config, 1, kNoExpert)) {
    EXPECT_TRUE(names.contains(t.name)) << t.name;
  }
  EXPECT_TRUE(names.contains("model.layers.1.self_attn.q_proj.weight"));
  EXPECT_TRUE(names.contains("model.norm.weight"));
  EXPECT_FALSE(names.contains("model.layers.0.mlp.up_proj.weight"));
}

TEST(TensorRegistryTest, TensorsOfAMatrixAreStackedInTheirOrder) {
  const auto matrices = StackedMatrices(ExpertStageTensors(Tiny(), {1}));
  const std::string layer = "model.layers.1.";
  const std::string attention = layer + "self_attn.";
  const std::string expert = layer + "mlp.experts.1.";
  EXPECT_EQ(matrices,
            (std::vector<std::vector<std::string>>{
                {attention + "q_proj.weight", attention + "k_proj.weight",
                 attention + "v_proj.weight"},
                {attention + "o_proj.weight"},
                {expert + "gate_proj.weight", expert + "up_proj.weight"},
                {expert + "down_proj.weight"},
                {"model.embed_tokens.weight"}}));
}

TEST(TensorRegistryTest, OnlyTheEmbeddingAndTheHeadHaveARowForEachToken) {
  std::set<std::string> found;
  for (const TensorInfo& t : AllTensors(Published7B())) {
    if (HasRowForEachToken(t.name)) found.insert(t.name);
    EXPECT_EQ(HasRowForEachToken(t.name), t.shape[0] == 152064) << t.name;
  }
  EXPECT_EQ(found.size(), 2u);
}

TEST(TensorRegistryTest, AVisitEndsAtTheFirstError) {
  ModelConfig config = Published();
  config.num_layers = config.num_experts = 1 << 30;  // Would take forever.
  int visited = 0;
  const absl::Status status = VisitTensors(config, [&](TensorInfo) {
    return ++visited < 5 ? absl::OkStatus() : absl::NotFoundError("the fifth");
  });
  EXPECT_EQ(status.message(), "the fifth");
  EXPECT_EQ(visited, 5);
}

}  // namespace
}  // namespace apollo
