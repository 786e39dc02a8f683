// Checks that converting a checkpoint takes at most the packed size, two
// tensors and 200 MB.
//
// Measures the peak resident size that the kernel reports when a process ends.
// It includes everything, even the pages of the mapped checkpoint. That is the
// strictest measure: the kernel could drop mapped pages under memory pressure,
// but until then other processes cannot use them.
//
// Usage: peak_memory_test LOAD_MODEL PACK

#include <absl/base/config.h>
#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/safetensors/tensor_view.h"
#include "model/safetensors/writer.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

std::string load_model, pack;  // Paths of the programs.

// About 110 million weights: as float32, they would exceed the bound.
constexpr char kConfig[] = R"({
  "architectures": ["UpcyclingQwen2MoeForCausalLM"],
  "model_type": "upcycling-qwen2-moe",
  "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 4096,
  "moe_intermediate_size": 4096, "num_hidden_layers": 4,
  "mlp_only_layers": [0, 1, 2], "num_attention_heads": 16,
  "num_key_value_heads": 4, "num_experts": 5, "num_experts_per_tok": 2,
  "norm_topk_prob": false, "share_flag": false, "tie_word_embeddings": true,
  "vocab_size": 4096, "max_position_embeddings": 512, "rms_norm_eps": 1e-06,
  "rope_theta": 10000.0, "torch_dtype": "float32", "eos_token_id": 0})";

// Returns the peak memory in bytes of a program, which must succeed.
std::int64_t Peak(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) {
    ADD_FAILURE() << "cannot start " << command[0];
    return 0;
  }
  int status = 0;
  rusage usage = {};
  EXPECT_EQ(wait4(pid, &status, 0, &usage), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command[0];
  return std::int64_t{usage.ru_maxrss} * 1024;
}

class PeakMemoryTest : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
    GTEST_SKIP() << "a sanitizer keeps memory of its own";
#endif
    folder_ = testing::TempDir() + "/peak_memory";
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/model");
    std::ofstream(folder_ + "/model/config.json") << kConfig;
    std::vector<TensorSpec> specs;
    const auto config = ParseModelConfig(kConfig, "kConfig");
    ASSERT_TRUE(config.ok()) << config.status();
    for (const TensorInfo& tensor : AllTensors(*config)) {
      specs.push_back({tensor.name, GetParam(), tensor.shape});
    }
    auto writer =
        SafetensorsWriter::Create(folder_ + "/model/model.safetensors", specs);
    ASSERT_TRUE(writer.ok()) << writer.status();
    // The values do not matter, but no page may be all zeros.
    std::vector<float> row(1024);
    std::uint32_t state = 1;
    for (const TensorSpec& spec : specs) {
      std::int64_t count = 1;
      for (const std::int64_t size : spec.shape) count *= size;
      largest_ = std::max(
          largest_, count * static_cast<std::int64_t>(DTypeSize(GetParam())));
      numbers_ += count;
      while (count > 0) {
        for (float& value : row) {
          state = state * 1664525 + 1013904223;
          value = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
        }
        const auto part = static_cast<std::size_t>(
            std::min<std::int64_t>(count, std::ssize(row)));
        ASSERT_TRUE(writer->AppendFloats(spec.name, {row.data(), part}).ok());
        count -= static_cast<std::int64_t>(part);
      }
    }
    ASSERT_TRUE(writer->Finish().ok());
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::string folder_;
  std::int64_t largest_ = 0;  // Size of the largest tensor in bytes.
  std::int64_t numbers_ = 0;  // Total number of weights.
};

TEST_P(PeakMemoryTest, IsThePackedSizeTwoTensorsAnd200Megabytes) {
  const std::int64_t rest = 2 * largest_ + 200'000'000;
  for (const char* weights : {"int8", "int4"}) {
    const std::string packed = absl::StrCat(folder_, "/", weights);
    // The tool needs no memory for data that it has written.
    const std::int64_t packing =
        Peak({pack, "--model", folder_ + "/model", "--output", packed,
              "--weights", weights, "--threads", "2"});
    EXPECT_LE(packing, rest) << "pack to " << weights;
    const auto size =
        static_cast<std::int64_t>(fs::file_size(packed + "/weights.packed"));
    const std::int64_t loading =
        Peak({load_model, folder_ + "/model", weights});
    EXPECT_LE(loading, size + rest) << "load as " << weights;
    // Proves the measurement: the served weights are in memory, and a
    // conversion of all weights to float32 would be noticed.
    EXPECT_GE(loading, size);
    EXPECT_GT(4 * numbers_ + size, size + rest);
    std::printf(
        "%s: packed %.1f MB, two tensors %.1f MB; peak of packing %.1f "
        "MB, of loading %.1f MB\n",
        weights, size / 1e6, 2 * largest_ / 1e6, packing / 1e6, loading / 1e6);
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, PeakMemoryTest,
                         testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& info) {
                           return std::string(DTypeName(info.param));
                         });

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: peak_memory_test LOAD_MODEL PACK\n");
    return 2;
  }
  apollo::load_model = argv[1];
  apollo::pack = argv[2];
  return RUN_ALL_TESTS();
}
