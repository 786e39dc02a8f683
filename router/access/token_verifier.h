#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "common/mutex.h"
#include "router/access/bearer_token.h"
#include "router/access/jwk_set.h"

namespace apollo {

// Verifies bearer tokens with the keys of one set. A token that comes again is
// found by its hash, and only its times are checked, until it expires: clients
// send the same one with each call, and a signature takes many times as long.
// Tokens that were refused are not kept. Other keys need another object, which
// knows no token. Thread-safe.
class TokenVerifier {
 public:
  // At most about 32 MiB, if all tokens are as large as allowed. Beyond it, the
  // one that was verified first is forgotten.
  static constexpr std::size_t kMaxTokens = 4096;

  explicit TokenVerifier(JwkSet keys, std::size_t max_tokens = kMaxTokens);

  // Errors as VerifyToken's. `now` is the time of day.
  absl::StatusOr<std::shared_ptr<const TokenClaims>> Verify(
      const std::string& token, absl::Time now);

  const JwkSet& keys() const { return keys_; }
  // Returns how many tokens were not found.
  std::int64_t misses();

 private:
  std::shared_ptr<const TokenClaims> Find(const std::string& hash);
  void Keep(const std::string& hash, std::shared_ptr<const TokenClaims> claims);

  const JwkSet keys_;
  const std::size_t max_tokens_;

  Mutex mutex_;
  // By the SHA-256 of the token: the tokens themselves are secrets.
  std::map<std::string, std::shared_ptr<const TokenClaims>> tokens_
      ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);  // Oldest first.
  std::int64_t misses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace apollo
