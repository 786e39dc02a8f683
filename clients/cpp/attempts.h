#pragma once

#include <absl/time/time.h>

#include <cstddef>
#include <functional>
#include <optional>

#include "clients/cpp/retry.h"

namespace apollo::clients {

// Attempts in a row that bring nothing new, after which a call fails.
inline constexpr int kMaxAttempts = 6;
inline constexpr absl::Duration kFirstPause = absl::Milliseconds(200);
inline constexpr absl::Duration kLongestPause = absl::Seconds(10);

// Returns random(), or a number of the system's in [0, 1) if it is null.
double Draw(const std::function<double()>& random);

// Counts the attempts of one call, and chooses the router and the pause of
// each, as docs/clients.md says. It makes no call and does not wait.
// Single-threaded.
class Attempts {
 public:
  struct Options {
    // At least one.
    std::size_t routers = 1;
    // The number of the first router to be asked, below `routers`.
    std::size_t first = 0;
    // The pause after all routers have failed once, and its bound; see Next.
    absl::Duration first_pause = kFirstPause;
    absl::Duration longest_pause = kLongestPause;
    // For tests; null: from the system.
    std::function<double()> random = nullptr;
  };
  explicit Attempts(Options options);

  // Returns the number of the router to be asked now.
  std::size_t router() const { return router_; }

  // The attempt has brought something new: the count of attempts begins again.
  void Progressed() { failures_ = 0; }

  // The attempt has failed. Returns the pause before the next one, which is on
  // the next router; nullopt if there is to be none, because `retry` does not
  // want it or this was the last of `max_attempts` attempts without progress.
  //
  // The pause is that of `retry`, however long. Without one it is zero until
  // all routers have failed; then it doubles with each round over the routers,
  // up to longest_pause, and is random, from half of this to this.
  std::optional<absl::Duration> Next(const Retry& retry, int max_attempts);

 private:
  absl::Duration OwnPause() const;

  const Options options_;
  std::size_t router_;
  int failures_ = 0;  // In a row, without progress.
};

}  // namespace apollo::clients
