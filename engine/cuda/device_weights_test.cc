#include "engine/cuda/device_weights.h"

#include <pthread.h>
#include <signal.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/stop_request.h"
#include "engine/cuda/random_model.h"
#include "engine/rope_frequencies.h"
#include "engine/weights.h"
#include "kernels/cuda/packed_weights.h"
#include "kernels/cuda/testing.h"
#include "kernels/rope.h"
#include "model/config/rope_scaling.h"

namespace apollo::cuda {
namespace {

class DeviceWeightsTest : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    config_.shared_expert = true;
    source_ = std::make_unique<RandomWeights>(config_);
    StageDeviceOptions options;
    options.max_rows = 1;
    device_ = *StageDevice::Open(std::move(options), 0);
  }

  template <typename T>
  static std::vector<T> Read(const void* from, std::size_t bytes) {
    std::vector<T> values(bytes / sizeof(T));
    ExpectOk(CopyToHost(values.data(), from, bytes, nullptr));
    ExpectOk(CudaStatus(cudaStreamSynchronize(nullptr), "reading"));
    return values;
  }

  // Expects the weights that the CPU's loader returns, and counts the bytes.
  void Expect(const DeviceVector& vector, const std::vector<float>& expected) {
    EXPECT_EQ(vector.memory.bytes(), expected.size() * sizeof(float));
    EXPECT_EQ(Read<float>(vector.get(), vector.memory.bytes()), expected);
    Count(vector.memory);
  }
  void Expect(const OwnedMatrix& matrix, const PackedMatrix& expected,
              bool paired = false) {
    ExpectNumbers(matrix.matrix, expected, paired);
    EXPECT_EQ(matrix.matrix.data, matrix.memory.as<void>());
    Count(matrix.memory);
  }
  void ExpectNumbers(const DeviceMatrix& matrix, const PackedMatrix& expected,
                     bool paired) {
    ASSERT_EQ(matrix.outputs, expected.outputs());
    ASSERT_EQ(matrix.inputs, expected.inputs());
    ASSERT_EQ(matrix.format, expected.format());
    ASSERT_EQ(matrix.paired, paired);
    const PackedShape shape = {matrix.outputs, matrix.inputs, matrix.format,
                               paired};
    const auto bytes = Read<std::uint8_t>(matrix.data, PackedBytes(shape));
    std::vector<float> row(matrix.inputs), expected_row(matrix.inputs);
    for (int r = 0; r < matrix.outputs; ++r) {
      expected.GetRow(r, expected_row.data());
      UnpackRow(shape, bytes.data(), r, row.data());
      ASSERT_EQ(row, expected_row) << "row " << r;
    }
  }
  void Expect(const DeviceMlp& mlp, const MlpWeights& expected) {
    Expect(mlp.gate_up, expected.gate_up, true);
    Expect(mlp.down, expected.down);
    EXPECT_EQ(mlp.inner(), expected.inner());
  }
  void Expect(const DeviceAttention& attention,
              const AttentionWeights& expected) {
    Expect(attention.norm, expected.norm);
    Expect(attention.qkv, expected.qkv);
    Expect(attention.qkv_bias, expected.qkv_bias);
    Expect(attention.q_norm, expected.q_norm);
    Expect(attention.k_norm, expected.k_norm);
    Expect(attention.output, expected.output);
    Expect(attention.output_bias, expected.output_bias);
    Expect(attention.mlp_norm, expected.mlp_norm);
  }
  void Expect(const DeviceSparseLayer& layer,
              const SparseLayerWeights& expected) {
    Expect(layer.attention, expected.attention);
    Expect(layer.gate, expected.gate);
    Expect(layer.shared, expected.shared);
    Expect(layer.shared_gate, expected.shared_gate);
    const std::size_t bytes = sizeof(void*) * config_.num_experts;
    const auto gate_up = Read<const void*>(layer.experts.gate_up_of, bytes);
    const auto down = Read<const void*>(layer.experts.down_of, bytes);
    for (int e = 0; e < config_.num_experts; ++e) {
      SCOPED_TRACE(e);
      const auto it = expected.experts.find(e);
      ASSERT_EQ(gate_up[e] != nullptr, it != expected.experts.end());
      ASSERT_EQ(down[e] != nullptr, it != expected.experts.end());
      if (gate_up[e] == nullptr) continue;
      DeviceMatrix matrix = layer.experts.gate_up;
      matrix.data = gate_up[e];
      ExpectNumbers(matrix, it->second.gate_up, true);
      matrix = layer.experts.down;
      matrix.data = down[e];
      ExpectNumbers(matrix, it->second.down, false);
    }
    for (const DeviceMlp& mlp : layer.experts.resident) {
      Count(mlp.gate_up.memory);
      Count(mlp.down.memory);
    }
    Count(layer.experts.tables);
  }

  void Count(const WeightPart& memory) {
    bytes_ += (memory.bytes() + 255) / 256 * 256;
  }

  // Reports the progress of loading, which must rise to the total.
  LoadProgress Progress() {
    return [this](std::int64_t done, std::int64_t total) {
      EXPECT_GE(done, done_);
      EXPECT_LE(done, total);
      done_ = done;
      left_ = total - done;
    };
  }

