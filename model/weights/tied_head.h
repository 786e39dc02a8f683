#pragma once

#include <absl/status/status.h>

#include "model/safetensors/checkpoint.h"

// The head of a model whose head is the embedding ("tie_word_embeddings").
namespace apollo {

// Gives the embedding its name if a checkpoint stores it under that of the head
// only, as transformers reads it too.
void NameTiedEmbedding(Checkpoint& checkpoint);

// Checks that a head that is stored beside the embedding is a copy of it: holds
// the same numbers. Else it is unclear which of them is meant, because
// transformers 4 takes the embedding for both, and transformers 5 does not tie
// them (tie_weights in modeling_utils.py). Returns INVALID_ARGUMENT then,
// naming file and tensor. Reads both, and returns their pages to the system.
// Any tensors are accepted if there is no embedding.
absl::Status CheckTiedHead(const Checkpoint& checkpoint);

}  // namespace apollo
