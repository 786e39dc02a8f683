#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace apollo {

// How an expert worker routed some rows of one sequence through all sparse
// layers.
struct RoutedTokens {
  std::string_view language;  // Of the request: any text, or empty.
  bool has_family = false;
  std::span<const std::uint32_t> use;         // [sparse layers, experts]
  std::span<const std::uint32_t> off_family;  // [sparse layers]
};

// Told what a dense worker does, to count it. Called from the engine's thread;
// must return at once.
class DenseObserver {
 public:
  virtual ~DenseObserver() = default;
  // A step of that many rows, of which some are the next token of a running
  // sequence and the rest are prompt.
  virtual void OnStep(int decode_rows, int prompt_rows) = 0;
  // Sequences that run, and that wait for cache blocks.
  virtual void OnSequences(int running, int waiting) = 0;
  // Cache blocks in use, of how many.
  virtual void OnCache(int used_blocks, int blocks) = 0;
  // Rows of a sequence came back from an expert worker, though the sequence may
  // be over by now.
  virtual void OnRouted(const RoutedTokens& tokens) = 0;
  // A sequence of so many known tokens was admitted for the first time; some of
  // them were found in the cache.
  virtual void OnPrefix(int tokens, int cached_tokens) = 0;
  // A sequence lost its blocks and waits to be fed again.
  virtual void OnPreemption() = 0;
};

}  // namespace apollo
