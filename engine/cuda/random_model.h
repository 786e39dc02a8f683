#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/model_config.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_source.h"

// A small model of random weights with shapes that GPUs accept, for tests.
namespace apollo {

// One dense and two sparse layers with 7 experts, 2 per token: hidden size 64,
// heads of 32.
ModelConfig RandomModelConfig();

// The same without experts: two layers before the boundary and one after it.
ModelConfig DenseModelConfig();

// Random weights of a config. Each tensor depends on its name, shape and the
// seed only. All numbers are bf16, so that a bf16 model holds them exactly.
class RandomWeights final : public WeightSource {
 public:
  explicit RandomWeights(const ModelConfig& config,
                         WeightFormat format = WeightFormat::kBF16,
                         unsigned seed = 1);

  std::int64_t Bytes(std::string_view name) const override;
  absl::StatusOr<PackedMatrix> Matrix(const std::vector<std::string>& names,
                                      ThreadPool& pool) const override;
  absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const override;
  absl::StatusOr<MatrixShape> Shape(
      const std::vector<std::string>& names) const override;
  absl::Status ReadRows(const std::vector<std::string>& names, int first,
                        int count, WeightFormat format, ThreadPool& pool,
                        RowVisitor visit) const override;
  void Embedding(std::int32_t token, float* row) const override;

  // Sets all numbers of a tensor, for example to NaN.
  void Fill(const std::string& name, float value);

 private:
  struct Tensor {
    int outputs = 1;
    int inputs = 0;
    std::vector<std::uint16_t> numbers;  // bf16 bits.
  };
  void Add(const TensorInfo& info, const ModelConfig& config, unsigned seed);
  absl::StatusOr<const Tensor*> Get(const std::string& name) const;

  const WeightFormat format_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace apollo
