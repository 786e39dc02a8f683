#include "dense_worker/dense_role.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(DenseRoleTest, ReportsTheCheckpointItServes) {
  const std::string directory = "tests/golden/published";
  WorkerFlags flags;
  flags.model.model = directory;
  flags.model.cache_megabytes = 1;
  flags.threads = 1;
  const auto setup = OpenWorkerSetup(flags, /*families_file=*/"");
  ASSERT_TRUE(setup.ok()) << setup.status();
  const OpenModel& model = (*setup)->model.model;
  DenseCore::Options core;
  core.name = "d";
  const auto role = DenseRole::Start(**setup, core);
  ASSERT_TRUE(role.ok()) << role.status();
  const WorkerInfo& self = (*role)->self();
  EXPECT_EQ(self.role, WorkerRole::kDense);
  EXPECT_EQ(self.name, "d");
  EXPECT_EQ(self.model_hash, model.hash);
  const ModelFingerprint own = FingerprintOf(model.config, directory);
  EXPECT_EQ(own.config.size(), 16u);
  EXPECT_EQ(own.tokenizer.size(), 16u);
  EXPECT_EQ(self.config_hash, own.config);
  EXPECT_EQ(self.tokenizer_hash, own.tokenizer);
  EXPECT_NE(self.numerics, "");
}

}  // namespace
}  // namespace apollo
