#include "sequence/prompt_hashes.h"

#include <cstddef>
#include <span>
#include <utility>

#include "sequence/prefix_hash.h"

namespace apollo {

PromptHashes::Hashes PromptHashes::Of(const std::string& model_hash,
                                      const GenerationRequest& request) {
  const std::span<const std::int32_t> prompt = request.prompt;
  const PrefixHasher hasher(model_hash, request.cache_salt);
  Hashes common;
  {
    MutexLock lock(mutex_);
    if (common_ == nullptr || model_hash_ != model_hash) {
      common_ = std::make_shared<const std::vector<std::uint64_t>>(hasher.Chain(
          prompt.first(static_cast<std::size_t>(PromptTokens(request)))));
      model_hash_ = model_hash;
    }
    common = common_;
  }
  if (request.answer_tokens == 0) return common;
  std::vector<std::uint64_t> whole = hasher.Chain(prompt, *common);
  if (whole.size() == common->size()) return common;
  return std::make_shared<const std::vector<std::uint64_t>>(std::move(whole));
}

}  // namespace apollo
