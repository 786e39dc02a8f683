#include "link/worker_details_codec.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(WorkerDetailsCodecTest, KeepsEverything) {
  WorkerDetails details;
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = "e";
  info.resident = {1, 4};
  info.running_sequences = 3;
  info.draining = true;
  info.cache_tokens_used = 48;
  info.rows_computed = 1'000'000'000'000;
  info.certificate_expires = 1'800'000'000;
  details.expert_workers = {{.address = "h:1", .info = info, .linked = true},
                            {.address = "h:2", .reason = "connection refused"}};
  details.cache_blocks = 100;
  details.cache_blocks_used = 7;
  details.waiting_sequences = 4;
  details.rows_computed = 5'000'000'000;
  details.certificate_expires = 1'900'000'000;
  details.draining = true;
  internal::v1::WorkerDetails message;
  ToProto(details, &message);
  EXPECT_EQ(FromProto(message), details);
}

}  // namespace
}  // namespace apollo
