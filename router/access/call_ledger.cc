#include "router/access/call_ledger.h"

#include <absl/strings/str_cat.h>

#include <iterator>
#include <utility>

#include "router/access/quota_refusal.h"
#include "router/access/token_bucket.h"

namespace apollo {
namespace {

constexpr std::array<const char*, kCallLimits> kNames = {
    "requests",          "tokens",
    "streams",           "prompt_tokens",
    "message_bytes",     "metadata_bytes",
    "all_requests",      "all_tokens",
    "all_streams",       "all_prompt_tokens",
    "all_message_bytes", "all_metadata_bytes"};

// Streams end when they end; a short time asks for little of a busy router.
constexpr absl::Duration kStreamWait = absl::Seconds(1);

void SetBucket(const std::optional<RateLimit>& limit, absl::Duration now,
               std::optional<TokenBucket>& bucket) {
  if (!limit) {
    bucket.reset();
  } else if (bucket) {
    bucket->SetLimit(*limit, now);
  } else {
    bucket.emplace(*limit, now);
  }
}

std::string Describe(const char* name, const RateLimit& limit) {
  return absl::StrCat(name, "_per_second is ", limit.per_second, ", ", name,
                      "_burst ", limit.burst);
}

}  // namespace

const char* NameOf(CallLimit limit) {
  return kNames[static_cast<std::size_t>(limit)];
}

// All but the name is guarded by the ledger's lock.
struct CallLedger::Account {
  explicit Account(std::string caller) { report.caller = std::move(caller); }

  // `buckets` is the number of the last bucket that was made.
  void SetLimits(const CallerLimits& wanted, absl::Duration now,
                 std::uint64_t& buckets) {
    limits = wanted;
    SetBucket(wanted.requests, now, requests);
    const bool had_tokens = tokens.has_value();
    SetBucket(wanted.tokens, now, tokens);
    if (!tokens) {
      tokens_number = 0;
    } else if (!had_tokens) {
      tokens_number = ++buckets;
    }
  }

  // Returns true if a new account would not differ.
  bool Idle(absl::Duration now) {
    return streams == 0 && (!requests || requests->Full(now)) &&
           (!tokens || tokens->Full(now));
  }

