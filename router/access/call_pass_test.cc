#include "router/access/call_pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/fake_clock.h"
#include "common/retry_hint.h"
#include "router/access/quota_refusal.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

// Two callers, "a" and "b", of one router.
class CallPassTest : public testing::Test {
 protected:
  CallPassTest() {
    for (const char* name : {"a", "b"}) {
      Caller& caller = policy_->callers.emplace_back();
      caller.name = name;
      caller.tenant = name;
    }
  }

  CallerLimits& Limits(int caller) { return policy_->callers[caller].limits; }

  // Makes the ledger follow the policy.
  void Apply() { ledger_->SetPolicy(*policy_); }

  absl::Status Enter(int caller, bool stream = true) {
    return ledger_->Enter(*Account(caller), stream);
  }
  // Returns the pass of a call that has been admitted.
  std::unique_ptr<CallPass> Pass(int caller) {
    return std::make_unique<CallPass>(policy_, policy_->callers[caller],
                                      ledger_, Account(caller), true);
  }
  std::shared_ptr<CallLedger::Account> Account(int caller) {
    return ledger_->AccountOf(policy_->callers[caller].name);
  }
  double Available(int caller) {
    return *ledger_->Reports()[caller].tokens_available;
  }

  FakeClock clock_;
  std::shared_ptr<Policy> policy_ = std::make_shared<Policy>();
  std::shared_ptr<CallLedger> ledger_ = std::make_shared<CallLedger>(clock_);
};

TEST_F(CallPassTest, UnusedTokensComeBackAtTheEnd) {
  Limits(0).tokens = {{.per_second = 1, .burst = 1000}};
  Apply();
  ASSERT_TRUE(Enter(0).ok());
  auto pass = Pass(0);
  ASSERT_TRUE(pass->Reserve(100, 400, "en").ok());
  EXPECT_EQ(Available(0), 500);
  pass->UsePrompt();
  for (int i = 0; i < 30; ++i) pass->UseToken();
  EXPECT_EQ(Available(0), 500);
  pass->End(absl::StatusCode::kOk);
  EXPECT_EQ(Available(0), 870);  // Of 1000, 100 and 30 were used.
  pass->End(absl::StatusCode::kOk);
  pass.reset();
  EXPECT_EQ(Available(0), 870);
  const CallLedger::Report report = ledger_->Reports()[0];
  EXPECT_EQ(report.prompt_tokens, 100);
  EXPECT_EQ(report.generated_tokens, 30);
  EXPECT_EQ(report.requests[0], 1);
}

TEST_F(CallPassTest, ACallThatDidNotStartCostsNothing) {
  Limits(0).tokens = {{.per_second = 1, .burst = 1000}};
  Apply();
  ASSERT_TRUE(Enter(0).ok());
  auto pass = Pass(0);
  ASSERT_TRUE(pass->Reserve(100, 400, "").ok());
  pass.reset();
  EXPECT_EQ(Available(0), 1000);
  EXPECT_EQ(ledger_->Reports()[0].requests[1], 1);  // CANCELLED.
  EXPECT_EQ(ledger_->Reports()[0].prompt_tokens, 0);
}

TEST_F(CallPassTest, NothingIsTakenAfterTheEnd) {
  Limits(0).tokens = {{.per_second = 1, .burst = 1000}};
  Apply();
  ASSERT_TRUE(Enter(0).ok());
  auto pass = Pass(0);
  pass->End(absl::StatusCode::kCancelled);
  EXPECT_EQ(pass->Reserve(10, 10, "").code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Available(0), 1000);
}

TEST_F(CallPassTest, ARefusalSaysWhichLimitAndWhenToComeAgain) {
  Limits(0).tokens = {{.per_second = 10, .burst = 100}};
  Apply();
  auto first = Pass(0), second = Pass(0);
  ASSERT_TRUE(first->Reserve(50, 30, "").ok());
  const absl::Status refused = second->Reserve(40, 30, "");
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryHintOf(refused), absl::Seconds(5));
  EXPECT_EQ(QuotaViolationOf(refused),
            (QuotaViolation{"caller:a",
                            "tokens_per_second is 10, tokens_burst 100"}));
  EXPECT_EQ(Available(0), 20);  // The refused call took nothing.
  clock_.now += absl::Seconds(5);
  EXPECT_TRUE(second->Reserve(40, 30, "").ok());
  const auto limited = static_cast<std::size_t>(CallLimit::kTokens);
  EXPECT_EQ(ledger_->Reports()[0].limited[limited], 1);
}

TEST_F(CallPassTest, OneCallerDoesNotUseUpAnothersLimits) {
  for (const int i : {0, 1}) {
    Limits(i).requests = {{.per_second = 1, .burst = 2}};
  }
  Apply();
  EXPECT_TRUE(Enter(0).ok());
  EXPECT_TRUE(Enter(0).ok());
  EXPECT_FALSE(Enter(0).ok());
  EXPECT_TRUE(Enter(1).ok());
}

