#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

// Checkpoints of the published shapes with random weights, for measuring speed,
// which does not depend on the values.
namespace apollo {

struct ModelShape {
  std::string_view name;
  int hidden, inner, layers, heads, kv_heads, vocab, context;
  bool tied;
};

// Apollo-MoE-0.5B and 7B, and a tiny model of the same structure for tests. All
// have 7 experts, 2 per token, in the last 2 layers; an expert is as wide as
// the MLP of a dense layer.
inline constexpr ModelShape kModelShapes[] = {
    {"0.5B", 896, 4864, 24, 14, 2, 151936, 131072, true},
    {"7B", 3584, 18944, 28, 28, 4, 152064, 131072, false},
    {"tiny", 64, 96, 4, 2, 1, 1024, 8192, false},
};

// Writes a checkpoint to an existing folder. Weights are bf16 and every call
// writes the same. The tokenizer is that of the file `tokenizer`, one byte for
// each token, with tokens for the words of benchmarks/load. Rows of the
// vocabulary beyond its tokens are small, so that they are never generated.
// INVALID_ARGUMENT, naming the valid ones, for an unknown shape, or if the
// tokenizer cannot be used; or the error of a file.
absl::Status WriteRandomModel(std::string_view shape,
                              const std::string& tokenizer,
                              const std::string& folder);

}  // namespace apollo
