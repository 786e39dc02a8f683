// Counting of routing.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "expert_worker/core_fixture.h"
#include "link/worker_info.h"

namespace apollo {
namespace {

using absl::StatusCode;

INSTANTIATE_EXPERT_CORE_TEST();

TEST_P(ExpertCoreTest, RowsThatFailedInAnEarlierLayerAreNotCounted) {
  const auto [local, remote, here, there] = Division();
  Worker worker(here);  // No worker has the experts of `there`.
  worker.Take(Step(1, {In(RowsOf(remote, 0, 1), "de", 4),
                       In(RowsOf(local, 0, 1), "ar", 5)}));
  worker.Work();
  const StageResult result = worker.Result();
  ASSERT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
  ASSERT_TRUE(result.outputs.at(1).status.ok());
  const int last = TestConfig().num_layers - 1;
  ASSERT_LT(TestConfig().boundary, last);
  EXPECT_TRUE(ExpertUse(worker.Counters(), "de", last).empty());
  EXPECT_FALSE(ExpertUse(worker.Counters(), "ar", last).empty());
}

// What operators see of a worker, with its reports.
TEST_P(ExpertCoreTest, ReportsItsUseAndItsCertificate) {
  std::int64_t expires = 1'900'000'000;
  ExpertCore::Options options;
  options.certificate_expires = [&] { return expires; };
  Worker worker(kAll, /*blocks=*/64, /*threads=*/1, std::move(options));
  worker.Take(Step(1, {RowsOf(1, 0, 3), RowsOf(2, 0, 4)}));
  worker.Work();
  worker.core->Tick(worker.clock.now);
  WorkerInfo info = worker.dense->infos.back();
  EXPECT_EQ(info.rows_computed, 7);
  EXPECT_GT(info.cache_tokens_used, 0);
  EXPECT_EQ(info.certificate_expires, expires);
  EXPECT_FALSE(info.draining);
  // A new certificate is news by itself.
  expires += 1000;
  worker.core->Tick(worker.clock.now);
  EXPECT_EQ(worker.dense->infos.back().certificate_expires, expires);
  worker.Take(Step(2, {RowsOf(1, 3, 1), RowsOf(2, 4, 1)}));
  worker.Work();
  worker.Release(1);
  worker.Release(2);
  worker.Work();
  worker.core->Drain(/*hand_over=*/false);
  info = worker.dense->infos.back();
  EXPECT_EQ(info.rows_computed, 7 + 2);
  EXPECT_EQ(info.cache_tokens_used, 0);
  EXPECT_TRUE(info.draining);
}

// One batch of sequences of different languages, with and without a family.
TEST_P(ExpertCoreTest, CountsByLanguageAndLayer) {
  Worker worker(kAll);
  worker.Take(
      Step(1, {In(RowsOf(1, 0, 9), "de", 4), In(RowsOf(2, 0, 5), "ar", 5),
               RowsOf(3, 0, 3), In(RowsOf(4, 0, 6), "de", 4)}));
  worker.Work();
  const StageResult result = worker.Result();
  ASSERT_EQ(result.outputs.size(), 4u);
  // Sums of the answers of the sequences.
  const std::string languages[] = {"de", "ar", "", "de"};
  const int layers = TestConfig().num_sparse_layers();
  for (int layer = 0; layer < layers; ++layer) {
    std::map<std::string, std::vector<std::int64_t>> use;
    std::map<std::string, int> off_family;
    for (int i = 0; i < 4; ++i) {
      const SequenceOutput& output = result.outputs[i];
      ASSERT_EQ(output.expert_use.size(), layers * 7u);
      ASSERT_EQ(output.off_family.size(), static_cast<std::size_t>(layers));
      use[languages[i]].resize(7);
      for (int e = 0; e < 7; ++e) {
        use[languages[i]][e] += output.expert_use[layer * 7 + e];
      }
      off_family[languages[i]] += static_cast<int>(output.off_family[layer]);
    }
    struct Expected {
      const char* language;
      int rows, family;
    };
    const ExpertCounters& counters = worker.Counters();
    const int number = TestConfig().boundary + layer;
    for (const auto& [language, rows, family] :
         {Expected{"de", 15, 15}, Expected{"ar", 5, 5}, Expected{"", 3, 0}}) {
      const auto used = ExpertUse(counters, language, number);
      EXPECT_EQ(used, use[language]);
      EXPECT_EQ(std::accumulate(used.begin(), used.end(), std::int64_t{0}),
                rows * TestConfig().experts_per_token);
      EXPECT_EQ(FamilyRows(counters, language, number), family);
      EXPECT_EQ(OffFamilyRows(counters, language, number),
                family > 0 ? off_family[language] : 0);
    }
    for (int i = 0; i < TestLabels().size(); ++i) {
      const std::string& name = TestLabels().name(i);
      if (name == "de" || name == "ar" || name == "und") continue;
      EXPECT_TRUE(ExpertUse(counters, name, number).empty()) << name;
    }
  }
}

// A row is off its family if its own top-k lacks the family's expert. With
// top-k routing these are the rows that did not use it; with hybrid routing,
// where every row uses it, those in which it replaced another expert.
TEST_P(ExpertCoreTest, OffFamilyDependsOnTheGatesOwnChoice) {
  std::int64_t off = 0, on = 0;
  const int first = TestConfig().boundary;
  for (int family = 0; family < 7; ++family) {
    const int rows = 20;
    Worker topk(kAll), hybrid(kAll);
    topk.Take(Step(1, {In(RowsOf(1, 0, rows), "de", family)}));
    hybrid.Take(
        Step(1, {Hybrid(In(RowsOf(1, 0, rows), "de", family), family)}));
    topk.Work();
    hybrid.Work();
    const std::int64_t own = OffFamilyRows(topk.Counters(), "de", first);
    EXPECT_EQ(own, rows - ExpertUse(topk.Counters(), "de", first).at(family));
    EXPECT_EQ(ExpertUse(hybrid.Counters(), "de", first).at(family), rows);
    // Both compute the same up to the gate of the first sparse layer.
    EXPECT_EQ(OffFamilyRows(hybrid.Counters(), "de", first), own);
    off += own;
    on += rows - own;
  }
  // The test data has both kinds.
  EXPECT_GT(off, 0);
  EXPECT_GT(on, 0);
}

}  // namespace
}  // namespace apollo
