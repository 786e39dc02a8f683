// Times the operations on a GPU, for the shapes of the published models, and
// prints how close each is to its bound: the larger of its bytes over the
// measured copy bandwidth and its operations over the measured peak of bf16
// products. Usage: benchmark [0.5B | 7B | bounds]; "bounds" measures only those
// two. Takes about a minute per model. tests/gpu/run.sh runs it.
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/check.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/experts.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/packed_weights.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/sampling.h"
#include "kernels/half.h"

namespace apollo::cuda {
namespace {

struct Model {
  const char* name;
  int hidden, inner, heads, kv_heads, head_size, vocab;
};
constexpr Model kModels[] = {{"0.5B", 896, 4864, 14, 2, 64, 151936},
                             {"7B", 3584, 18944, 28, 4, 128, 152064}};

void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "benchmark: %s\n",
               std::string(status.message()).c_str());
  std::exit(1);
}
void Require(cudaError_t error) { Require(CudaStatus(error, "CUDA")); }

DeviceBuffer Allocate(std::size_t bytes) {
  auto buffer = AllocateDevice(bytes, "the benchmark");
  Require(buffer.status());
  return *std::move(buffer);
}

// Returns device memory filled with random bf16 numbers.
DeviceBuffer RandomNumbers(std::size_t count) {
  // One megabyte of numbers, repeated.
  static const std::vector<Bf16> kNumbers = [] {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 0.1f);
    std::vector<Bf16> numbers(1 << 19);
    for (Bf16& x : numbers) x = Bf16BitsFromF32(normal(random));
    return numbers;
  }();
  DeviceBuffer buffer = Allocate(count * sizeof(Bf16));
  for (std::size_t at = 0; at < count; at += kNumbers.size()) {
    const std::size_t n = std::min(kNumbers.size(), count - at);
    Require(cudaMemcpy(buffer.as<Bf16>() + at, kNumbers.data(),
                       n * sizeof(Bf16), cudaMemcpyHostToDevice));
  }
  return buffer;
}

template <typename T>
DeviceBuffer Upload(const std::vector<T>& values) {
  DeviceBuffer buffer = Allocate(values.size() * sizeof(T));
  Require(cudaMemcpy(buffer.as<T>(), values.data(), values.size() * sizeof(T),
                     cudaMemcpyHostToDevice));
  return buffer;
}

// Returns the median microseconds of one run. `run(i, stream)` uses buffers i.
// The runs are captured in a graph, whose replays are timed.
double Time(const std::function<void(int, cudaStream_t)>& run) {
  constexpr int kRuns = 20, kReplays = 11;
  const Stream stream = *CreateStream();
  const Event begin = *CreateEvent(true), end = *CreateEvent(true);
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  run(0, stream.get());
  Require(cudaStreamSynchronize(stream.get()));
  Require(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeGlobal));
  for (int i = 0; i < kRuns; ++i) run(i, stream.get());
  Require(cudaStreamEndCapture(stream.get(), &graph));
  Require(cudaGraphInstantiate(&executable, graph, 0));
  std::vector<float> times;
  for (int i = 0; i < kReplays; ++i) {
    Require(cudaEventRecord(begin.get(), stream.get()));
    Require(cudaGraphLaunch(executable, stream.get()));
    Require(cudaEventRecord(end.get(), stream.get()));
    Require(cudaEventSynchronize(end.get()));
    times.push_back(0);
    Require(cudaEventElapsedTime(&times.back(), begin.get(), end.get()));
  }
  Require(cudaGraphExecDestroy(executable));
  Require(cudaGraphDestroy(graph));
  std::nth_element(times.begin() + 1, times.begin() + kReplays / 2 + 1,
                   times.end());
  return times[kReplays / 2 + 1] * 1000.0 / kRuns;
}

struct Bounds {
  double bytes_per_us = 0;
  double operations_per_us = 0;
};

