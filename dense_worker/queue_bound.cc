#include "dense_worker/queue_bound.h"

#include <absl/strings/str_cat.h>

namespace apollo {

absl::Status CheckQueue(const QueueSize& bound, const QueueSize& waiting,
                        std::int64_t tokens) {
  if (waiting.sequences == 0) return absl::OkStatus();
  if (waiting.sequences >= bound.sequences) {
    return absl::ResourceExhaustedError(
        absl::StrCat(waiting.sequences,
                     " requests are waiting, the most that may "
                     "(--max_waiting); try again later"));
  }
  if (waiting.tokens + tokens > bound.tokens) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the waiting requests have ", waiting.tokens, " tokens; with the ",
        tokens, " of this one they would have more than ", bound.tokens,
        " (--max_waiting_tokens); try again later"));
  }
  return absl::OkStatus();
}

}  // namespace apollo
