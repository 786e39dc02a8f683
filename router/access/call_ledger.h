#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/access/policy.h"

namespace apollo {

// The limits for which calls are refused.
enum class CallLimit {
  kRequests,
  kTokens,
  kStreams,
  kPromptTokens,
  kMessageBytes,
  kMetadataBytes,
  kAllRequests,  // Those of all callers together.
  kAllTokens,
  kAllStreams,
  kAllPromptTokens,  // Those of each call, whoever calls.
  kAllMessageBytes,
  kAllMetadataBytes,
};

inline constexpr int kCallLimits =
    static_cast<int>(CallLimit::kAllMetadataBytes) + 1;

// Returns the name of a limit in metrics: "requests", "all_tokens".
const char* NameOf(CallLimit limit);

// What the callers of a router have taken of their limits. The limits hold for
// this router: N routers admit N times as much. Thread-safe.
class CallLedger {
 public:
  // The codes of gRPC, from OK to UNAUTHENTICATED.
  static constexpr int kCodes = 17;

  // Callers that have left the policy and are remembered; see SetPolicy.
  static constexpr std::size_t kMaxDeparted = Policy::kMaxCallers;

  // The state of one caller, which lives as long as one of its calls. Opaque.
  struct Account;

  // The buckets from which a call has taken tokens, by their numbers; 0: none.
  struct Hold {
    std::uint64_t own = 0;  // The caller's.
    std::uint64_t all = 0;  // That of all callers.
  };

  struct Report {
    std::string caller;
    std::array<std::int64_t, kCodes> requests = {};  // By code of their end.
    std::int64_t prompt_tokens = 0;                  // Not weighted.
    std::int64_t generated_tokens = 0;
    std::array<std::int64_t, kCallLimits> limited = {};
    std::optional<double> tokens_available;  // Of callers with a limit.
    int streams = 0;                         // In progress.
  };

  // The clock must outlive the ledger.
  explicit CallLedger(const Clock& clock);
  ~CallLedger();

  // Makes an account for each caller, with its limits. A new policy gives
  // nothing back that calls have taken:
  // - A limit that changes keeps its bucket: the content stays, up to the new
  //   burst, and so does a debt.
  // - A limit that was not set before starts with a full bucket. Calls give
  //   back only to the bucket from which they have taken.
  // - Streams that run count, whichever policy has admitted them.
  // - A caller that leaves the policy and comes back finds its account as if it
  //   had stayed. It is forgotten at a later change, once it has no stream and
  //   its buckets are full, or as one of more than kMaxDeparted.
  void SetPolicy(const Policy& policy);

  // Returns the account of a caller of the policy, or that of calls without a
  // caller for any other name.
  std::shared_ptr<Account> AccountOf(const std::string& caller);

  // Admits a call: takes a request, and with `stream` one of the streams, until
  // Leave. Returns a QuotaRefusal, having taken nothing.
  absl::Status Enter(Account& account, bool stream);
  // Takes tokens, and returns from which buckets, or a QuotaRefusal, having
  // taken nothing.
  absl::StatusOr<Hold> Take(Account& account, double tokens);
  // Returns tokens that were taken but not used, to the buckets that still
  // exist.
  void PutBack(Account& account, const Hold& hold, double tokens);
  // Ends a call that was admitted.
  void Leave(Account& account, bool stream);

  // Count for the report. `code` is that of the call's end.
  void CountEnd(Account& account, absl::StatusCode code);
  void CountTokens(Account& account, std::int64_t prompt,
                   std::int64_t generated);
  void CountLimited(Account& account, CallLimit limit);
  // Counts headers that name a caller on connections that are not an edge's.
  void CountHeaderIgnored();

  // Returns a report for each caller of the policy, and one for "unknown".
  std::vector<Report> Reports();
  std::int64_t headers_ignored();

 private:
  struct Shortage;
  // Returns the first limit that has no room for the call.
  std::optional<Shortage> ShortageOf(Account& account, bool request,
                                     bool stream, double tokens)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Hold> TakeAll(Account& account, bool request, bool stream,
                               double tokens);
  // Forgets callers that have left the policy, as SetPolicy says.
  void ForgetIdle(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetBeyond(std::size_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;

  Mutex mutex_;
  // With those of departed callers.
  std::map<std::string, std::shared_ptr<Account>> accounts_
      ABSL_GUARDED_BY(mutex_);
  std::uint64_t buckets_ ABSL_GUARDED_BY(mutex_) = 0;  // Numbers given so far.
  const std::shared_ptr<Account> unknown_;
  const std::shared_ptr<Account> all_;
  std::int64_t headers_ignored_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace apollo
