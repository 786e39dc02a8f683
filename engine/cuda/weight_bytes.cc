#include "engine/cuda/weight_bytes.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "engine/cuda/device_cache.h"
#include "kernels/cuda/cache.h"
#include "kernels/cuda/rows.h"

namespace apollo::cuda {
namespace {

// Adds up the memory of the parts of a stage.
class Sum {
 public:
  explicit Sum(const WeightSource& source) : source_(source) {}

  // Adds the weights of tensors in which all of a kind are one weight.
  absl::Status Add(std::span<const TensorInfo> part) {
    std::set<WeightKind> kinds;
    for (const TensorInfo& tensor : part) kinds.insert(tensor.kind);
    for (const WeightKind kind : kinds) {
      if (!IsMatrix(kind)) {
        AddBytes(Numbers(part, kind) * sizeof(float));
        continue;
      }
      ASSIGN_OR_RETURN(const PackedShape shape,
                       PackedShapeOf(source_, part, kind));
      AddBytes(kind == WeightKind::kEmbedding
                   ? Numbers(part, kind) * sizeof(Bf16)
                   : PackedBytes(shape));
    }
    return absl::OkStatus();
  }

  // Of one allocation.
  void AddBytes(std::size_t bytes) { bytes_ += (bytes + 255) / 256 * 256; }
  std::size_t bytes() const { return bytes_; }

 private:
  static std::size_t Numbers(std::span<const TensorInfo> part,
                             WeightKind kind) {
    std::size_t all = 0;
    for (const TensorInfo& tensor : part) {
      if (tensor.kind != kind) continue;
      std::size_t numbers = 1;
      for (const std::int64_t n : tensor.shape) {
        numbers *= static_cast<std::size_t>(n);
      }
      all += numbers;
    }
    return all;
  }

  const WeightSource& source_;
  std::size_t bytes_ = 0;
};

absl::Status CheckShapes(const ModelConfig& config) {
  RETURN_IF_ERROR(CheckHeadShape(HeadShapeOf(config)));
  return CheckRowSize(config.hidden_size);
}

std::string Megabytes(std::size_t bytes) {
  return absl::StrCat(bytes / 1000000, " MB");
}

}  // namespace

absl::StatusOr<PackedShape> PackedShapeOf(const WeightSource& source,
                                          std::span<const TensorInfo> tensors,
                                          WeightKind kind) {
  const std::vector<std::string> names = NamesOf(tensors, kind);
  ASSIGN_OR_RETURN(const MatrixShape matrix, source.Shape(names));
  const PackedShape shape = {matrix.outputs, matrix.inputs, matrix.format,
                             kind == WeightKind::kGateUp};
  if (const absl::Status status = CheckPackedShape(shape); !status.ok()) {
    return absl::Status(
        status.code(),
        absl::StrCat("\"", names[0], "\" (--weights): ", status.message()));
  }
  return shape;
}

absl::StatusOr<std::size_t> DenseStageBytes(const ModelConfig& config,
                                            const WeightSource& source) {
  RETURN_IF_ERROR(CheckShapes(config));
  Sum sum(source);
  const TensorInfo embedding = EmbeddingTensor(config);
  RETURN_IF_ERROR(sum.Add({&embedding, 1}));
  for (int layer = 0; layer < config.boundary; ++layer) {
    RETURN_IF_ERROR(sum.Add(AttentionTensors(config, layer)));
    RETURN_IF_ERROR(sum.Add(MlpTensors(config, layer, kNoExpert)));
  }
  return sum.bytes();
}

absl::StatusOr<std::size_t> ExpertStageBytes(const ModelConfig& config,
                                             const WeightSource& source,
                                             const std::set<int>& experts) {
  RETURN_IF_ERROR(CheckShapes(config));
  Sum sum(source);
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    RETURN_IF_ERROR(sum.Add(AttentionTensors(config, layer)));
    if (!config.IsSparse(layer)) {
      RETURN_IF_ERROR(sum.Add(MlpTensors(config, layer, kNoExpert)));
      continue;
    }
    RETURN_IF_ERROR(sum.Add(RouterTensors(config, layer)));
    for (const int expert : experts) {
      RETURN_IF_ERROR(sum.Add(MlpTensors(config, layer, expert)));
    }
    if (config.shared_expert) {
      RETURN_IF_ERROR(sum.Add(MlpTensors(config, layer, kTheSharedExpert)));
    }
    // The addresses of the experts' matrices.
    sum.AddBytes(2 * sizeof(void*) *
                 static_cast<std::size_t>(config.num_experts));
  }
  RETURN_IF_ERROR(sum.Add(HeadTensors(config)));
  return sum.bytes();
}

std::size_t MemoryReserve(const DeviceInfo& device) {
  return std::max(std::size_t{256} << 20, device.total_bytes / 50);
}

absl::Status CheckRoom(const DeviceInfo& device,
                       std::span<const MemoryNeed> needs) {
  std::size_t bytes = 0;
  std::string parts;
  std::vector<MemoryNeed> all(needs.begin(), needs.end());
  all.push_back({"a reserve for links and growth", MemoryReserve(device)});
  for (const MemoryNeed& need : all) {
    bytes += need.bytes;
    absl::StrAppend(&parts, parts.empty() ? "" : ", ", ToAbsl(need.purpose),
                    " ", Megabytes(need.bytes));
  }
  if (bytes <= device.free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "device cuda:", device.index, " (", device.name, ") has ",
      Megabytes(device.free_bytes), " free of ", Megabytes(device.total_bytes),
      "; ", Megabytes(bytes), " are needed: ", parts));
}

}  // namespace apollo::cuda
