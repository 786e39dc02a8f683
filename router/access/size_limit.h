#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "router/access/caller.h"

namespace apollo {

// A limit on the size of one call that a call exceeds.
struct SizeLimit {
  std::int64_t most = 0;
  bool of_all = false;  // Of each call to the router, whoever calls.
};

// Returns the limit that the size exceeds: the caller's, or else that of all
// calls. `limit` is the member, such as &CallerLimits::prompt_tokens.
std::optional<SizeLimit> ExceededSize(
    std::optional<std::int64_t> CallerLimits::*limit, std::int64_t size,
    const CallerLimits& own, const CallerLimits& overall);

// Returns "caller NAME may send at most N", or the same of all callers.
std::string MaySend(const Caller& caller, const SizeLimit& limit);

}  // namespace apollo
