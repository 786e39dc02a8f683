#include "router/access/access_control.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "router/access/bearer_token.h"
#include "router/access/edge_identity.h"
#include "router/access/jwk_set.h"
#include "router/access/size_limit.h"

namespace apollo {
namespace {

absl::Status WithFlag(const char* flag, const absl::Status& error) {
  return absl::Status(error.code(), absl::StrCat(flag, ": ", error.message()));
}

}  // namespace

absl::Status CheckAccessOptions(const AccessOptions& options) {
  if (options.policy_file.empty() && !options.jwt_keys_file.empty()) {
    return absl::InvalidArgumentError(
        "--jwt_keys needs --policy, which says for whom tokens stand");
  }
  return absl::OkStatus();
}

AccessControl::State::State(std::shared_ptr<const Policy> policy,
                            std::shared_ptr<TokenVerifier> tokens)
    : policy(std::move(policy)),
      tokens(std::move(tokens)),
      index(*this->policy) {}

AccessControl::AccessControl(const AccessOptions& options, std::string model,
                             const Clock& clock, TimeOfDay time_of_day)
    : model_(std::move(model)),
      time_of_day_(std::move(time_of_day)),
      ledger_(std::make_shared<CallLedger>(clock)),
      has_keys_file_(!options.jwt_keys_file.empty()),
      policy_file_(options.policy_file, Policy::kMaxBytes) {
  if (has_keys_file_) {
    keys_file_.emplace(options.jwt_keys_file, JwkSet::kMaxBytes);
  }
}

absl::StatusOr<std::unique_ptr<AccessControl>> AccessControl::Open(
    const AccessOptions& options, std::string model, const Clock& clock,
    TimeOfDay time_of_day) {
  RETURN_IF_ERROR(CheckAccessOptions(options));
  std::unique_ptr<AccessControl> access(new AccessControl(
      options, std::move(model), clock, std::move(time_of_day)));
  MutexLock lock(access->reading_);
  // The keys first: a policy may need them.
  if (const absl::Status read = access->ReadKeys(); !read.ok()) {
    return WithFlag("--jwt_keys", read);
  }
  if (const absl::Status read = access->ReadPolicy(); !read.ok()) {
    return WithFlag("--policy", read);
  }
  return access;
}

std::shared_ptr<const AccessControl::State> AccessControl::state() {
  MutexLock lock(mutex_);
  return state_;
}

absl::Status AccessControl::Set(std::shared_ptr<const Policy> policy,
                                std::shared_ptr<TokenVerifier> tokens) {
  auto next =
      std::make_shared<const State>(std::move(policy), std::move(tokens));
  RETURN_IF_ERROR(CheckKeys(*next));
  ledger_->SetPolicy(*next->policy);
  const std::shared_ptr<const State> before = state();
  {
    MutexLock lock(mutex_);
    state_ = next;
  }
  if (next->policy == policy_read_ &&
      (before == nullptr || before->policy != next->policy)) {
    LogInfo("policy_loaded",
            {{"file", policy_file_.path()},
             {"callers", static_cast<int>(next->policy->callers.size())}});
  }
  if (next->tokens != nullptr &&
      (before == nullptr || before->tokens != next->tokens)) {
    LogInfo("jwt_keys_loaded",
            {{"file", keys_file_->path()},
             {"keys", static_cast<std::int64_t>(next->tokens->keys().size())}});
  }
  return absl::OkStatus();
}

absl::Status AccessControl::CheckKeys(const State& state) const {
  const std::size_t issuers = state.index.issuers().size();
  if (issuers > 0 && state.tokens == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(policy_file_.path(),
                     ": callers with \"tokens\" need the keys of --jwt_keys"));
  }
  if (issuers < 2) return absl::OkStatus();
  const auto number = state.tokens->keys().KeyWithoutIssuer();
  if (!number) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      keys_file_->path(), ": keys[", *number, "] has no \"issuer\"; ",
      policy_file_.path(), " has tokens of ", issuers,
      " issuers, so each key must name the one whose tokens it signs"));
}

