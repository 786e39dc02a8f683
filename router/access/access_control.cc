#include "router/access/access_control.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "router/access/bearer_token.h"
#include "router/access/edge_identity.h"

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
                            std::shared_ptr<const JwkSet> keys)
    : policy(std::move(policy)), keys(std::move(keys)), index(*this->policy) {}

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
                                std::shared_ptr<const JwkSet> keys) {
  auto next = std::make_shared<const State>(std::move(policy), std::move(keys));
  if (next->index.has_tokens() && next->keys == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(policy_file_.path(),
                     ": callers with \"tokens\" need the keys of --jwt_keys"));
  }
  ledger_->SetPolicy(*next->policy);
  MutexLock lock(mutex_);
  state_ = std::move(next);
  return absl::OkStatus();
}

absl::Status AccessControl::ReadPolicy() {
  ASSIGN_OR_RETURN(const std::optional<std::string> text,
                   policy_file_.ReadIfChanged());
  if (!text) return absl::OkStatus();
  ASSIGN_OR_RETURN(Policy policy, ParsePolicy(*text, policy_file_.path()));
  const std::size_t callers = policy.callers.size();
  const auto before = state();
  RETURN_IF_ERROR(Set(std::make_shared<const Policy>(std::move(policy)),
                      before == nullptr ? nullptr : before->keys));
  LogInfo("policy_loaded", {{"file", policy_file_.path()},
                            {"callers", static_cast<int>(callers)}});
  return absl::OkStatus();
}

absl::Status AccessControl::ReadKeys() {
  if (!keys_file_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<std::string> text,
                   keys_file_->ReadIfChanged());
  if (!text) return absl::OkStatus();
  ASSIGN_OR_RETURN(JwkSet keys, JwkSet::Parse(*text, keys_file_->path()));
  const std::size_t size = keys.size();
  const auto before = state();
  RETURN_IF_ERROR(
      Set(before == nullptr ? std::make_shared<const Policy>() : before->policy,
          std::make_shared<const JwkSet>(std::move(keys))));
  LogInfo("jwt_keys_loaded",
          {{"file", keys_file_->path()}, {"keys", static_cast<int>(size)}});
  return absl::OkStatus();
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
  if (state.keys == nullptr) {
    return absl::UnauthenticatedError(
        "this router takes no bearer tokens; it has no --jwt_keys");
  }
  ASSIGN_OR_RETURN(const TokenClaims claims,
                   VerifyToken(token, *state.keys, time_of_day_()));
  return state.index.OfToken(claims);
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

absl::Status AccessControl::CheckSizes(const Caller& caller,
                                       CallLedger::Account& account,
                                       const CallEvidence& evidence) {
  const auto check = [&](const char* what, std::int64_t size,
                         const std::optional<std::int64_t>& most,
                         CallLimit limit) -> absl::Status {
    if (!most || size <= *most) return absl::OkStatus();
    ledger_->CountLimited(account, limit);
    return absl::InvalidArgumentError(
        absl::StrCat("the ", what, " has ", size, " bytes; caller ",
                     caller.name, " may send at most ", *most));
  };
  RETURN_IF_ERROR(check("metadata", evidence.metadata_bytes,
                        caller.limits.metadata_bytes,
                        CallLimit::kMetadataBytes));
  return check("message", evidence.message_bytes, caller.limits.message_bytes,
               CallLimit::kMessageBytes);
}

absl::StatusOr<std::unique_ptr<CallPass>> AccessControl::Admit(
    RpcMethod method, const CallEvidence& evidence) {
  const std::shared_ptr<const State> state = this->state();
  const absl::StatusOr<const Caller*> caller = Identify(*state, evidence);
  const auto account = ledger_->AccountOf(caller.ok() ? (*caller)->name : "");
  const bool stream = RunsSequences(method);
  absl::Status status = caller.status();
  if (status.ok()) {
    status = CheckRights(**caller, NameOf(method),
                         (*caller)->methods.contains(method));
  }
  if (status.ok()) status = CheckSizes(**caller, *account, evidence);
  if (status.ok()) status = ledger_->Enter(*account, stream);
  if (!status.ok()) {
    ledger_->CountEnd(*account, status.code());
    return status;
  }
  return std::make_unique<CallPass>(state->policy, **caller, ledger_, account,
                                    stream, evidence.peer.certificate_sha256);
}

absl::Status AccessControl::AdmitPath(const std::string& path,
                                      const CallEvidence& evidence) {
  if (const auto method = RpcMethodOfPath(path)) {
    ASSIGN_OR_RETURN(const std::unique_ptr<CallPass> pass,
                     Admit(*method, evidence));
    pass->End(absl::StatusCode::kOk);
    return absl::OkStatus();
  }
  const std::shared_ptr<const State> state = this->state();
  const absl::StatusOr<const Caller*> caller = Identify(*state, evidence);
  const absl::Status denied =
      caller.ok() ? CheckRights(**caller, "this method", /*allowed=*/false)
                  : caller.status();
  ledger_->CountEnd(*ledger_->AccountOf(caller.ok() ? (*caller)->name : ""),
                    denied.code());
  return denied;
}

}  // namespace apollo
