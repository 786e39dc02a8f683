#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/weights/weight_source.h"

namespace apollo {

// Gates [experts, hidden] by layer.
using Gates = std::map<int, std::vector<float>>;

// The weights of a source with other gates in some layers. Both must outlive
// it.
class GateOverride final : public WeightSource {
 public:
  GateOverride(const WeightSource& source, const Gates& gates);

  std::int64_t Bytes(std::string_view name) const override {
    return source_.Bytes(name);
  }
  absl::StatusOr<PackedMatrix> Matrix(const std::vector<std::string>& names,
                                      ThreadPool& pool) const override {
    return source_.Matrix(names, pool);
  }
  absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const override;
  absl::StatusOr<MatrixShape> Shape(
      const std::vector<std::string>& names) const override {
    return source_.Shape(names);
  }
  absl::Status ReadRows(const std::vector<std::string>& names, int first,
                        int count, WeightFormat format, ThreadPool& pool,
                        RowVisitor visit) const override {
    return source_.ReadRows(names, first, count, format, pool, visit);
  }
  absl::Status CheckEmbedding(ThreadPool& pool) const override {
    return source_.CheckEmbedding(pool);
  }
  void Embedding(std::int32_t token, float* row) const override {
    source_.Embedding(token, row);
  }

 private:
  const WeightSource& source_;
  // By the name of the tensor.
  std::map<std::string, const std::vector<float>*> gates_;
};

}  // namespace apollo
