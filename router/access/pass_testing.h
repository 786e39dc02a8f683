#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/clock.h"
#include "router/access/call_pass.h"

namespace apollo {

// Returns the pass of a call by a caller without limits, who has a tenant of
// the same name. For an empty name, returns that of a call without a policy.
inline std::unique_ptr<CallPass> PassOf(const std::string& caller) {
  if (caller.empty()) return std::make_unique<CallPass>();
  auto policy = std::make_shared<Policy>();
  Caller& one = policy->callers.emplace_back();
  one.name = caller;
  one.tenant = caller;
  auto ledger = std::make_shared<CallLedger>(Clock::Real());
  ledger->SetPolicy(*policy);
  auto account = ledger->AccountOf(caller);
  return std::make_unique<CallPass>(policy, policy->callers.front(),
                                    std::move(ledger), std::move(account),
                                    /*stream=*/true);
}

}  // namespace apollo
