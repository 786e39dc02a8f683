#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "tools/upcycle/gguf_file.h"

namespace apollo {

// Rebuilds the Hugging Face tokenizer.json of a byte-level BPE tokenizer from
// the keys "tokenizer.ggml.*" of a GGUF file. Reads the pre-tokenizers "gpt-2",
// "smollm", "qwen2" and "llama-bpe". INVALID_ARGUMENT, naming the key, for
// another one or another kind of tokenizer, for tables of different length,
// repeated tokens, merges of unknown tokens, and text that is not UTF-8.
absl::StatusOr<std::string> ExportTokenizer(const GgufFile& file);

}  // namespace apollo