Bounds MeasureBounds() {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  const DeviceBuffer from = Allocate(kBytes), to = Allocate(kBytes);
  Bounds bounds;
  bounds.bytes_per_us =
      2.0 * kBytes / Time([&](int, cudaStream_t stream) {
        Require(cudaMemcpyAsync(to.as<char>(), from.as<char>(), kBytes,
                                cudaMemcpyDeviceToDevice, stream));
      });
  constexpr int kSize = 8192;
  const DeviceBuffer a = RandomNumbers(kSize * kSize),
                     b = RandomNumbers(kSize * kSize),
                     c = Allocate(sizeof(Bf16) * kSize * kSize),
                     workspace = Allocate(64 << 20);
  cublasHandle_t handle;
  APOLLO_CHECK(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS);
  const float one = 1, zero = 0;
  const double us = Time([&](int, cudaStream_t stream) {
    cublasSetStream(handle, stream);
    cublasSetWorkspace(handle, workspace.as<void>(), 64 << 20);
    APOLLO_CHECK(cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, kSize, kSize,
                              kSize, &one, a.as<void>(), CUDA_R_16BF, kSize,
                              b.as<void>(), CUDA_R_16BF, kSize, &zero,
                              c.as<void>(), CUDA_R_16BF, kSize,
                              CUBLAS_COMPUTE_32F,
                              CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
  });
  cublasDestroy(handle);
  bounds.operations_per_us = 2.0 * kSize * kSize * kSize / us;
  std::printf("copies %.0f GB/s, bf16 products %.0f TFLOPS\n",
              bounds.bytes_per_us * 1e-3, bounds.operations_per_us * 1e-6);
  return bounds;
}

void Report(const Bounds& bounds, const std::string& name, int rows, double us,
            double bytes, double operations) {
  const double bound = std::max(bytes / bounds.bytes_per_us,
                                operations / bounds.operations_per_us);
  std::printf("%-28s %5d rows %10.1f us %8.0f GB/s %8.1f TFLOPS %5.0f%%\n",
              name.c_str(), rows, us, bytes / us * 1e-3, operations / us * 1e-6,
              100 * bound / us);
}

void TimeProduct(const Bounds& bounds, const std::string& name,
                 const PackedShape& shape, std::size_t l2_bytes) {
  const std::size_t bytes = PackedBytes(shape);
  const int copies = static_cast<int>(
      std::clamp<std::size_t>(4 * l2_bytes / bytes + 1, 2, 40));
  std::vector<DeviceBuffer> weights;
  for (int i = 0; i < copies; ++i) {
    weights.push_back(RandomNumbers((bytes + 1) / 2));
  }
  for (const int rows : {1, 8, 64, 4096}) {
    if (rows == 4096 && shape.outputs > 100000) continue;  // The head.
    const DeviceBuffer x =
        RandomNumbers(static_cast<std::size_t>(rows) * shape.inputs);
    const DeviceBuffer out =
        Allocate(static_cast<std::size_t>(rows) * shape.outputs * 4);
    const double us = Time([&](int i, cudaStream_t stream) {
      Product product;
      product.w = {weights[i % copies].as<void>(), shape.outputs, shape.inputs,
                   shape.format, shape.paired};
      product.x = x.as<Bf16>();
      product.x_stride = shape.inputs;
      product.rows = rows;
      product.epilogue =
          shape.paired ? Epilogue::kSwiGluBf16 : Epilogue::kStore;
      product.out = out.as<void>();
      product.out_stride = shape.paired ? shape.outputs / 2 : shape.outputs;
      Require(Run(product, stream));
    });
    const double numbers = static_cast<double>(rows);
    Report(bounds, name, rows, us,
           static_cast<double>(bytes) + numbers * shape.inputs * 2 +
               numbers * shape.outputs * (shape.paired ? 1 : 4),
           2.0 * numbers * shape.inputs * shape.outputs);
  }
}

void TimeAttention(const Bounds& bounds, const Model& model,
                   const std::string& name, int sequences, int first_position,
                   int rows) {
  const HeadShape shape = {model.heads, model.kv_heads, model.head_size};
  const int blocks = (first_position + rows + 15) / 16;
  std::vector<AttentionSlice> slices;
  std::vector<std::int32_t> table;
  for (int s = 0; s < sequences; ++s) {
    slices.push_back({s * rows, rows, first_position, s * blocks});
    for (int b = 0; b < blocks; ++b) table.push_back(s * blocks + b);
  }
  const AttentionPlan plan = PlanAttention(slices, shape.group(), 1 << 14);
  std::vector<AttentionTask> tasks(plan.size());
  plan.CopyTo(tasks.data());
  const std::size_t numbers = shape.block_numbers() * table.size();
  std::vector<DeviceBuffer> caches;  // Two, larger than L2 in decoding.
  for (int i = 0; i < 2; ++i) caches.push_back(RandomNumbers(2 * numbers));
  const int all = sequences * rows;
  const DeviceBuffer q =
      RandomNumbers(static_cast<std::size_t>(all) * shape.q_size());
  const DeviceBuffer out = Allocate(sizeof(Bf16) * all * shape.q_size());
  const DeviceBuffer workspace =
      Allocate(AttentionWorkspaceBytes(shape, plan.slots) + 16);
  const DeviceBuffer device_tasks = Upload(tasks), tables = Upload(table);
  const double us = Time([&](int i, cudaStream_t stream) {
    Attention attention;
    attention.shape = shape;
    attention.q = q.as<Bf16>();
    attention.cache = {caches[i % 2].as<Bf16>(),
                       caches[i % 2].as<Bf16>() + numbers,
                       shape.block_numbers()};
    attention.tables = tables.as<std::int32_t>();
    attention.tasks = device_tasks.as<AttentionTask>();
    attention.direct = static_cast<int>(plan.direct.size());
    attention.split = static_cast<int>(plan.split.size());
    attention.merge = static_cast<int>(plan.merge.size());
    attention.workspace = workspace.as<float>();
    attention.out = out.as<Bf16>();
    Require(Run(attention, stream));
  });
  const double keys = first_position + (rows + 1) / 2.0;
  Report(bounds, name, all, us,
         4.0 * static_cast<double>(numbers) + 4.0 * all * shape.q_size(),
         4.0 * all * keys * shape.q_size());
}

void TimeSampling(const Bounds& bounds, const Model& model,
                  const std::string& name, const SampleRequest& request) {
  constexpr int kRows = 64;
  const std::size_t count = static_cast<std::size_t>(kRows) * model.vocab;
  const DeviceBuffer narrow = RandomNumbers(count),
                     logits = Allocate(count * 4);
  Require(Widen(narrow.as<Bf16>(), static_cast<std::int64_t>(count),
                logits.as<float>(), nullptr));
  Require(cudaDeviceSynchronize());
  const DeviceBuffer requests =
      Upload(std::vector<SampleRequest>(kRows, request));
  const DeviceBuffer results = Allocate(kRows * sizeof(SampleResult));
  const double us = Time([&](int, cudaStream_t stream) {
    Require(Run(Sample{logits.as<float>(), kRows, model.vocab,
                       requests.as<SampleRequest>(), nullptr,
                       results.as<SampleResult>()},
                stream));
  });
  Report(bounds, name, kRows, us, 4.0 * static_cast<double>(count), 0);
}

void TimeNorm(const Bounds& bounds, const Model& model, int rows) {
  const std::size_t count = static_cast<std::size_t>(rows) * model.hidden;
  const DeviceBuffer x = RandomNumbers(2 * count), out = Allocate(2 * count),
                     weight = RandomNumbers(2 * model.hidden);
  const double us = Time([&](int, cudaStream_t stream) {
    Require(RmsNorm(x.as<float>(), nullptr, rows, model.hidden,
                    weight.as<float>(), 1e-6f, out.as<Bf16>(), stream));
  });
  Report(bounds, "rmsnorm", rows, us, 6.0 * static_cast<double>(count), 0);
}

void TimeModel(const Bounds& bounds, const Model& model, std::size_t l2_bytes) {
  std::printf("--- %s\n", model.name);
  const int kv = model.kv_heads * model.head_size;
  for (const WeightFormat format :
       {WeightFormat::kBF16, WeightFormat::kInt8, WeightFormat::kInt4}) {
    const std::string suffix = std::string(" ") + InfoOf(format).name;
    const auto time = [&](const char* name, int outputs, int inputs,
                          bool paired) {
      TimeProduct(bounds, name + suffix, {outputs, inputs, format, paired},
                  l2_bytes);
    };
    time("qkv", model.hidden + 2 * kv, model.hidden, false);
    time("attention output", model.hidden, model.hidden, false);
    time("gate, up", 2 * model.inner, model.hidden, true);
    time("down", model.hidden, model.inner, false);
    time("head", model.vocab, model.hidden, false);
  }
  TimeAttention(bounds, model, "attention, 1 x 1024 keys", 1, 1023, 1);
  TimeAttention(bounds, model, "attention, 64 x 1024 keys", 64, 1023, 1);
  TimeAttention(bounds, model, "attention, prompt of 4096", 1, 0, 4096);
  for (const int rows : {1, 64, 4096}) TimeNorm(bounds, model, rows);
  SampleRequest request;
  TimeSampling(bounds, model, "greedy", request);
  request.alternatives = 5;
  TimeSampling(bounds, model, "greedy, 5 alternatives", request);
  request = {};
  request.temperature = 0.7f;
  request.top_p = 0.9f;
  request.uniform = 0.4;
  TimeSampling(bounds, model, "temperature, top-p", request);
}

int Main(int argc, char** argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  if (!only.empty() && only != "0.5B" && only != "7B" && only != "bounds") {
    std::fprintf(stderr, "benchmark: \"%s\"; it must be 0.5B, 7B or bounds\n",
                 argv[1]);
    return 2;
  }
  const auto device = OpenDevice(0, std::size_t{8} << 30);
  Require(device.status());
  std::printf("%s, %d multiprocessors\n", device->name.c_str(),
              device->multiprocessors);
  Require(PrepareProducts());
  Require(PrepareAttention());
  const Bounds bounds = MeasureBounds();
  for (const Model& model : kModels) {
    if (!only.empty() && only != model.name) continue;
    TimeModel(bounds, model, device->l2_bytes);
  }
  return 0;
}

}  // namespace
}  // namespace apollo::cuda

int main(int argc, char** argv) { return apollo::cuda::Main(argc, argv); }
