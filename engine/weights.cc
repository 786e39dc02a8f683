#include "engine/weights.h"

#include <string>
#include <utility>

#include "common/status_macros.h"

namespace apollo {

WeightLoader::WeightLoader(const ModelConfig& config,
                           const WeightSource& source, ThreadPool& pool,
                           std::int64_t total, LoadProgress progress)
    : LayerLoader(config),
      source_(source),
      pool_(pool),
      count_(source, total, std::move(progress)) {}

absl::StatusOr<PackedMatrix> WeightLoader::Matrix(
    std::span<const TensorInfo> tensors, WeightKind kind) {
  RETURN_IF_ERROR(CheckNotStopped());
  const std::vector<std::string> names = NamesOf(tensors, kind);
  ASSIGN_OR_RETURN(PackedMatrix matrix, source_.Matrix(names, pool_));
  count_.Loaded(names);
  return matrix;
}

absl::StatusOr<std::vector<float>> WeightLoader::Vector(
    std::span<const TensorInfo> tensors, WeightKind kind) {
  const std::vector<std::string> names = NamesOf(tensors, kind);
  std::vector<float> values;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::vector<float> part, source_.Vector(name));
    values.insert(values.end(), part.begin(), part.end());
  }
  count_.Loaded(names);
  return values;
}

absl::StatusOr<std::map<int, MlpWeights>> WeightLoader::Experts(
    int layer, const std::set<int>& experts) {
  std::map<int, MlpWeights> mlps;
  for (const int e : experts) {
    ASSIGN_OR_RETURN(mlps[e], LoadMlp(layer, e));
  }
  return mlps;
}

}  // namespace apollo
