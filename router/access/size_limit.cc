#include "router/access/size_limit.h"

#include <absl/strings/str_cat.h>

namespace apollo {

std::optional<SizeLimit> ExceededSize(
    std::optional<std::int64_t> CallerLimits::*limit, std::int64_t size,
    const CallerLimits& own, const CallerLimits& overall) {
  if (own.*limit && size > *(own.*limit)) return SizeLimit{*(own.*limit)};
  if (overall.*limit && size > *(overall.*limit)) {
    return SizeLimit{*(overall.*limit), /*of_all=*/true};
  }
  return std::nullopt;
}

std::string MaySend(const Caller& caller, const SizeLimit& limit) {
  return absl::StrCat(
      limit.of_all ? "a caller" : absl::StrCat("caller ", caller.name),
      " may send at most ", limit.most);
}

}  // namespace apollo
