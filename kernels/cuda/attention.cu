#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_direct.cuh"
#include "kernels/cuda/attention_split.cuh"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"

namespace apollo::cuda {
namespace {

template <int kHead>
absl::Status RunTasks(const Attention& args, cudaStream_t stream) {
  const auto kv_heads = static_cast<unsigned>(args.shape.kv_heads);
  if (args.direct > 0) {
    RETURN_IF_ERROR(Launch("attention (direct)", AttentionDirectKernel<kHead>,
                           dim3(args.direct, kv_heads), kDirectThreads,
                           DirectShape<kHead>::kShared, stream, args));
  }
  if (args.split > 0) {
    constexpr int kWarps = kSplitThreads / 32;
    RETURN_IF_ERROR(Launch("attention (split)", AttentionSplitKernel<kHead>,
                           dim3((args.split + kWarps - 1) / kWarps, kv_heads),
                           kSplitThreads, 0, stream, args));
  }
  if (args.merge > 0) {
    RETURN_IF_ERROR(Launch("attention (merge)", AttentionMergeKernel<kHead>,
                           dim3(args.merge, kv_heads), kMergeThreads, 0, stream,
                           args));
  }
  return absl::OkStatus();
}

template <int kHead>
absl::Status Prepare() {
  return CudaStatus(
      cudaFuncSetAttribute(AttentionDirectKernel<kHead>,
                           cudaFuncAttributeMaxDynamicSharedMemorySize,
                           DirectShape<kHead>::kShared),
      "preparing attention");
}

}  // namespace

std::size_t AttentionWorkspaceBytes(const HeadShape& shape, int slots) {
  return static_cast<std::size_t>(slots) * shape.kv_heads *
         SlotFloats(shape.head_size) * sizeof(float);
}

absl::Status Run(const Attention& attention, cudaStream_t stream) {
  APOLLO_CHECK(CheckHeadShape(attention.shape).ok());
  APOLLO_CHECK(attention.cache.stride % 8 == 0);
  switch (attention.shape.head_size) {
    case 32:
      return RunTasks<32>(attention, stream);
    case 64:
      return RunTasks<64>(attention, stream);
    case 96:
      return RunTasks<96>(attention, stream);
    default:
      return RunTasks<128>(attention, stream);
  }
}

absl::Status PrepareAttention() {
  RETURN_IF_ERROR(Prepare<32>());
  RETURN_IF_ERROR(Prepare<64>());
  RETURN_IF_ERROR(Prepare<96>());
  return Prepare<128>();
}

}  // namespace apollo::cuda