  ModelConfig config_ = RandomModelConfig();
  std::unique_ptr<RandomWeights> source_;
  std::unique_ptr<StageDevice> device_;
  ThreadPool pool_{2};
  std::size_t bytes_ = 0;
  std::int64_t done_ = 0, left_ = -1;
};

TEST_F(DeviceWeightsTest, TheRotationIsThatOfTheProcessors) {
  config_.rope_scaling.type = RopeType::kYarn;
  config_.rope_scaling.factor = 4;
  config_.rope_scaling.original_context = 128;
  config_.rope_scaling.attention_factor = 1.25;
  DeviceWeightLoader loader(config_, *source_, pool_, *device_, 1 << 20, {},
                            nullptr);
  const auto rope = loader.Rope();
  ASSERT_TRUE(rope.ok()) << rope.status();
  ExpectOk(loader.Finish());
  const RopeFrequencies expected = RopeFrequenciesOf(config_);
  ASSERT_EQ(expected.inverse.size(), 16u);
  Expect(rope->inverse, expected.inverse);
  EXPECT_EQ(rope->get().inverse, rope->inverse.get());
  EXPECT_EQ(rope->get().scale, 1.25f);
}

TEST_F(DeviceWeightsTest, ADenseStageHasTheWeightsOfItsSource) {
  const std::vector<TensorInfo> tensors = DenseStageTensors(config_);
  DeviceWeightLoader loader(config_, *source_, pool_, *device_, 1 << 20,
                            tensors, Progress());
  WeightLoader expected(config_, *source_, pool_, 0, nullptr);
  const auto embedding = loader.Embedding();
  const auto layer = loader.DenseLayer(0);
  ASSERT_TRUE(embedding.ok() && layer.ok()) << layer.status();
  ExpectOk(loader.Finish());
  EXPECT_EQ(left_, 0);
  const auto expected_layer = expected.DenseLayer(0);
  ASSERT_TRUE(expected_layer.ok()) << expected_layer.status();
  Expect(layer->attention, expected_layer->attention);
  Expect(layer->mlp, expected_layer->mlp);
  const auto table = Read<Bf16>(embedding->get(), embedding->memory.bytes());
  std::vector<float> row(config_.hidden_size);
  for (int t = 0; t < config_.vocab_size; ++t) {
    source_->Embedding(t, row.data());
    for (int i = 0; i < config_.hidden_size; ++i) {
      ASSERT_EQ(F32FromBf16Bits(table[t * config_.hidden_size + i]), row[i]);
    }
  }
  Count(embedding->memory);
  EXPECT_EQ(*DenseStageBytes(config_, *source_), bytes_);
}

TEST_F(DeviceWeightsTest, AnExpertStageHasTheWeightsOfItsSource) {
  const std::set<int> experts = {0, 3, 6};
  const std::vector<TensorInfo> tensors = ExpertStageTensors(config_, experts);
  DeviceWeightLoader loader(config_, *source_, pool_, *device_, 1 << 20,
                            tensors, Progress());
  WeightLoader expected(config_, *source_, pool_, 0, nullptr);
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    SCOPED_TRACE(l);
    const auto layer = loader.SparseLayer(l, experts);
    const auto expected_layer = expected.SparseLayer(l, experts);
    ASSERT_TRUE(layer.ok() && expected_layer.ok()) << layer.status();
    Expect(*layer, *expected_layer);
  }
  const auto head = loader.Head();
  const auto expected_head = expected.Head();
  ASSERT_TRUE(head.ok() && expected_head.ok()) << head.status();
  ExpectOk(loader.Finish());
  Expect(head->norm, expected_head->norm);
  Expect(head->output, expected_head->output);
  EXPECT_EQ(left_, 0);
  EXPECT_EQ(*ExpertStageBytes(config_, *source_, experts), bytes_);
}

TEST_F(DeviceWeightsTest, AnInt4ModelHasAnInt8Head) {
  const RandomWeights source(config_, WeightFormat::kInt4);
  const std::set<int> experts = {1, 4};
  const std::vector<TensorInfo> tensors = ExpertStageTensors(config_, experts);
  DeviceWeightLoader loader(config_, source, pool_, *device_, 1 << 20, tensors,
                            nullptr);
  WeightLoader expected(config_, source, pool_, 0, nullptr);
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    SCOPED_TRACE(l);
    const auto layer = loader.SparseLayer(l, experts);
    const auto expected_layer = expected.SparseLayer(l, experts);
    ASSERT_TRUE(layer.ok() && expected_layer.ok()) << layer.status();
    EXPECT_EQ(layer->experts.gate_up.format, WeightFormat::kInt4);
    Expect(*layer, *expected_layer);
  }
  const auto head = loader.Head();
  const auto expected_head = expected.Head();
  ASSERT_TRUE(head.ok() && expected_head.ok()) << head.status();
  ExpectOk(loader.Finish());
  EXPECT_EQ(head->output.matrix.format, WeightFormat::kInt8);
  Expect(head->norm, expected_head->norm);
  Expect(head->output, expected_head->output);
  EXPECT_EQ(*ExpertStageBytes(config_, source, experts), bytes_);
}

