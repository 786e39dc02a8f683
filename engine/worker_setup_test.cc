#include "engine/worker_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <tuple>

namespace apollo {
namespace {

using testing::AllOf;
using testing::HasSubstr;

WorkerFlags Flags() {
  WorkerFlags flags;
  flags.model.model = "tests/golden/published";
  flags.model.cache_megabytes = 1;
  flags.threads = 1;
  return flags;
}

std::string ErrorOf(const WorkerFlags& flags, const std::string& families) {
  const auto setup = OpenWorkerSetup(flags, families);
  EXPECT_FALSE(setup.ok());
  return std::string(setup.status().message());
}

TEST(WorkerSetupTest, OpensAModelForItsFlags) {
  WorkerFlags flags = Flags();
  flags.model.weights = "int8";
  const auto setup = OpenWorkerSetup(flags, /*families_file=*/"");
  ASSERT_TRUE(setup.ok()) << setup.status();
  EXPECT_EQ((*setup)->threads, 1);
  EXPECT_EQ((*setup)->weights, "int8");
  EXPECT_EQ((*setup)->model.model.config.num_experts, 7);
  EXPECT_EQ((*setup)->families.families().size(), 7u);
}

// The tensors of tests/golden/published are in bf16, those of sharded_f32 in
// float32 and those of shared_expert_f16 in f16.
WorkerFlags GpuFlags(const std::string& model, const std::string& weights) {
  WorkerFlags flags = Flags();
  flags.model.model = "tests/golden/" + model;
  flags.model.device = {Device::Kind::kCuda, 2};
  flags.model.weights = weights;
  return flags;
}

TEST(WorkerSetupTest, AGpuGetsBf16OrIntegers) {
  for (const auto& [model, weights, format] :
       {std::tuple("published", "auto", WeightFormat::kBF16),
        std::tuple("published", "bf16", WeightFormat::kBF16),
        std::tuple("published", "int8", WeightFormat::kInt8),
        std::tuple("published", "int4", WeightFormat::kInt4),
        std::tuple("sharded_f32", "bf16", WeightFormat::kBF16)}) {
    const auto setup = OpenWorkerSetup(GpuFlags(model, weights), "");
    ASSERT_TRUE(setup.ok()) << setup.status();
    EXPECT_EQ((*setup)->model.weights, format);
    EXPECT_EQ((*setup)->model.cache.type, CacheType::kBf16);
    EXPECT_EQ((*setup)->device, (Device{Device::Kind::kCuda, 2}));
  }
}

TEST(WorkerSetupTest, WhatAGpuCannotDoIsRefusedByName) {
  EXPECT_THAT(
      ErrorOf(GpuFlags("published", "float32"), ""),
      AllOf(HasSubstr("--weights is float32"), HasSubstr("--device=cuda:2"),
            HasSubstr("it must be bf16, int8 or int4")));
  for (const char* model : {"sharded_f32", "shared_expert_f16"}) {
    EXPECT_THAT(ErrorOf(GpuFlags(model, "auto"), ""),
                AllOf(HasSubstr("--weights is auto"),
                      HasSubstr("model.embed_tokens.weight"),
                      HasSubstr("it must be bf16, int8 or int4")));
  }
  WorkerFlags flags = GpuFlags("published", "auto");
  flags.model.cache_dtype = "f16";
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--cache_dtype is f16"));
  flags = GpuFlags("published", "auto");
  flags.model.cache_prefault = true;
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--cache_prefault"));
}

TEST(WorkerSetupTest, ACacheLargerThanTheMachineIsRefused) {
  WorkerFlags flags = Flags();
  flags.model.cache_megabytes = std::int64_t{1} << 30;  // A pebibyte.
  EXPECT_THAT(ErrorOf(flags, ""),
              AllOf(HasSubstr("--cache_megabytes is 1073741824, but only "),
                    HasSubstr(" MB of memory are free")));
}

TEST(WorkerSetupTest, DoubtsAboutAModelAreLoggedOrRefused) {
  namespace fs = std::filesystem;
  WorkerFlags flags = Flags();
  flags.model.model = testing::TempDir() + "/doubtful";
  fs::remove_all(flags.model.model);
  fs::create_directories(flags.model.model);
  fs::copy_file("tests/golden/published/model.safetensors",
                flags.model.model + "/model.safetensors");
  std::ifstream config("tests/golden/published/config.json");
  std::string text{std::istreambuf_iterator<char>(config), {}};
  std::ofstream(flags.model.model + "/config.json")
      << text.insert(text.find('{') + 1, "\"new_gate\": 1,");
  testing::internal::CaptureStderr();
  EXPECT_TRUE(OpenWorkerSetup(flags, "").ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("model_doubtful"), HasSubstr("new_gate")));
  flags.model.strict_model = true;
  EXPECT_THAT(ErrorOf(flags, ""),
              AllOf(HasSubstr("config.json: unknown keys \"new_gate\""),
                    HasSubstr("--strict_model")));
}

TEST(WorkerSetupTest, NamesTheFlagOrFileThatIsWrong) {
  WorkerFlags flags = Flags();
  flags.threads = -1;
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--threads is -1"));
  flags = Flags();
  flags.model.weights = "int3";
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--weights is \"int3\""));
  flags = Flags();
  flags.model.cache_megabytes = 0;
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--cache_megabytes is 0"));
  flags = Flags();
  flags.model.cache_dtype = "fp16";
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("--cache_dtype is \"fp16\""));
  flags = Flags();
  flags.model.model = "/nonexistent";
  EXPECT_THAT(ErrorOf(flags, ""), HasSubstr("/nonexistent/config.json"));
  EXPECT_THAT(ErrorOf(Flags(), "/nonexistent/families"),
              HasSubstr("/nonexistent/families"));
}

}  // namespace
}  // namespace apollo
