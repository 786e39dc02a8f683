#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/safetensors/reader.h"
#include "model/weights/weight_source.h"

namespace apollo {

// Name of the file of packed weights in a model directory.
inline constexpr char kPackedFile[] = "weights.packed";

// Weights in the layout of the kernels, in a file that is mapped and used in
// place. It is a safetensors file whose tensor names describe the content
// (docs/kernels.md).
class PackedWeights final : public WeightSource {
 public:
  // Maps the file in `directory` and checks everything except the weight
  // values: that it is a complete file of this format, made from this
  // config.json and these ends, with every tensor of the config in the right
  // size. Returns
  // NOT_FOUND, INVALID_ARGUMENT or UNIMPLEMENTED (another version), naming the
  // file.
  static absl::StatusOr<std::unique_ptr<PackedWeights>> Open(
      const std::string& directory, const ModelConfig& config);

  // The hash of the model, followed by the format, as in OpenModel.
  const std::string& hash() const { return hash_; }
  // The name of the format, as in --weights.
  const std::string& format() const { return format_; }

  std::int64_t Bytes(std::string_view name) const override;
  absl::StatusOr<PackedMatrix> Matrix(const std::vector<std::string>& names,
                                      ThreadPool& pool) const override;
  absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const override;
  absl::StatusOr<MatrixShape> Shape(
      const std::vector<std::string>& names) const override;
  // float32 and bf16 only: int8 and int4 have the groups of the processors'
  // format, which would be rounded once more elsewhere.
  absl::Status ReadRows(const std::vector<std::string>& names, int first,
                        int count, WeightFormat format, ThreadPool& pool,
                        RowVisitor visit) const override;
  void Embedding(std::int32_t token, float* row) const override;

 private:
  // A matrix or a vector.
  struct Entry {
    std::vector<std::string> names;      // The tensors stacked in it.
    std::optional<WeightFormat> format;  // Nullopt: a float32 vector.
    std::int64_t rows = 0;               // For a vector: its size.
    std::int64_t columns = 1;
    const TensorView* data = nullptr;
  };

  explicit PackedWeights(SafetensorsFile file) : file_(std::move(file)) {}
  absl::Status ReadInfo(std::string_view name, const std::string& directory,
                        const ModelConfig& config);
  absl::Status AddEntry(const TensorView& tensor);
  absl::Status CheckAgainst(const ModelConfig& config) const;
  const Entry* Find(std::string_view name) const;
  absl::StatusOr<const Entry*> FindMatrix(
      const std::vector<std::string>& names) const;

  const SafetensorsFile file_;
  std::string hash_, format_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> entry_of_;  // By tensor name.
  PackedMatrix embedding_;
};

}  // namespace apollo