absl::Status AccessControl::ReadPolicy() {
  const auto text = policy_file_.ReadIfChanged();
  if (text.ok() && !*text) return absl::OkStatus();
  const auto before = state();
  // A version that waits for keys is not in the file any more.
  if (before != nullptr) policy_read_ = before->policy;
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(Policy policy, ParsePolicy(**text, policy_file_.path()));
  policy_read_ = std::make_shared<const Policy>(std::move(policy));
  const absl::Status set = Set(policy_read_, tokens_read_);
  if (set.ok() || before == nullptr || before->tokens == tokens_read_) {
    return set;
  }
  return Set(policy_read_, before->tokens);
}

absl::Status AccessControl::ReadKeys() {
  if (!keys_file_) return absl::OkStatus();
  const auto text = keys_file_->ReadIfChanged();
  if (text.ok() && !*text) return absl::OkStatus();
  const auto before = state();
  // A version that waits for a policy is not in the file any more.
  if (before != nullptr) tokens_read_ = before->tokens;
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(JwkSet keys, JwkSet::Parse(**text, keys_file_->path()));
  tokens_read_ = std::make_shared<TokenVerifier>(std::move(keys));
  if (policy_read_ == nullptr) {  // At the start.
    return Set(std::make_shared<const Policy>(), tokens_read_);
  }
  const absl::Status set = Set(policy_read_, tokens_read_);
  if (set.ok() || before->policy == policy_read_) return set;
  return Set(before->policy, tokens_read_);
}

absl::Status AccessControl::ReloadPolicy() {
  MutexLock lock(reading_);
  policy_file_.Forget();
  return ReadPolicy();
}

absl::Status AccessControl::ReloadKeys() {
  MutexLock lock(reading_);
  if (keys_file_) keys_file_->Forget();
  return ReadKeys();
}

void AccessControl::Reload() {
  MutexLock lock(reading_);
  if (const absl::Status read = ReadKeys(); !read.ok()) {
    LogError("jwt_keys_rejected", {{"reason", std::string(read.message())}});
  }
  if (const absl::Status read = ReadPolicy(); !read.ok()) {
    LogError("policy_rejected", {{"reason", std::string(read.message())}});
  }
}

absl::StatusOr<const Caller*> AccessControl::BearerOf(
    const State& state, const CallEvidence& evidence) const {
  if (evidence.authorization.size() > 1) {
    return absl::UnauthenticatedError(
        "the call has more than one \"authorization\"");
  }
  ASSIGN_OR_RETURN(const std::string token,
                   TokenOfHeader(evidence.authorization.front()));
  if (state.tokens == nullptr) {
    return absl::UnauthenticatedError(
        "this router takes no bearer tokens; it has no --jwt_keys");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const TokenClaims> claims,
                   state.tokens->Verify(token, time_of_day_()));
  return state.index.OfToken(*claims);
}

absl::StatusOr<const Caller*> AccessControl::Identify(
    const State& state, const CallEvidence& evidence) {
  const absl::StatusOr<const Caller*> peer =
      evidence.peer.proven ? state.index.OfCertificate(evidence.peer)
                           : absl::StatusOr<const Caller*>(nullptr);
  const bool by_edge = peer.ok() && *peer != nullptr && (*peer)->edge;
  const bool names_caller = NamesCaller(evidence);
  if (names_caller && !by_edge) ledger_->CountHeaderIgnored();
  // A token counts more than the certificate: the connection may be that of a
  // proxy. One that is wrong is never overlooked.
  if (!evidence.authorization.empty()) return BearerOf(state, evidence);
  if (by_edge && names_caller) {
    ASSIGN_OR_RETURN(const std::vector<std::string> uris,
                     UrisFromEdge(evidence));
    ASSIGN_OR_RETURN(const Caller* const caller, state.index.OfUris(uris));
    if (!caller->edge) return caller;
    return absl::PermissionDeniedError(
        "an edge must not name another edge as its client");
  }
  if (!peer.ok() || *peer != nullptr) return peer;
  if (const Caller* anonymous = state.index.anonymous()) return anonymous;
  return absl::UnauthenticatedError(
      "the call has neither a certificate nor a bearer token");
}

