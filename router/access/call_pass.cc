#include "router/access/call_pass.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "router/access/size_limit.h"
#include "router/request/field_error.h"

namespace apollo {

const Caller& CallPass::Nobody() {
  static const Caller* const nobody = new Caller;
  return *nobody;
}

CallPass::CallPass(std::shared_ptr<const Policy> policy, const Caller& caller,
                   std::shared_ptr<CallLedger> ledger,
                   std::shared_ptr<CallLedger::Account> account, bool stream,
                   std::string certificate)
    : policy_(std::move(policy)),
      caller_(caller),
      ledger_(std::move(ledger)),
      account_(std::move(account)),
      stream_(stream),
      certificate_(std::move(certificate)) {}

std::unique_ptr<CallPass> CallPass::OfRefused(
    std::shared_ptr<const Policy> policy, const Caller& caller) {
  auto pass = std::make_unique<CallPass>(std::move(policy), caller, nullptr,
                                         nullptr, /*stream=*/false);
  pass->ended_ = true;
  return pass;
}

CallPass::~CallPass() { End(absl::StatusCode::kCancelled); }

std::string CallPass::cache_salt() const {
  if (caller_.tenant.empty()) return "";
  return absl::StrCat("tenant:", caller_.tenant);
}

absl::Status CallPass::CheckPriority(int priority) const {
  if (priority <= caller_.max_priority) return absl::OkStatus();
  return FieldError("priority",
                    absl::StrCat("is ", priority, "; caller ", caller_.name,
                                 " may use at most ", caller_.max_priority));
}

absl::Status CallPass::CheckPrompt(const char* field,
                                   std::int64_t tokens) const {
  if (ledger_ == nullptr) return absl::OkStatus();
  const auto exceeded = ExceededSize(&CallerLimits::prompt_tokens, tokens,
                                     caller_.limits, policy_->overall);
  if (!exceeded) return absl::OkStatus();
  ledger_->CountLimited(*account_, exceeded->of_all
                                       ? CallLimit::kAllPromptTokens
                                       : CallLimit::kPromptTokens);
  return FieldError(field, absl::StrCat("has ", tokens, " tokens; ",
                                        MaySend(caller_, *exceeded)));
}

absl::Status CallPass::Reserve(std::int64_t prompt_tokens,
                               std::int64_t answer_tokens,
                               const std::string& language) {
  if (ended_) return absl::CancelledError("the call has ended");
  if (ledger_ == nullptr) return absl::OkStatus();
  const double weight = policy_->WeightOf(language);
  ASSIGN_OR_RETURN(
      hold_, ledger_->Take(
                 *account_,
                 weight * static_cast<double>(prompt_tokens + answer_tokens)));
  weight_ = weight;
  prompt_tokens_ = prompt_tokens;
  answer_tokens_ = answer_tokens;
  return absl::OkStatus();
}

void CallPass::End(absl::StatusCode code) {
  if (ended_) return;
  ended_ = true;
  if (ledger_ == nullptr) return;
  const std::int64_t used_prompt = prompt_used_ ? prompt_tokens_ : 0;
  const std::int64_t unused =
      prompt_tokens_ - used_prompt +
      std::max<std::int64_t>(answer_tokens_ - generated_, 0);
  ledger_->PutBack(*account_, hold_, weight_ * static_cast<double>(unused));
  ledger_->Leave(*account_, stream_);
  ledger_->CountTokens(*account_, used_prompt, generated_);
  ledger_->CountEnd(*account_, code);
}

}  // namespace apollo
