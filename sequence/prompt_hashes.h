#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "sequence/generation.h"

namespace apollo {

// The prefix hashes (sequence/prefix_hash.h) of the prompt that the sequences
// of one request have in common, with which they are started, and started again
// after a loss. The prompt is hashed once, when the first of them asks; a
// continuation only adds the blocks of its answer tokens. Thread-safe.
class PromptHashes {
 public:
  using Hashes = std::shared_ptr<const std::vector<std::uint64_t>>;

  // Returns the hashes of the whole prompt of a sequence, as
  // PrefixHasher::Chain does. All requests must have the same salt and the same
  // tokens before the answer.
  Hashes Of(const std::string& model_hash, const GenerationRequest& request);

 private:
  Mutex mutex_;
  // Those of the tokens before the answer, never changed; null: not hashed yet.
  Hashes common_ ABSL_GUARDED_BY(mutex_);
  std::string model_hash_ ABSL_GUARDED_BY(mutex_);  // With which they are.
};

}  // namespace apollo
