#include "worker/link_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using ::testing::HasSubstr;

TEST(LinkLogTest, EachLineNamesThePeer) {
  LinkLog log;
  testing::internal::CaptureStderr();
  log.Opened(1, {WorkerRole::kExpert, "e1", "m", "1", {0, 3}});
  log.Opened(2, {WorkerRole::kExpert, "e2", "m", "1", {}});
  log.Leaving(1, /*leaving=*/true);
  log.Leaving(2, /*leaving=*/false);
  log.Closed(1, absl::UnavailableError("gone"));
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr(R"("link_opened","peer":"e1","experts":2)"));
  EXPECT_THAT(lines, HasSubstr(R"("peer_unlisted","peer":"e1")"));
  EXPECT_THAT(lines, HasSubstr(R"("peer_relisted","peer":"e2")"));
  EXPECT_THAT(lines, HasSubstr(R"("link_closed","peer":"e1","reason":"gone")"));
}

}  // namespace
}  // namespace apollo
