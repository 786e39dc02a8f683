#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace apollo {

// Bounds what calls that a policy refuses add to the audit log, so that nobody
// can rotate the entries of others away with them. Of each caller (strangers
// are one, without a name) and code, the first kEntries of a window have
// entries of their own; the others are counted. A window begins with a call.
// The time that it is told never goes back. Not thread-safe.
class RefusedCalls {
 public:
  static constexpr int kEntries = 10;
  static constexpr absl::Duration kWindow = absl::Minutes(1);

  // The calls of a window without entries of their own.
  struct Summary {
    std::string caller;
    std::string code;
    std::int64_t calls = 0;
    absl::Duration duration;  // Of the window.
    bool operator==(const Summary&) const = default;
  };

  // Returns true if a call has an entry of its own; otherwise counts it. A
  // window that is over counts on until it is taken.
  bool HasEntry(const std::string& caller, const std::string& code,
                absl::Duration now);

  // Takes the windows that are over, and looks at one other at most. Returns
  // those with calls to count, in the order in which they began.
  std::vector<Summary> TakeOver(absl::Duration now);
  // Takes all windows, in the same way.
  std::vector<Summary> TakeAll(absl::Duration now);

 private:
  struct Window {
    absl::Duration begin;
    int entries = 0;
    std::int64_t counted = 0;
  };

  using Windows = std::map<std::pair<std::string, std::string>, Window>;

  // Takes the first window to have begun.
  void TakeFirst(absl::Duration now, std::vector<Summary>& summaries);

  Windows windows_;                      // By caller and code.
  std::deque<Windows::iterator> begun_;  // The same, as they began.
};

}  // namespace apollo