absl::Status AccessControl::CheckRights(const Caller& caller,
                                        const char* method,
                                        bool allowed) const {
  if (!allowed) {
    return absl::PermissionDeniedError(
        absl::StrCat("caller ", caller.name, " may not call ", method));
  }
  if (!caller.any_model && !caller.models.contains(model_)) {
    return absl::PermissionDeniedError(
        absl::StrCat("caller ", caller.name, " may not use model ", model_));
  }
  return absl::OkStatus();
}

absl::Status AccessControl::CheckSizes(const State& state, const Caller& caller,
                                       CallLedger::Account& account,
                                       const CallEvidence& evidence) {
  struct Size {
    const char* what;
    std::int64_t bytes;
    std::optional<std::int64_t> CallerLimits::*limit;
    CallLimit own, all;
  };
  for (const Size& size :
       {Size{"metadata", evidence.metadata_bytes, &CallerLimits::metadata_bytes,
             CallLimit::kMetadataBytes, CallLimit::kAllMetadataBytes},
        Size{"message", evidence.message_bytes, &CallerLimits::message_bytes,
             CallLimit::kMessageBytes, CallLimit::kAllMessageBytes}}) {
    const auto exceeded = ExceededSize(size.limit, size.bytes, caller.limits,
                                       state.policy->overall);
    if (!exceeded) continue;
    ledger_->CountLimited(account, exceeded->of_all ? size.all : size.own);
    return absl::InvalidArgumentError(absl::StrCat("the ", size.what, " has ",
                                                   size.bytes, " bytes; ",
                                                   MaySend(caller, *exceeded)));
  }
  return absl::OkStatus();
}

absl::Status AccessControl::Enter(const State& state, const Caller& caller,
                                  CallLedger::Account& account,
                                  std::optional<RpcMethod> method,
                                  const CallEvidence& evidence) {
  const absl::Status rights =
      CheckRights(caller, method ? NameOf(*method) : "this method",
                  method && caller.methods.contains(*method));
  const bool stream = rights.ok() && RunsSequences(*method);
  // First, so that the limit of requests bounds refused calls, too.
  RETURN_IF_ERROR(ledger_->Enter(account, stream));
  RETURN_IF_ERROR(rights);
  absl::Status sizes = CheckSizes(state, caller, account, evidence);
  if (!sizes.ok()) ledger_->Leave(account, stream);
  return sizes;
}

Admission AccessControl::AdmitAny(std::optional<RpcMethod> method,
                                  const CallEvidence& evidence) {
  const std::shared_ptr<const State> state = this->state();
  const absl::StatusOr<const Caller*> caller = Identify(*state, evidence);
  const auto account = ledger_->AccountOf(caller.ok() ? (*caller)->name : "");
  Admission admission;
  admission.status = caller.ok()
                         ? Enter(*state, **caller, *account, method, evidence)
                         : caller.status();
  if (admission.status.ok()) {
    admission.pass =
        std::make_unique<CallPass>(state->policy, **caller, ledger_, account,
                                   method && RunsSequences(*method));
  } else {
    ledger_->CountEnd(*account, admission.status.code());
    if (caller.ok()) {
      admission.pass = CallPass::OfRefused(state->policy, **caller);
    }
  }
  admission.pass->SetCertificate(evidence.peer.certificate_sha256);
  return admission;
}

Admission AccessControl::Admit(RpcMethod method, const CallEvidence& evidence) {
  return AdmitAny(method, evidence);
}

absl::Status AccessControl::AdmitPath(const std::string& path,
                                      const CallEvidence& evidence) {
  const Admission admission = AdmitAny(RpcMethodOfPath(path), evidence);
  admission.pass->End(admission.status.code());
  return admission.status;
}

}  // namespace apollo
