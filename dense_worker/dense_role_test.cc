#include "dense_worker/dense_role.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(DenseRoleTest, SaysWhichCheckpointItServes) {
  const std::string directory = "tests/golden/published";
  WorkerModelOptions options;
  options.model = directory;
  options.cache_megabytes = 1;
  const absl::StatusOr<WorkerModel> model = OpenWorkerModel(options);
  ASSERT_TRUE(model.ok()) << model.status();
  const absl::StatusOr<FamilyTable> families =
      FamilyTable::ForModel(directory, "", model->model.config.num_experts);
  ASSERT_TRUE(families.ok()) << families.status();
  prometheus::Registry registry;
  DenseCore::Options core;
  core.name = "d";
  const auto role =
      DenseRole::Start(*model, *families, /*threads=*/1, core, registry);
  ASSERT_TRUE(role.ok()) << role.status();
  const WorkerInfo& self = (*role)->self();
  EXPECT_EQ(self.role, WorkerRole::kDense);
  EXPECT_EQ(self.name, "d");
  EXPECT_EQ(self.model_hash, model->model.hash);
  const ModelFingerprint own = FingerprintOf(model->model.config, directory);
  EXPECT_EQ(own.config.size(), 16u);
  EXPECT_EQ(own.tokenizer.size(), 16u);
  EXPECT_EQ(self.config_hash, own.config);
  EXPECT_EQ(self.tokenizer_hash, own.tokenizer);
  EXPECT_NE(self.numerics, "");
}

}  // namespace
}  // namespace apollo
