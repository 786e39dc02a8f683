#include "router/worker_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace apollo {
namespace {

using Workers = std::vector<WorkerLoad>;

TEST(WorkerChoiceTest, TheFewestSequencesIfNothingIsCached) {
  EXPECT_EQ(ChooseWorker(100, {}), std::nullopt);
  EXPECT_EQ(ChooseWorker(100, Workers{{3}, {2}, {2}}), 1u);
}

TEST(WorkerChoiceTest, QueuedPromptsCount) {
  EXPECT_EQ(ChooseWorker(100, Workers{{.sequences = 1, .queued_rows = 2000},
                                      {.sequences = 3}}),
            1u);
}

TEST(WorkerChoiceTest, ACachedBeginningIsWorthItsRows) {
  Workers workers = {{.sequences = 0}, {.sequences = 3, .cached_tokens = 400}};
  EXPECT_EQ(ChooseWorker(500, workers), 1u);  // 384 rows more, 400 saved.
  workers[1].sequences = 4;
  EXPECT_EQ(ChooseWorker(500, workers), 0u);
}

TEST(WorkerChoiceTest, ATieGoesToTheWorkerWithFewerSequences) {
  EXPECT_EQ(ChooseWorker(500, Workers{{.sequences = 1, .cached_tokens = 128},
                                      {.sequences = 0}}),
            1u);
}

// All prompts begin with the same 4,000 tokens.
TEST(WorkerChoiceTest, ASharedBeginningDoesNotSendEverythingToOneWorker) {
  Workers workers(3);
  for (int i = 0; i < 300; ++i) {
    WorkerLoad& chosen = workers[*ChooseWorker(4050, workers)];
    ++chosen.sequences;
    chosen.cached_tokens = 4000;
  }
  for (const WorkerLoad& worker : workers) {
    EXPECT_GE(worker.sequences, 80);
    EXPECT_LE(worker.sequences, 120);
  }
}

}  // namespace
}  // namespace apollo
