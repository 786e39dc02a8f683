#include "expert_worker/placement_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace apollo {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMegabyte = 1 << 20;

// Every expert of a layer has 3 MiB.
class FakeLoader final : public ExpertLoader {
 public:
  std::int64_t Bytes(LayerExpert) const override { return 3 * kMegabyte; }
  absl::StatusOr<std::unique_ptr<ExpertWeights>> Load(LayerExpert) override {
    return absl::UnimplementedError("not used");
  }
};

class PlacementSetupTest : public testing::Test {
 protected:
  PlacementSetupTest() {
    config_.num_layers = 24;
    config_.boundary = 22;
    config_.num_experts = 7;
  }
  absl::StatusOr<PlacementSetup> SetUpFor(const PlacementOptions& options) {
    return SetUpPlacement(options, "e0", config_, device_,
                          has_loader_ ? &loader_ : nullptr);
  }
  std::string ErrorOf(const PlacementOptions& options) {
    const auto setup = SetUpFor(options);
    EXPECT_EQ(setup.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(setup.status().message());
  }

  ModelConfig config_;
  Device device_;
  FakeLoader loader_;
  bool has_loader_ = true;
};

TEST_F(PlacementSetupTest, ByDefaultOneExpertStandsByInAllLayers) {
  const auto setup = SetUpFor({});
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->experts, (LayerExperts{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(setup->residence.first, ExpertHold::kFlag);
  EXPECT_EQ(setup->residence.standby_bytes, 6 * kMegabyte);
  EXPECT_FALSE(setup->control.automatic);
  EXPECT_EQ(setup->file, "");
}

// 48 layers of 128 experts, and more than workers report to each other.
TEST_F(PlacementSetupTest, AutoWorksForManyExpertsAndNoMore) {
  config_.num_layers = 48;
  config_.boundary = 0;
  config_.num_experts = 128;
  PlacementOptions options;
  options.placement = "auto";
  EXPECT_TRUE(SetUpFor(options).ok());
  config_.num_experts = 256;
  EXPECT_THAT(ErrorOf(options), HasSubstr("48 sparse layers with 256 experts"));
  options.placement = "fixed";
  EXPECT_TRUE(SetUpFor(options).ok());
}

TEST_F(PlacementSetupTest, AutoBeginsWithWhatTheMemoryTakes) {
  PlacementOptions options;
  options.experts = "auto";
  options.standby_megabytes = 0;
  auto setup = SetUpFor(options);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->experts.everywhere.size(), 4u);
  EXPECT_TRUE(setup->control.automatic);
  EXPECT_EQ(setup->residence.first, ExpertHold::kAuto);
  EXPECT_EQ(setup->residence.standby_bytes, 0);
  options.resident_megabytes = 16;
  setup = SetUpFor(options);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->experts.everywhere.size(), 2u);
  EXPECT_EQ(setup->control.most_resident, 5);
  options.resident_megabytes = 5;
  EXPECT_EQ(ErrorOf(options),
            "--resident_megabytes is 5; it must be at least 6, the size of an "
            "expert in all layers");
}

TEST_F(PlacementSetupTest, AFileDecidesFromTheBeginning) {
  const std::string path = testing::TempDir() + "/placement_setup.txt";
  PlacementOptions options;
  options.experts = "1";
  options.placement = "file:" + path;
  auto setup = SetUpFor(options);  // No file yet.
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->experts, LayerExperts{1});
  EXPECT_EQ(setup->file, path);
  std::ofstream(path) << "e0: 2 23=5\n";
  setup = SetUpFor(options);
  std::filesystem::remove(path);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_TRUE(setup->experts.Has(22, 2));
  EXPECT_TRUE(setup->experts.Has(23, 5));
  EXPECT_FALSE(setup->experts.Has(22, 5));
  EXPECT_EQ(setup->residence.first, ExpertHold::kFile);
}

TEST_F(PlacementSetupTest, ErrorsNameTheFlag) {
  PlacementOptions options;
  options.experts = "0,9";
  options.flag = "--families";
  EXPECT_THAT(ErrorOf(options), HasSubstr("--families has \"9\""));
  options = {};
  options.placement = "manual";
  EXPECT_EQ(ErrorOf(options),
            "--placement is \"manual\"; it must be fixed, auto or file:PATH");
  options.placement = "file:";
  EXPECT_THAT(ErrorOf(options), HasSubstr("--placement is \"file:\""));
  options = {};
  options.resident_megabytes = 10;
  EXPECT_THAT(ErrorOf(options), HasSubstr("goes only with --placement=auto"));
}

TEST_F(PlacementSetupTest, AGpuKeepsItsExperts) {
  has_loader_ = false;
  device_ = {Device::Kind::kCuda, 0};
  PlacementOptions options;
  auto setup = SetUpFor(options);
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->residence.standby_bytes, 0);
  options.standby_megabytes = 100;
  EXPECT_EQ(ErrorOf(options),
            "--standby_megabytes is 100, which --device=cuda:0 does not "
            "support; it must be 0");
  options = {};
  options.placement = "auto";
  EXPECT_THAT(ErrorOf(options),
              HasSubstr("--placement is \"auto\", which --device=cuda:0"));
  options = {};
  options.experts = "auto";
  EXPECT_THAT(ErrorOf(options), HasSubstr("--experts is \"auto\", which"));
}

TEST_F(PlacementSetupTest, AModelWithoutExpertsHasNothingToPlace) {
  has_loader_ = false;
  config_.num_experts = 0;
  auto setup = SetUpFor({});
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ(setup->experts, LayerExperts());
  PlacementOptions options;
  options.placement = "auto";
  EXPECT_THAT(ErrorOf(options), HasSubstr("a model without experts"));
}

}  // namespace
}  // namespace apollo
