// Clusters that serve weights in fewer bits: the same answers however the work is
// spread, and no mixture of formats.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

std::string Model() { return Runfile("tests/golden/published"); }

Answer Ask(Cluster& cluster, int number) {
  v1::GenerateRequest request =
      GreedyRequest(std::string(20 + number, static_cast<char>('a' + number)), 40);
  request.set_ignore_eos(true);
  request.set_language("en");
  return Generate(*cluster.NewStub(), request);
}

class FormatsTest : public testing::TestWithParam<const char*> {};

TEST_P(FormatsTest, OneProcessAndManyGiveTheSame) {
  const std::vector<std::string> flags = {"--weights=" + std::string(GetParam())};
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

INSTANTIATE_TEST_SUITE_P(Formats, FormatsTest,
                         testing::Values("float32", "bf16", "int8", "int4"));

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
  EXPECT_TRUE(cluster.WaitForLog("+int4, this one serves"));
  EXPECT_EQ(Ask(cluster, 1).status.error_code(), grpc::StatusCode::UNAVAILABLE);
  cluster.KillExpert(1);
  cluster.SetExpertFlags({"--weights=int8"});
  cluster.StartExpert(1);
  cluster.WaitForHealth(true);
  const Answer after = Ask(cluster, 1);
  EXPECT_EQ(after.ids, before.ids);
  EXPECT_TRUE(after.logprobs == before.logprobs);
}

}  // namespace
}  // namespace apollo