  bool listed = true;  // Its caller is in the policy.
  CallerLimits limits;
  std::optional<TokenBucket> requests;
  std::optional<TokenBucket> tokens;
  std::uint64_t tokens_number = 0;  // See Hold.
  int streams = 0;
  Report report;
};

struct CallLedger::Shortage {
  CallLimit limit = CallLimit::kRequests;
  std::string description;
  absl::Duration wait;
};

CallLedger::CallLedger(const Clock& clock)
    : clock_(clock),
      unknown_(std::make_shared<Account>("unknown")),
      all_(std::make_shared<Account>("")) {}

CallLedger::~CallLedger() = default;

void CallLedger::SetPolicy(const Policy& policy) {
  const absl::Duration now = clock_.Now();
  MutexLock lock(mutex_);
  // Not those that leave now: a call may have found its caller in the policy,
  // but not its account yet.
  ForgetIdle(now);
  for (const auto& [name, account] : accounts_) account->listed = false;
  for (const Caller& caller : policy.callers) {
    std::shared_ptr<Account>& account = accounts_[caller.name];
    if (account == nullptr) account = std::make_shared<Account>(caller.name);
    account->listed = true;
    account->SetLimits(caller.limits, now, buckets_);
  }
  ForgetBeyond(policy.callers.size() + kMaxDeparted);
  all_->SetLimits(policy.overall, now, buckets_);
}

void CallLedger::ForgetIdle(absl::Duration now) {
  std::erase_if(accounts_, [now](const auto& entry) {
    return !entry.second->listed && entry.second->Idle(now);
  });
}

void CallLedger::ForgetBeyond(std::size_t most) {
  for (auto it = accounts_.begin();
       it != accounts_.end() && accounts_.size() > most;) {
    it = it->second->listed ? std::next(it) : accounts_.erase(it);
  }
}

std::shared_ptr<CallLedger::Account> CallLedger::AccountOf(
    const std::string& caller) {
  MutexLock lock(mutex_);
  const auto it = accounts_.find(caller);
  return it == accounts_.end() ? unknown_ : it->second;
}

std::optional<CallLedger::Shortage> CallLedger::ShortageOf(Account& account,
                                                           bool request,
                                                           bool stream,
                                                           double tokens) {
  const absl::Duration now = clock_.Now();
  for (const bool all : {false, true}) {
    Account& one = all ? *all_ : account;
    if (request && one.requests) {
      const absl::Duration wait = one.requests->WaitFor(1, now);
      if (wait > absl::ZeroDuration()) {
        return Shortage{all ? CallLimit::kAllRequests : CallLimit::kRequests,
                        Describe("requests", *one.limits.requests), wait};
      }
    }
    if (stream && one.limits.streams && one.streams >= *one.limits.streams) {
      return Shortage{all ? CallLimit::kAllStreams : CallLimit::kStreams,
                      absl::StrCat("streams is ", *one.limits.streams),
                      kStreamWait};
    }
    if (tokens > 0 && one.tokens) {
      const absl::Duration wait = one.tokens->WaitFor(tokens, now);
      if (wait > absl::ZeroDuration()) {
        return Shortage{all ? CallLimit::kAllTokens : CallLimit::kTokens,
                        Describe("tokens", *one.limits.tokens), wait};
      }
    }
  }
  return std::nullopt;
}

absl::StatusOr<CallLedger::Hold> CallLedger::TakeAll(Account& account,
                                                     bool request, bool stream,
                                                     double tokens) {
  MutexLock lock(mutex_);
  const absl::Duration now = clock_.Now();
  if (const auto shortage = ShortageOf(account, request, stream, tokens)) {
    ++account.report.limited[static_cast<std::size_t>(shortage->limit)];
    const bool all = shortage->limit >= CallLimit::kAllRequests;
    return QuotaRefusal(
        {all ? "router" : absl::StrCat("caller:", account.report.caller),
         shortage->description},
        shortage->wait);
  }
  for (Account* one : {&account, all_.get()}) {
    if (request && one->requests) one->requests->Take(1, now);
    if (tokens > 0 && one->tokens) one->tokens->Take(tokens, now);
    if (stream) ++one->streams;
  }
  return Hold{account.tokens_number, all_->tokens_number};
}

absl::Status CallLedger::Enter(Account& account, bool stream) {
  return TakeAll(account, /*request=*/true, stream, /*tokens=*/0).status();
}

absl::StatusOr<CallLedger::Hold> CallLedger::Take(Account& account,
                                                  double tokens) {
  return TakeAll(account, /*request=*/false, /*stream=*/false, tokens);
}

void CallLedger::PutBack(Account& account, const Hold& hold, double tokens) {
  MutexLock lock(mutex_);
  const absl::Duration now = clock_.Now();
  for (const auto& [one, number] :
       {std::pair{&account, hold.own}, std::pair{all_.get(), hold.all}}) {
    if (number != 0 && one->tokens_number == number) {
      one->tokens->Put(tokens, now);
    }
  }
}

void CallLedger::Leave(Account& account, bool stream) {
  if (!stream) return;
  MutexLock lock(mutex_);
  --account.streams;
  --all_->streams;
}

void CallLedger::CountEnd(Account& account, absl::StatusCode code) {
  const auto number = static_cast<std::size_t>(code);
  MutexLock lock(mutex_);
  ++account.report.requests[number < kCodes ? number : 2];  // 2: UNKNOWN.
}

void CallLedger::CountTokens(Account& account, std::int64_t prompt,
                             std::int64_t generated) {
  MutexLock lock(mutex_);
  account.report.prompt_tokens += prompt;
  account.report.generated_tokens += generated;
}

void CallLedger::CountLimited(Account& account, CallLimit limit) {
  MutexLock lock(mutex_);
  ++account.report.limited[static_cast<std::size_t>(limit)];
}

void CallLedger::CountHeaderIgnored() {
  MutexLock lock(mutex_);
  ++headers_ignored_;
}

std::vector<CallLedger::Report> CallLedger::Reports() {
  std::vector<Report> reports;
  MutexLock lock(mutex_);
  const absl::Duration now = clock_.Now();
  reports.reserve(accounts_.size() + 1);
  for (const auto& [name, account] : accounts_) {
    if (!account->listed) continue;
    Report& report = reports.emplace_back(account->report);
    report.streams = account->streams;
    if (account->tokens) {
      report.tokens_available = account->tokens->Available(now);
    }
  }
  reports.push_back(unknown_->report);
  return reports;
}

std::int64_t CallLedger::headers_ignored() {
  MutexLock lock(mutex_);
  return headers_ignored_;
}

}  // namespace apollo
