#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/access/call_evidence.h"
#include "router/access/call_ledger.h"
#include "router/access/call_pass.h"
#include "router/access/caller_index.h"
#include "router/access/policy.h"
#include "router/access/rpc_method.h"
#include "router/access/token_verifier.h"
#include "router/access/watched_file.h"

namespace apollo {

struct AccessOptions {
  std::string policy_file;    // --policy; empty: everybody may do everything.
  std::string jwt_keys_file;  // --jwt_keys; empty: no tokens.
};

// Returns INVALID_ARGUMENT naming the flag if --jwt_keys is given without
// --policy.
absl::Status CheckAccessOptions(const AccessOptions& options);

// Decides who calls, what they may call, and how much (docs/access.md).
// Thread-safe.
class AccessControl {
 public:
  // Returns the time of day.
  using TimeOfDay = std::function<absl::Time()>;

  // Reads the policy and the keys. `model` is the name of the served model. The
  // clock must outlive the object and all passes. Errors name the flag, the
  // file and the field.
  static absl::StatusOr<std::unique_ptr<AccessControl>> Open(
      const AccessOptions& options, std::string model, const Clock& clock,
      TimeOfDay time_of_day);

  // Decides about a call. The status is
  // - UNAUTHENTICATED if nothing stands for a caller, or a token is not valid;
  // - PERMISSION_DENIED if that belongs to no caller, or the caller may not
  //   call the method or use the model;
  // - INVALID_ARGUMENT if the message or the metadata is larger than the caller
  //   may send;
  // - a QuotaRefusal (router/access/quota_refusal.h).
  // Each call of a caller of the policy takes one request, also if it is
  // refused, unless that is for a quota. Counts the refusal.
  Admission Admit(RpcMethod method, const CallEvidence& evidence);

  // Decides in the same way about a call of the method of this path, which then
  // is over. Paths that no RpcMethod has are denied.
  absl::Status AdmitPath(const std::string& path, const CallEvidence& evidence);

  // Reads the files again if they have changed. Keeps the last version that
  // was right, and logs why another one is not. Calls that have been admitted
  // go on. Call it about once a second. Any thread.
  void Reload();
  // Read one of the files now, changed or not. Return why what it says does not
  // apply. Any thread.
  absl::Status ReloadPolicy();
  absl::Status ReloadKeys();
  bool has_keys_file() const { return has_keys_file_; }

  CallLedger& ledger() { return *ledger_; }

 private:
  // The files as they were read last. Immutable.
  struct State {
    State(std::shared_ptr<const Policy> policy,
          std::shared_ptr<TokenVerifier> tokens);
    const std::shared_ptr<const Policy> policy;
    // With the keys of the last file, and what it has verified with them. Null:
    // no tokens.
    const std::shared_ptr<TokenVerifier> tokens;
    const CallerIndex index;
  };

  AccessControl(const AccessOptions& options, std::string model,
                const Clock& clock, TimeOfDay time_of_day);

  std::shared_ptr<const State> state();
  // Reads what has changed. Returns an error if it is wrong; then nothing
  // changes. A file that was right, but not beside the other one, is tried
  // again when that changes, as long as it says the same.
  absl::Status ReadPolicy() ABSL_EXCLUSIVE_LOCKS_REQUIRED(reading_);
  absl::Status ReadKeys() ABSL_EXCLUSIVE_LOCKS_REQUIRED(reading_);
  absl::Status Set(std::shared_ptr<const Policy> policy,
                   std::shared_ptr<TokenVerifier> tokens)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reading_);
  // Returns an error if there are no keys for the tokens of the policy, or keys
  // that could sign for several issuers.
  absl::Status CheckKeys(const State& state) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reading_);

  absl::StatusOr<const Caller*> Identify(const State& state,
                                         const CallEvidence& evidence);
  absl::StatusOr<const Caller*> BearerOf(const State& state,
                                         const CallEvidence& evidence) const;
  absl::Status CheckRights(const Caller& caller, const char* method,
                           bool allowed) const;
  absl::Status CheckSizes(const State& state, const Caller& caller,
                          CallLedger::Account& account,
                          const CallEvidence& evidence);
  // Decides about a call of this method, or of none that exists.
  Admission AdmitAny(std::optional<RpcMethod> method,
                     const CallEvidence& evidence);
  // Takes a request, and a stream if it is needed, and returns OK if the caller
  // may make the call.
  absl::Status Enter(const State& state, const Caller& caller,
                     CallLedger::Account& account,
                     std::optional<RpcMethod> method,
                     const CallEvidence& evidence);

  const std::string model_;
  const TimeOfDay time_of_day_;
  const std::shared_ptr<CallLedger> ledger_;
  const bool has_keys_file_;

  Mutex reading_;  // Held while a file is read; taken before mutex_.
  WatchedFile policy_file_ ABSL_GUARDED_BY(reading_);
  std::optional<WatchedFile> keys_file_ ABSL_GUARDED_BY(reading_);
  // What is in use or, if that is right by itself, what the file says.
  std::shared_ptr<const Policy> policy_read_ ABSL_GUARDED_BY(reading_);
  // Null: no tokens.
  std::shared_ptr<TokenVerifier> tokens_read_ ABSL_GUARDED_BY(reading_);

  Mutex mutex_;
  std::shared_ptr<const State> state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
