#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "router/access/call_ledger.h"
#include "router/access/caller.h"
#include "router/access/policy.h"

namespace apollo {

// The right of one call to run: who calls, and what the call holds of the
// caller's limits, which it gives back at its end. Its functions are called by
// one thread at a time.
class CallPass {
 public:
  // Makes the pass of a call to a router without a policy: no name, no tenant
  // and no limits.
  CallPass() = default;
  // Makes the pass of a call that the ledger has admitted. `caller` is one of
  // the policy's, `certificate` the SHA-256 of the certificate that its
  // connection has proven, or empty.
  CallPass(std::shared_ptr<const Policy> policy, const Caller& caller,
           std::shared_ptr<CallLedger> ledger,
           std::shared_ptr<CallLedger::Account> account, bool stream,
           std::string certificate = "");
  // Makes that of a call by this caller that was refused: it says who called,
  // and is over.
  static std::unique_ptr<CallPass> OfRefused(
      std::shared_ptr<const Policy> policy, const Caller& caller);
  // Ends the call with CANCELLED unless End was called.
  ~CallPass();
  CallPass(const CallPass&) = delete;
  CallPass& operator=(const CallPass&) = delete;

  // Returns the name of the caller; empty without a policy, and for strangers.
  const std::string& caller() const { return caller_.name; }
  // Returns the hash of the connection's certificate, which is an edge's if one
  // calls for the caller.
  const std::string& certificate() const { return certificate_; }
  // Sets it.
  void SetCertificate(std::string sha256) { certificate_ = std::move(sha256); }
  // Returns the salt of the caller's tenant (GenerationRequest::cache_salt).
  // Salts of different tenants differ, and none is that of calls without a
  // policy, which is empty. It does not change between releases, so that
  // routers of both find the same prefixes.
  std::string cache_salt() const;

  // Return a FieldError, which names the limit of the caller or of the router,
  // for what the caller may not ask for. `field` is the name of the field that
  // has the tokens, or the last of them.
  absl::Status CheckPriority(int priority) const;
  absl::Status CheckPrompt(const char* field, std::int64_t tokens) const;

  // Takes the tokens of a prompt, and the most that its answers can have, from
  // the caller's limits. `language` is a code, or empty. Called at most once.
  // Returns a QuotaRefusal, or CANCELLED after the end.
  absl::Status Reserve(std::int64_t prompt_tokens, std::int64_t answer_tokens,
                       const std::string& language);

  // Says that the prompt is computed. Until then it costs nothing.
  void UsePrompt() { prompt_used_ = true; }
  // Counts a token of an answer.
  void UseToken() { ++generated_; }

  // Ends the call, before its client is told: gives the tokens back that were
  // not used, and the stream. Later calls have no effect.
  void End(absl::StatusCode code);

 private:
  const std::shared_ptr<const Policy> policy_;  // Null: none.
  const Caller& caller_ = Nobody();             // Of policy_.
  const std::shared_ptr<CallLedger> ledger_;
  const std::shared_ptr<CallLedger::Account> account_;
  const bool stream_ = false;
  std::string certificate_;

  static const Caller& Nobody();

  CallLedger::Hold hold_;           // Of the tokens below.
  std::int64_t prompt_tokens_ = 0;  // Reserved, with the weight below.
  std::int64_t answer_tokens_ = 0;
  double weight_ = 1;
  bool prompt_used_ = false;
  std::int64_t generated_ = 0;
  bool ended_ = false;
};

// The decision about a call.
struct Admission {
  absl::Status status;  // Why it was refused.
  // Never null. That of a call that was refused says who called, as far as it
  // is known, for the audit log.
  std::unique_ptr<CallPass> pass = std::make_unique<CallPass>();
};

}  // namespace apollo
