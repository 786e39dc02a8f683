#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "tools/upcycle/gguf_file.h"

namespace apollo {

// Rebuilds the Hugging Face tokenizer.json of a byte-level BPE tokenizer from
// the keys "tokenizer.ggml.*" of a GGUF file. Supports the pre-tokenizers of
// pre_tokenizers.cc. Control and unknown tokens become special added tokens,
// user-defined ones added tokens; unused ones are left out. Returns
// INVALID_ARGUMENT, naming the key, for other pre-tokenizers and kinds of
// tokenizer, tables of different length, duplicate tokens, merges of unknown
// tokens, and text that is not UTF-8.
absl::StatusOr<std::string> ExportTokenizer(const GgufFile& file);

}  // namespace apollo
