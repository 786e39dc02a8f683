#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_direct.cuh"
#include "kernels/cuda/attention_split.cuh"
#include "kernels/cuda/device.h"

namespace apollo::cuda {
namespace {

template <int kHead>
absl::Status Launch(const Attention& args, cudaStream_t stream) {
  const auto kv_heads = static_cast<unsigned>(args.shape.kv_heads);
  if (args.direct > 0) {
    AttentionDirectKernel<kHead><<<dim3(args.direct, kv_heads), kDirectThreads,
                                   DirectShape<kHead>::kShared, stream>>>(args);
    RETURN_IF_ERROR(LaunchStatus("attention (direct)"));
  }
  if (args.split > 0) {
    constexpr int kWarps = kSplitThreads / 32;
    AttentionSplitKernel<kHead>
        <<<dim3((args.split + kWarps - 1) / kWarps, kv_heads), kSplitThreads, 0,
           stream>>>(args);
    RETURN_IF_ERROR(LaunchStatus("attention (split)"));
  }
  if (args.merge > 0) {
    AttentionMergeKernel<kHead>
        <<<dim3(args.merge, kv_heads), kMergeThreads, 0, stream>>>(args);
    RETURN_IF_ERROR(LaunchStatus("attention (merge)"));
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
      return Launch<32>(attention, stream);
    case 64:
      return Launch<64>(attention, stream);
    case 96:
      return Launch<96>(attention, stream);
    default:
      return Launch<128>(attention, stream);
  }
}

absl::Status PrepareAttention() {
  RETURN_IF_ERROR(Prepare<32>());
  RETURN_IF_ERROR(Prepare<64>());
  RETURN_IF_ERROR(Prepare<96>());
  return Prepare<128>();
}

}  // namespace apollo::cuda
