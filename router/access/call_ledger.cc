#include "router/access/call_ledger.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "router/access/quota_refusal.h"
#include "router/access/token_bucket.h"

namespace apollo {
namespace {

constexpr std::array<const char*, kCallLimits> kNames = {
    "requests",      "tokens",        "streams",
    "prompt_tokens", "message_bytes", "metadata_bytes",
    "all_requests",  "all_tokens",    "all_streams"};

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

  void SetLimits(const CallerLimits& wanted, absl::Duration now) {
    limits = wanted;
    SetBucket(wanted.requests, now, requests);
    SetBucket(wanted.tokens, now, tokens);
  }

  CallerLimits limits;
  std::optional<TokenBucket> requests;
  std::optional<TokenBucket> tokens;
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
  std::map<std::string, std::shared_ptr<Account>> next;
  for (const Caller& caller : policy.callers) {
    std::shared_ptr<Account>& account = next[caller.name];
    const auto it = accounts_.find(caller.name);
    account = it == accounts_.end() ? std::make_shared<Account>(caller.name)
                                    : it->second;
    account->SetLimits(caller.limits, now);
  }
  accounts_ = std::move(next);
  all_->SetLimits(policy.overall, now);
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

absl::Status CallLedger::TakeAll(Account& account, bool request, bool stream,
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
  return absl::OkStatus();
}

absl::Status CallLedger::Enter(Account& account, bool stream) {
  return TakeAll(account, /*request=*/true, stream, /*tokens=*/0);
}

absl::Status CallLedger::Take(Account& account, double tokens) {
  return TakeAll(account, /*request=*/false, /*stream=*/false, tokens);
}

void CallLedger::PutBack(Account& account, double tokens) {
  MutexLock lock(mutex_);
  const absl::Duration now = clock_.Now();
  for (Account* one : {&account, all_.get()}) {
    if (one->tokens) one->tokens->Put(tokens, now);
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
