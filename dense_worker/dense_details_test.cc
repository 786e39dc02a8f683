#include "dense_worker/dense_details.h"

#include <gtest/gtest.h>

#include "dense_worker/dense_core_fixture.h"

namespace apollo {
namespace {

TEST_F(DenseCoreTest, DetailsAreThoseOfTheWork) {
  Start(/*blocks=*/4);
  LinkOne();
  EXPECT_EQ(DetailsOf(Counters()).waiting_sequences, 0);
  Submit(1, Request(/*prompt=*/62, /*max_new_tokens=*/2));
  Round(5);
  EXPECT_EQ(DetailsOf(Counters()).rows_computed, 62);
  Submit(2, Request(60, 1));
  Submit(3, Request(60, 1));
  core_->Advance();
  const WorkerDetails details = DetailsOf(Counters());
  EXPECT_EQ(details.cache_blocks, 4);
  EXPECT_EQ(details.cache_blocks_used, 4);
  EXPECT_EQ(details.waiting_sequences, 2);
  EXPECT_EQ(details.rows_computed, 62 + 1);
}

}  // namespace
}  // namespace apollo
