#include "engine/cuda/grouped_experts.h"

#include "common/status_macros.h"
#include "kernels/cuda/experts.h"
#include "kernels/cuda/product.h"

namespace apollo::cuda {

absl::Status Group(const GroupedRows& rows, int num_experts,
                   cudaStream_t stream) {
  GroupByExpert group;
  group.experts = rows.experts;
  group.assignments = rows.assignments();
  group.choices = rows.choices();
  group.top_k = rows.top_k;
  group.num_experts = num_experts;
  group.dropped = rows.dropped;
  group.offsets = rows.offsets;
  group.source = rows.source;
  group.target = rows.target;
  return Run(group, stream);
}

absl::Status RunExperts(const DeviceExperts& experts, int num_experts,
                        const GroupedRows& rows, Bf16* active,
                        cudaStream_t stream) {
  if (experts.resident.empty()) return absl::OkStatus();
  GroupedProduct product;
  product.experts = num_experts;
  product.offsets = rows.offsets;
  product.max_rows = rows.assignments();

  product.w = experts.gate_up;
  product.weights = experts.gate_up_of;
  product.source = rows.source;
  product.x = rows.x;
  product.x_stride = experts.gate_up.inputs;
  product.epilogue = Epilogue::kSwiGluBf16;
  product.out = active;
  product.out_stride = experts.down.inputs;
  RETURN_IF_ERROR(Run(product, stream));

  product.w = experts.down;
  product.weights = experts.down_of;
  product.source = nullptr;
  product.target = rows.target;
  product.x = active;
  product.x_stride = experts.down.inputs;
  product.epilogue = Epilogue::kStore;
  product.out = rows.outputs;
  product.out_stride = experts.down.outputs;
  return Run(product, stream);
}

}  // namespace apollo::cuda
