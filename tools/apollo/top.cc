#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <ostream>
#include <string>

#include "tools/apollo/cluster_look.h"
#include "tools/apollo/commands.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/render.h"
#include "tools/apollo/status_table.h"

namespace apollo::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kKeys[] =
    "q: quit; space: now; sort by o: role, n: name, l: load, r: rate, c: cache";
// How soon a key has its effect.
constexpr milliseconds kKeyTime{50};

std::optional<StatusOrder> OrderOfKey(char key) {
  switch (key) {
    case 'o':
      return StatusOrder::kRole;
    case 'n':
      return StatusOrder::kName;
    case 'l':
      return StatusOrder::kLoad;
    case 'r':
      return StatusOrder::kRate;
    case 'c':
      return StatusOrder::kCache;
    default:
      return std::nullopt;
  }
}

// Looks at a cluster again and again.
class Top {
 public:
  explicit Top(Session& session)
      : session_(session),
        order_(
            StatusOrderOf(session.options.sort).value_or(StatusOrder::kRole)),
        interval_(static_cast<std::int64_t>(
            std::clamp(session.options.interval, 0.1, 86400.0) * 1000)) {}

  int Run() {
    if (session_.options.once) return RunOnce();
    // The screen must be given back.
    session_.interrupt.RememberCancel();
    for (;;) {
      Look();
      if (session_.interrupt.cancelled()) return kInterrupted;
      Publish();
      if (!session_.out) return kFailed;
      const std::optional<int> end = Wait();
      if (end) return *end;
    }
  }

 private:
  int RunOnce() {
    Look();
    // Rates need two looks.
    if (!failure_ && !session_.options.json) {
      if (!session_.interrupt.Pause(interval_)) return kInterrupted;
      Look();
    }
    if (failure_) return ReportFailure(session_, *failure_);
    Publish();
    return session_.out ? kOk : kFailed;
  }

  void Look() {
    ClusterLook look = LookAtCluster(session_);
    failure_ = std::move(look.failure);
    if (failure_) return;
    const auto now = steady_clock::now();
    if (looked_at_) {
      const double seconds =
          std::chrono::duration<double>(now - *looked_at_).count();
      rates_ = Rates(status_, look.status, std::max(seconds, 1e-3));
    }
    looked_at_ = now;
    status_ = std::move(look.status);
  }

  std::string Page() const {
    const absl::Time now = absl::Now();
    std::string page = absl::StrCat(
        absl::FormatTime("%H:%M:%S", now, absl::LocalTimeZone()), "  every ",
        absl::FormatDuration(absl::FromChrono(interval_)), ", by ",
        std::string(NameOf(order_)), "\n");
    if (session_.screen != nullptr) absl::StrAppend(&page, kKeys, "\n");
    if (failure_) {
      absl::StrAppend(&page, ErrorText(*failure_, session_.options.server));
    }
    absl::StrAppend(&page, "\n");
    if (looked_at_) {
      absl::StrAppend(&page,
                      StatusTable(status_, {.now = absl::ToUnixSeconds(now),
                                            .order = order_,
                                            .identity = false,
                                            .rates = &rates_}));
    }
    return page;
  }

  void Publish() const {
    if (session_.options.json) {
      session_.out << (failure_ ? ErrorJson(*failure_) : JsonLine(status_))
                   << std::endl;
    } else if (session_.screen != nullptr) {
      session_.screen->Show(Page());
    } else {
      session_.out << Page() << std::endl;
    }
  }

  // Waits until it is time to look again. Returns the exit code if the user has
  // had enough.
  std::optional<int> Wait() {
    const auto end = steady_clock::now() + interval_;
    while (steady_clock::now() < end) {
      if (!session_.interrupt.Pause(session_.screen == nullptr
                                        ? interval_
                                        : std::min(kKeyTime, interval_))) {
        return kInterrupted;
      }
      if (session_.screen == nullptr) return std::nullopt;
      const std::optional<char> key = session_.screen->Key();
      if (!key) continue;
      if (*key == 'q') return kOk;
      if (*key == ' ') return std::nullopt;
      if (const auto order = OrderOfKey(*key)) {
        order_ = *order;
        Publish();
      }
    }
    return std::nullopt;
  }

  Session& session_;
  StatusOrder order_;
  const milliseconds interval_;
  v1::GetStatusResponse status_;
  std::optional<steady_clock::time_point> looked_at_;
  Rates rates_;
  std::optional<Failure> failure_;  // Of the last look.
};

}  // namespace

int RunTop(Session& session) { return Top(session).Run(); }

}  // namespace apollo::client