TEST_F(CallPassTest, TheLimitsOfAllHoldTogether) {
  Limits(0).requests = {{.per_second = 1, .burst = 10}};
  policy_->overall.requests = {{.per_second = 1, .burst = 3}};
  Apply();
  EXPECT_TRUE(Enter(0).ok());
  EXPECT_TRUE(Enter(1).ok());
  EXPECT_TRUE(Enter(1).ok());
  const absl::Status refused = Enter(0);
  EXPECT_EQ(QuotaViolationOf(refused)->subject, "router");
  // The refused call took nothing of its caller's.
  policy_->overall.requests.reset();
  Apply();
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(Enter(0).ok()) << i;
  EXPECT_EQ(QuotaViolationOf(Enter(0))->subject, "caller:a");
}

TEST_F(CallPassTest, AStreamIsFreeAfterItsEnd) {
  Limits(0).streams = 2;
  Apply();
  ASSERT_TRUE(Enter(0).ok());
  ASSERT_TRUE(Enter(0).ok());
  auto first = Pass(0), second = Pass(0);
  EXPECT_EQ(QuotaViolationOf(Enter(0)),
            (QuotaViolation{"caller:a", "streams is 2"}));
  EXPECT_TRUE(Enter(0, /*stream=*/false).ok());
  first->End(absl::StatusCode::kOk);
  first.reset();  // Is not counted twice.
  EXPECT_TRUE(Enter(0).ok());
  EXPECT_FALSE(Enter(0).ok());
}

// Equal texts have 1.27 tokens a character in Lao and 0.18 in English: with
// weights, both callers get as much text for their tokens.
TEST_F(CallPassTest, WeightsMakeLanguagesEqual) {
  policy_->language_weights = {{"lo", 0.18 / 1.27}};
  for (const int i : {0, 1}) {
    Limits(i).tokens = {{.per_second = 1, .burst = 1800}};
  }
  Apply();
  int texts[] = {0, 0};
  std::vector<std::unique_ptr<CallPass>> passes;
  for (const int i : {0, 1}) {
    for (;;) {  // Of 100 characters each.
      passes.push_back(Pass(i));
      if (!passes.back()
               ->Reserve(i == 0 ? 18 : 127, 0, i == 0 ? "en" : "lo")
               .ok()) {
        break;
      }
      passes.back()->UsePrompt();
      ++texts[i];
    }
  }
  EXPECT_EQ(texts[0], 100);
  EXPECT_EQ(texts[1], 100);
}

TEST_F(CallPassTest, ARefundHasTheWeightOfItsReservation) {
  policy_->language_weights = {{"lo", 0.5}};
  Limits(0).tokens = {{.per_second = 1, .burst = 1000}};
  Apply();
  auto pass = Pass(0);
  ASSERT_TRUE(pass->Reserve(100, 100, "lo").ok());
  EXPECT_EQ(Available(0), 900);
  pass->UsePrompt();
  pass->UseToken();
  pass->UseToken();
  pass->End(absl::StatusCode::kOk);
  EXPECT_EQ(Available(0), 949);
}

TEST_F(CallPassTest, CallersKeepWhatTheyHaveTakenWhenThePolicyChanges) {
  Limits(0).streams = 1;
  Limits(0).tokens = {{.per_second = 1, .burst = 100}};
  Apply();
  ASSERT_TRUE(Enter(0).ok());
  auto pass = Pass(0);
  ASSERT_TRUE(pass->Reserve(60, 0, "").ok());
  Limits(0).tokens = {{.per_second = 1, .burst = 200}};
  Apply();
  EXPECT_EQ(Available(0), 40);
  EXPECT_FALSE(Enter(0).ok());
  // A caller who leaves the policy does not disturb its last calls.
  policy_->callers.erase(policy_->callers.begin());
  ledger_->SetPolicy(*policy_);
  EXPECT_EQ(ledger_->Reports().size(), 2u);  // "b" and "unknown".
}

TEST_F(CallPassTest, ABucketThatWasNotTakenFromGetsNothing) {
  Apply();  // No limits.
  ASSERT_TRUE(Enter(0).ok());
  auto before = Pass(0);
  ASSERT_TRUE(before->Reserve(500, 0, "").ok());
  Limits(0).tokens = {{.per_second = 1, .burst = 1000}};
  policy_->overall.tokens = {{.per_second = 1, .burst = 1000}};
  Apply();
  auto other = Pass(0);
  ASSERT_TRUE(other->Reserve(700, 0, "").ok());
  before->End(absl::StatusCode::kOk);
  EXPECT_EQ(Available(0), 300);
  // That of all callers neither: another one finds as much.
  EXPECT_FALSE(Pass(1)->Reserve(301, 0, "").ok());
  // A limit that was gone meanwhile is a new one.
  const CallerLimits limits = Limits(0);
  Limits(0).tokens.reset();
  Apply();
  Limits(0) = limits;
  Apply();
  ASSERT_TRUE(Pass(0)->Reserve(0, 1, "").ok());
  auto third = Pass(0);
  ASSERT_TRUE(third->Reserve(250, 0, "").ok());
  other->End(absl::StatusCode::kOk);
  EXPECT_EQ(Available(0), 750);
}

