#pragma once

#include <string>

#include "common/json.h"
#include "model/tokenizer/byte_level.h"

namespace apollo {

// Returns an entry of "added_tokens".
inline Json TestAddedToken(int id, const std::string& content, bool special) {
  return {{"id", id},           {"content", content}, {"special", special},
          {"lstrip", false},    {"rstrip", false},    {"single_word", false},
          {"normalized", false}};
}

// Returns a small tokenizer.json: each byte is its own id, then 256 "ab", 257
// "abc", 258 " a", 259 "bc", 260 <|end|> (special), 261 <tool>.
inline Json TestTokenizerJson() {
  Json vocab = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocab[std::string(ByteLevelCharacter(static_cast<unsigned char>(byte)))] =
        byte;
  }
  vocab["ab"] = 256;
  vocab["abc"] = 257;
  vocab["\u0120a"] = 258;
  vocab["bc"] = 259;
  return {
      {"version", "1.0"},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"},
        {"add_prefix_space", false},
        {"use_regex", true}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"added_tokens",
       {TestAddedToken(260, "<|end|>", true),
        TestAddedToken(261, "<tool>", false)}},
      {"model",
       {{"type", "BPE"},
        {"vocab", vocab},
        {"merges", {"\u0120 a", "a b", "b c", "ab c"}}}},
  };
}

}  // namespace apollo
