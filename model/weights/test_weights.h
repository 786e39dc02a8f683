#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "common/thread_pool.h"
#include "kernels/weight_format.h"
#include "model/weights/open_model.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_source.h"

namespace apollo {

// "auto" and every format.
inline std::vector<std::optional<WeightFormat>> AllFormats() {
  std::vector<std::optional<WeightFormat>> formats = {std::nullopt};
  for (const WeightFormatInfo& info : kWeightFormats) {
    formats.push_back(info.format);
  }
  return formats;
}

// Reads all weights of both stages and returns their bytes as the kernels get
// them: matrices, vectors, then the rows of the embedding.
inline absl::StatusOr<std::string> ReadWeights(const OpenModel& model) {
  ThreadPool pool(2);
  std::string bytes;
  const auto add = [&bytes](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  };
  const WeightSource& source = *model.weights;
  RETURN_IF_ERROR(source.CheckEmbedding(pool));
  std::vector<TensorInfo> tensors = AllTensors(model.config);
  if (!model.config.tie_word_embeddings) tensors.erase(tensors.begin());
  for (const auto& names : StackedMatrices(tensors)) {
    ASSIGN_OR_RETURN(const PackedMatrix matrix, source.Matrix(names, pool));
    bytes += std::to_string(static_cast<int>(matrix.format()));
    add(matrix.data(), matrix.bytes());
  }
  for (const TensorInfo& tensor : tensors) {
    if (IsMatrix(tensor.kind)) continue;
    ASSIGN_OR_RETURN(const std::vector<float> vector,
                     source.Vector(tensor.name));
    add(vector.data(), vector.size() * sizeof(float));
  }
  std::vector<float> row(model.config.hidden_size);
  for (int token = 0; token < model.config.vocab_size; ++token) {
    source.Embedding(token, row.data());
    add(row.data(), row.size() * sizeof(float));
  }
  return bytes;
}

}  // namespace apollo
