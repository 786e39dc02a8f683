#include "serving/call_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/fake_clock.h"

namespace apollo {
namespace {

using testing::HasSubstr;
using Uris = std::vector<std::string>;

class CallGuardTest : public testing::Test {
 protected:
  bool Allows(const std::string& path, const Uris& uris) {
    return guard_.Check(path, uris).ok();
  }
  double Refused() {
    return registry_->Collect().at(0).metric.at(0).counter.value;
  }

  FakeClock clock_;
  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  CallGuard guard_{"apollo",
                   {{"Inner", {.only = {PeerRole::kRouter}}},
                    {"Public", {.never = {PeerRole::kDenseWorker}}}},
                   registry_,
                   clock_};
};

TEST_F(CallGuardTest, AServiceForOneRoleTakesNoOther) {
  EXPECT_TRUE(Allows("/Inner/M", {"spiffe://apollo/router/r"}));
  EXPECT_FALSE(Allows("/Inner/M", {"spiffe://apollo/client/c"}));
  EXPECT_FALSE(Allows("/Inner/M", {"spiffe://other/router/r"}));
  EXPECT_FALSE(Allows("/Inner/M", {}));
  // Nothing says which one counts.
  EXPECT_FALSE(Allows(
      "/Inner/M", {"spiffe://apollo/router/r", "spiffe://apollo/client/c"}));
  EXPECT_TRUE(Allows("/Other/M", {}));
}

TEST_F(CallGuardTest, ASecondNameDoesNotHideARoleThatMayNeverCall) {
  const std::string worker = "spiffe://apollo/dense-worker/d";
  const std::string client = "spiffe://apollo/client/c";
  EXPECT_FALSE(Allows("/Public/M", {worker}));
  EXPECT_FALSE(Allows("/Public/M", {worker, client}));
  EXPECT_FALSE(Allows("/Public/M", {client, worker}));
  EXPECT_FALSE(Allows("/Public/M", {worker, "spiffe://apollo/king/k"}));
  EXPECT_TRUE(Allows("/Public/M", {client}));
  EXPECT_TRUE(Allows("/Public/M", {client, "spiffe://other/dense-worker/d"}));
  EXPECT_TRUE(Allows("/Public/M", {}));
}

TEST_F(CallGuardTest, RefusalsAreCountedAndLogged) {
  EXPECT_EQ(Refused(), 0);
  testing::internal::CaptureStderr();
  for (int i = 0; i < LogBudget::kLines + 3; ++i) {
    EXPECT_FALSE(Allows("/Public/canary", {"spiffe://apollo/dense-worker/d"}));
  }
  clock_.now += absl::Seconds(1);
  EXPECT_FALSE(Allows("/Inner/M", {}));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Refused(), LogBudget::kLines + 4);
  EXPECT_THAT(log, HasSubstr("call_refused"));
  EXPECT_THAT(log, HasSubstr("has the role dense-worker"));
  EXPECT_THAT(log, HasSubstr("\"held_back\":3"));
  EXPECT_THAT(log, testing::Not(HasSubstr("canary")));
}

}  // namespace
}  // namespace apollo
