#include "expert_worker/expert_role.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(ExpertRoleTest, SaysWhichCheckpointItServes) {
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
  const auto role = ExpertRole::Start(*model, *families, {"e", {0, 2}},
                                      registry, /*requests=*/nullptr);
  ASSERT_TRUE(role.ok()) << role.status();
  const WorkerInfo& self = (*role)->self();
  EXPECT_EQ(self.role, WorkerRole::kExpert);
  EXPECT_EQ(self.name, "e");
  EXPECT_EQ(self.resident.everywhere, (std::set<int>{0, 2}));
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
