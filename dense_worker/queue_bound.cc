#include "dense_worker/queue_bound.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

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

absl::Status CheckWait(double per_running, int running, int ahead) {
  if (per_running == 0) return absl::OkStatus();
  const double bound = std::max<double>(kLeastWaiting, per_running * running);
  if (ahead < bound) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      ahead, " requests are waiting for the room of ", running, "; at most ",
      kLeastWaiting, " may, or ", per_running,
      " for each of those (--max_waiting_per_running); try again later"));
}

}  // namespace apollo