TEST_F(CallPassTest, ATokenLimitThatChangesKeepsWhatCallsHold) {
  Limits(0).tokens = {{.per_second = 1, .burst = 1000}};
  Apply();
  auto pass = Pass(0);
  ASSERT_TRUE(pass->Reserve(900, 0, "").ok());
  Limits(0).tokens = {{.per_second = 1, .burst = 2000}};
  Apply();
  EXPECT_EQ(Available(0), 100);
  pass->End(absl::StatusCode::kOk);
  EXPECT_EQ(Available(0), 1000);
}

TEST_F(CallPassTest, ACallerThatComesBackFindsItsAccount) {
  Limits(0).requests = {{.per_second = 1, .burst = 2}};
  Limits(0).tokens = {{.per_second = 1, .burst = 100}};
  Limits(0).streams = 1;
  Apply();
  ASSERT_TRUE(Enter(0).ok());
  auto running = Pass(0);
  ASSERT_TRUE(running->Reserve(80, 0, "").ok());
  const std::vector<Caller> callers = policy_->callers;
  policy_->callers.erase(policy_->callers.begin());
  Apply();
  policy_->callers = callers;
  Apply();
  EXPECT_EQ(Available(0), 20);
  EXPECT_FALSE(Enter(0).ok());  // The stream runs.
  EXPECT_EQ(ledger_->Reports()[0].caller, "a");
}

TEST_F(CallPassTest, ACallerThatIsGoneAndOwesNothingIsForgotten) {
  Limits(0).tokens = {{.per_second = 1, .burst = 100}};
  Apply();
  ASSERT_TRUE(Enter(0).ok());
  ledger_->CountEnd(*Account(0), absl::StatusCode::kOk);
  ledger_->Leave(*Account(0), /*stream=*/true);
  ASSERT_TRUE(ledger_->Take(*Account(0), 30).ok());
  const std::vector<Caller> callers = policy_->callers;
  const auto ends_of_next = [&](absl::Duration later) {
    policy_->callers = {callers[1]};
    Apply();
    clock_.now += later;
    Apply();
    policy_->callers = callers;
    Apply();
    return ledger_->Reports()[0].requests[0];
  };
  EXPECT_EQ(ends_of_next(absl::Seconds(29)), 1);
  EXPECT_EQ(ends_of_next(absl::Seconds(1)), 0);
}

TEST_F(CallPassTest, ThePriorityAndThePromptAreRefusedByName) {
  policy_->callers[0].max_priority = 10;
  Limits(0).prompt_tokens = 50;
  Apply();
  auto pass = Pass(0);
  EXPECT_TRUE(pass->CheckPriority(10).ok());
  EXPECT_TRUE(pass->CheckPriority(-100).ok());
  EXPECT_THAT(pass->CheckPriority(11).message(),
              testing::HasSubstr("is 11; caller a may use at most 10"));
  EXPECT_EQ(FieldProblemsOf(pass->CheckPriority(11))[0].field, "priority");
  EXPECT_TRUE(pass->CheckPrompt("chat", 50).ok());
  EXPECT_EQ(FieldProblemsOf(pass->CheckPrompt("chat", 51))[0].field, "chat");
  policy_->overall.prompt_tokens = 40;
  EXPECT_THAT(pass->CheckPrompt("chat", 41).message(),
              testing::HasSubstr("a caller may send at most 40"));
}

TEST_F(CallPassTest, SaltsOfTenantsDifferFromEachOtherAndFromNone) {
  policy_->callers[1].tenant = "shared";
  Apply();
  EXPECT_EQ(CallPass().cache_salt(), "");
  EXPECT_EQ(CallPass().caller(), "");
  EXPECT_EQ(Pass(0)->cache_salt(), "tenant:a");
  EXPECT_EQ(Pass(1)->cache_salt(), "tenant:shared");
}

TEST_F(CallPassTest, WithoutAPolicyThereAreNoLimits) {
  CallPass pass;
  EXPECT_TRUE(pass.CheckPriority(kMaxPriority).ok());
  EXPECT_TRUE(pass.CheckPrompt("prompt", 1 << 30).ok());
  EXPECT_TRUE(pass.Reserve(1 << 30, 1 << 30, "en").ok());
  pass.UseToken();
}

}  // namespace
}  // namespace apollo
