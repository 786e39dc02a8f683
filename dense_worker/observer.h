#pragma once

namespace apollo {

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
};

}  // namespace apollo
