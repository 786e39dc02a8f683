#include "worker/describe_worker.h"

#include <gtest/gtest.h>

#include "serving/version.h"
#include "worker/golden_setup.h"

namespace apollo {
namespace {

TEST(DescribeWorkerTest, NamesTheCheckpointThatItServes) {
  const auto setup = OpenGoldenSetup();
  ASSERT_TRUE(setup.ok()) << setup.status();
  const WorkerInfo self =
      DescribeWorker(**setup, WorkerRole::kExpert, "e", "cpu/int8/f16/1");
  EXPECT_EQ(self.role, WorkerRole::kExpert);
  EXPECT_EQ(self.name, "e");
  EXPECT_EQ(self.numerics, "cpu/int8/f16/1");
  EXPECT_EQ(self.version, kVersion);
  const OpenModel& model = (*setup)->model.model;
  EXPECT_NE(model.hash, "");
  EXPECT_EQ(self.model_hash, model.hash);
  const ModelFingerprint own = FingerprintOf(model.config, kGoldenModel);
  EXPECT_EQ(own.config.size(), 16u);
  EXPECT_EQ(own.tokenizer.size(), 16u);
  EXPECT_EQ(self.config_hash, own.config);
  EXPECT_EQ(self.tokenizer_hash, own.tokenizer);
}

}  // namespace
}  // namespace apollo