TEST_F(DeviceWeightsTest, AModelWithoutBiasesAndSharedExpertsHasNone) {
  config_.shared_expert = false;
  config_.attention_bias = false;
  const RandomWeights source(config_);
  DeviceWeightLoader loader(config_, source, pool_, *device_, 0, {}, nullptr);
  const auto layer = loader.SparseLayer(1, {});
  ASSERT_TRUE(layer.ok()) << layer.status();
  EXPECT_EQ(layer->attention.qkv_bias.get(), nullptr);
  EXPECT_EQ(layer->shared_gate.get(), nullptr);
  EXPECT_EQ(layer->shared.down.matrix.data, nullptr);
  EXPECT_TRUE(layer->experts.resident.empty());
}

TEST_F(DeviceWeightsTest, ASignalStopsTheLoadingAsOnProcessors) {
  BlockStopSignals();
  DeviceWeightLoader loader(config_, *source_, pool_, *device_, 1 << 20, {},
                            nullptr);
  WeightLoader host(config_, *source_, pool_, 0, nullptr);
  // To this thread alone: those of the pool do not block it.
  pthread_kill(pthread_self(), SIGTERM);
  EXPECT_EQ(loader.Embedding().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(loader.DenseLayer(0).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(host.DenseLayer(0).status().code(), absl::StatusCode::kCancelled);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  int got = 0;
  sigwait(&signals, &got);  // It is still there for others.
  EXPECT_EQ(got, SIGTERM);
  ExpectOk(loader.DenseLayer(0).status());
  ExpectOk(loader.Finish());
}

TEST_F(DeviceWeightsTest, WhatGpusCannotUseIsRefusedByName) {
  struct Case {
    WeightFormat format;
    void (*change)(ModelConfig&);
    std::vector<std::string> words;
  };
  for (const Case& c : std::vector<Case>{
           {WeightFormat::kF32,
            [](ModelConfig&) {},
            {"\"model.embed_tokens.weight\"", "--weights", "float32",
             "bf16, int8 or int4"}},
           {WeightFormat::kBF16,
            [](ModelConfig& config) { config.head_size = 48; },
            {"48"}},
           {WeightFormat::kBF16,
            [](ModelConfig& config) { config.intermediate_size = 40; },
            {"down_proj.weight\"", "40 inputs", "multiple of 32"}}}) {
    ModelConfig config = RandomModelConfig();
    c.change(config);
    const absl::Status status =
        DenseStageBytes(config, RandomWeights(config, c.format)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    for (const std::string& word : c.words) {
      EXPECT_NE(std::string(status.message()).find(word), std::string::npos)
          << status << " without " << word;
    }
  }
}

TEST_F(DeviceWeightsTest, WeightsAreInOneBlock) {
  const std::size_t bytes = *DenseStageBytes(config_, *source_);
  DeviceWeightLoader loader(config_, *source_, pool_, *device_, bytes, {},
                            nullptr);
  const auto embedding = loader.Embedding();
  const auto layer = loader.DenseLayer(0);
  ASSERT_TRUE(embedding.ok() && layer.ok()) << layer.status();
  ExpectOk(loader.Finish());
  const auto* const first = embedding->memory.as<std::byte>();
  for (const WeightPart* part :
       {&layer->attention.norm.memory, &layer->attention.qkv.memory,
        &layer->attention.mlp_norm.memory, &layer->mlp.gate_up.memory,
        &layer->mlp.down.memory}) {
    EXPECT_GT(part->as<std::byte>(), first);
    EXPECT_LE(part->as<std::byte>() + part->bytes(), first + bytes);
  }
}

TEST_F(DeviceWeightsTest, MemoryThatDoesNotFitIsListed) {
  DeviceInfo info;
  info.index = 1;
  info.name = "a GPU";
  info.total_bytes = 80'000'000;
  std::array<MemoryNeed, 2> needs = {
      {{"the weights", 30'000'000}, {"the cache", 40'000'000}}};
  const std::size_t reserve = MemoryReserve(info);
  info.free_bytes = 70'000'000 + reserve;
  ExpectOk(CheckRoom(info, needs));
  needs[1].bytes += 1'000'000;
  const absl::Status status = CheckRoom(info, needs);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            "device cuda:1 (a GPU) has 338 MB free of 80 MB; 339 MB are "
            "needed: the weights 30 MB, the cache 41 MB, a reserve for links "
            "and growth 268 MB");
}

TEST_F(DeviceWeightsTest, AReserveIsKeptOnEveryGpu) {
  DeviceInfo info;
  info.total_bytes = std::size_t{8} << 30;
  EXPECT_EQ(MemoryReserve(info), std::size_t{256} << 20);
  info.total_bytes = std::size_t{100} << 30;
  EXPECT_EQ(MemoryReserve(info), std::size_t{2} << 30);
}

}  // namespace
}  // namespace apollo::cuda
