#include "model/weights/tied_head.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/check.h"
#include "common/mapped_file.h"
#include "model/safetensors/convert.h"
#include "model/safetensors/tensor_view.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

// Returns true if two tensors of different types hold the same numbers.
bool AreEqualNumbers(const TensorView& a, const TensorView& b) {
  if (a.dtype == DType::kOther || b.dtype == DType::kOther) return false;
  const auto rows = a.shape.empty() ? 0 : a.shape[0];
  const std::int64_t size = rows == 0 ? 0 : a.NumElements() / rows;
  std::vector<float> left(size), right(size);
  for (std::int64_t row = 0; row < rows; ++row) {
    APOLLO_CHECK(RowsToFloat32(a, row, 1, left.data()).ok());
    APOLLO_CHECK(RowsToFloat32(b, row, 1, right.data()).ok());
    if (left != right) return false;
  }
  return rows > 0;
}

// Compares without keeping the pages in memory.
bool AreEqual(const TensorView& a, const TensorView& b) {
  if (a.shape != b.shape) return false;
  const bool equal = a.dtype_name == b.dtype_name
                         ? std::equal(a.data.begin(), a.data.end(),
                                      b.data.begin(), b.data.end())
                         : AreEqualNumbers(a, b);
  ReleasePages(a.data);
  ReleasePages(b.data);
  return equal;
}

}  // namespace

void NameTiedEmbedding(Checkpoint& checkpoint) {
  const TensorView* head = checkpoint.Find(kHeadTensor);
  if (head == nullptr || checkpoint.Find(kEmbeddingTensor) != nullptr) return;
  checkpoint.Replace(kHeadTensor, {{kEmbeddingTensor, *head}});
}

absl::Status CheckTiedHead(const Checkpoint& checkpoint) {
  const TensorView* embedding = checkpoint.Find(kEmbeddingTensor);
  if (embedding == nullptr || checkpoint.WasReplaced(kHeadTensor)) {
    return absl::OkStatus();
  }
  for (const auto& file : checkpoint.files()) {
    const TensorView* head = file->Find(kHeadTensor);
    if (head == nullptr || AreEqual(*head, *embedding)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        head->Where(), " is not read; it must be equal to ", kEmbeddingTensor,
        ", or \"tie_word_embeddings\" of config.json must be false (versions "
        "4 and 5 of transformers differ in which of them is the head)"));
  }
  return absl::OkStatus();
}

}  // namespace apollo
