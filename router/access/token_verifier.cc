#include "router/access/token_verifier.h"

#include <utility>

#include "common/sha256.h"
#include "common/status_macros.h"

namespace apollo {

TokenVerifier::TokenVerifier(JwkSet keys, std::size_t max_tokens)
    : keys_(std::move(keys)), max_tokens_(max_tokens) {}

absl::StatusOr<std::shared_ptr<const TokenClaims>> TokenVerifier::Verify(
    const std::string& token, absl::Time now) {
  const std::string hash = Sha256(token);
  if (auto claims = Find(hash)) {
    RETURN_IF_ERROR(CheckTokenTimes(*claims, now));
    return claims;
  }
  ASSIGN_OR_RETURN(TokenClaims verified, VerifyToken(token, keys_, now));
  auto claims = std::make_shared<const TokenClaims>(std::move(verified));
  Keep(hash, claims);
  return claims;
}

std::shared_ptr<const TokenClaims> TokenVerifier::Find(
    const std::string& hash) {
  MutexLock lock(mutex_);
  const auto it = tokens_.find(hash);
  if (it != tokens_.end()) return it->second;
  ++misses_;
  return nullptr;
}

void TokenVerifier::Keep(const std::string& hash,
                         std::shared_ptr<const TokenClaims> claims) {
  MutexLock lock(mutex_);
  // Another thread may have verified the same token meanwhile.
  if (!tokens_.emplace(hash, std::move(claims)).second) return;
  order_.push_back(hash);
  if (order_.size() <= max_tokens_) return;
  tokens_.erase(order_.front());
  order_.pop_front();
}

std::int64_t TokenVerifier::misses() {
  MutexLock lock(mutex_);
  return misses_;
}

}  // namespace apollo
