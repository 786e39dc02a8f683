// Clusters with weights in fewer bits: answers are the same for any
// distribution of the work, and formats cannot be mixed.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/temp_folder.h"
#include "kernels/weight_format.h"
#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

std::string Model() { return Runfile("tests/golden/published"); }

Answer Ask(Cluster& cluster, int number) {
  v1::GenerateRequest request = GreedyRequest(
      std::string(20 + number, static_cast<char>('a' + number)), 40);
  request.set_ignore_eos(true);
  request.set_language("en");
  return Generate(*cluster.NewStub(), request);
}

class FormatsTest : public testing::TestWithParam<const char*> {};

TEST_P(FormatsTest, OneProcessAndManyGiveTheSame) {
  const std::vector<std::string> flags = {"--weights=" +
                                          std::string(GetParam())};
  Cluster one(Model(), {.expert_workers = 0, .local_flags = flags});
  one.Start();
  Cluster many(Model(), {.dense_workers = 2,
                         .expert_workers = 3,
                         .dense_flags = flags,
                         .expert_flags = flags});
  many.Start();
  for (int i = 0; i < 4; ++i) {
    const Answer a = Ask(one, i), b = Ask(many, i);
    EXPECT_TRUE(a.status.ok()) << a.status.error_message();
    EXPECT_EQ(a.ids.size(), 40u);
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_TRUE(a.logprobs == b.logprobs);
  }
  one.StopAll();
  many.StopAll();
}

std::vector<const char*> Names() {
  std::vector<const char*> names;
  for (const WeightFormatInfo& info : kWeightFormats) {
    names.push_back(info.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Formats, FormatsTest, testing::ValuesIn(Names()));

class PackedKindTest
    : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

// Kinds of models that are not like the published ones.
TEST_P(PackedKindTest, AnswersAreThoseOfAWorkerThatConverts) {
  const auto& [name, weights] = GetParam();
  const std::string model = Runfile(std::string("tests/golden/") + name);
  const std::vector<std::string> flags = {std::string("--weights=") + weights};
  const TempFolder folder;
  const std::string packed = folder.path() + "/packed";
  ChildProcess pack({Runfile("tools/pack/pack"), "--model=" + model,
                     "--output=" + packed, flags[0]},
                    folder.path() + "/log");
  ASSERT_EQ(pack.Wait(), 0);
  Cluster converting(model, {.expert_workers = 0, .local_flags = flags});
  converting.Start();
  Cluster many(packed, {.expert_workers = 2});
  many.Start();
  for (int i = 0; i < 3; ++i) {
    const Answer a = Ask(converting, i), b = Ask(many, i);
    EXPECT_TRUE(b.status.ok()) << b.status.error_message();
    EXPECT_EQ(b.ids.size(), 40u);
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_TRUE(a.logprobs == b.logprobs);
  }
  converting.StopAll();
  many.StopAll();
}

INSTANTIATE_TEST_SUITE_P(Kinds, PackedKindTest,
                         testing::Combine(testing::Values("qwen3_experts",
                                                          "dense_qwen3",
                                                          "dense_llama"),
                                          testing::Values("int8", "int4")),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param);
                         });

TEST(PackedTest, ServesTogetherWithWorkersThatConvert) {
  const TempFolder folder;
  const std::string packed = folder.path() + "/packed";
  ChildProcess pack({Runfile("tools/pack/pack"), "--model=" + Model(),
                     "--output=" + packed, "--weights=int8"},
                    folder.path() + "/log");
  ASSERT_EQ(pack.Wait(), 0);
  const std::vector<std::string> int8 = {"--weights=int8"};
  Cluster converting(Model(), {.dense_flags = int8, .expert_flags = int8});
  converting.Start();
  // The last flag wins.
  Cluster mixed(Model(),
                {.dense_flags = {"--model=" + packed}, .expert_flags = int8});
  mixed.Start();
  const Answer a = Ask(converting, 1), b = Ask(mixed, 1);
  EXPECT_TRUE(b.status.ok()) << b.status.error_message();
  EXPECT_EQ(b.ids.size(), 40u);
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_TRUE(a.logprobs == b.logprobs);
  converting.StopAll();
  mixed.StopAll();
}

TEST(MixedFormatsTest, AreRefusedWithBothHashes) {
  Cluster cluster(Model(), {.expert_workers = 2,
                            .dense_flags = {"--weights=int8"},
                            .expert_flags = {"--weights=int8"}});
  cluster.Start();
  const Answer before = Ask(cluster, 1);
  EXPECT_TRUE(before.status.ok()) << before.status.error_message();
  cluster.KillExpert(1);
  cluster.SetExpertFlags({"--weights=int4"});
  cluster.StartExpert(1);
  cluster.WaitForHealth(false);
  EXPECT_TRUE(cluster.WaitForLog(
      "serves another checkpoint: its hash of the model is "));
  // The end of its hash, and the beginning of the other.
  EXPECT_TRUE(cluster.WaitForLog("+int4, that of this worker "));
  EXPECT_EQ(Ask(cluster, 1).status.error_code(), grpc::StatusCode::UNAVAILABLE);
  cluster.KillExpert(1);
  cluster.SetExpertFlags({"--weights=int8"});
  cluster.StartExpert(1);
  cluster.WaitForHealth(true);
  const Answer after = Ask(cluster, 1);
  EXPECT_EQ(after.ids, before.ids);
  EXPECT_TRUE(after.logprobs == before.logprobs);
}

// Shapes and almost all numbers are the same, so a mixture would answer, but
// wrongly.
TEST(OtherWeightsTest, AModelWithOneOtherNumberIsRefused) {
  const TempFolder folder;
  const std::string other = folder.path() + "/other";
  std::filesystem::copy(Model(), other,
                        std::filesystem::copy_options::recursive);
  const std::string path = other + "/model.safetensors";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto middle =
      static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
  file.seekg(middle);
  const char before = static_cast<char>(file.get());
  file.seekp(middle);
  file.put(static_cast<char>(before ^ 1));
  file.close();
  ASSERT_TRUE(file.good());
  Cluster cluster(Model(), {.expert_workers = 1});
  cluster.Start();
  EXPECT_TRUE(Ask(cluster, 1).status.ok());
  cluster.KillExpert(0);
  cluster.SetExpertFlags({"--model=" + other});
  cluster.StartExpert(0);
  EXPECT_TRUE(cluster.WaitForLog(
      "serves another checkpoint: its hash of the model is "));
  EXPECT_EQ(Ask(cluster, 1).status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace apollo
