// Random mixes of requests through real dense and expert cores. Each request
// must get exactly the tokens and log-probabilities that it gets alone, to the
// last bit, whatever
// - the other rows in a step and the division of prompts into chunks;
// - the size of the caches, prefix hits of dense and of expert workers, wrong
//   beliefs about the latter, and preemptions;
// - the number of threads and workers;
// - the order of events;
// - the format of the weights.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "common/fake_clock.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/dense_counters.h"
#include "dense_worker/routing_log.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "engine/testing/async_dense_stage.h"
#include "engine/testing/async_expert_stage.h"
#include "engine/testing/later.h"
#include "expert_worker/expert_core.h"
#include "expert_worker/expert_counters.h"
#include "kernels/cpu_level.h"
#include "kernels/weight_format.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "model/weights/open_model.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

// `weights`: the name of a format.
const OpenModel& Model(const std::string& weights) {
  static auto* const models = new std::map<std::string, OpenModel>();
  if (!models->contains(weights)) {
    models->emplace(weights, *OpenModelDirectory("tests/golden/published",
                                                 *ParseWeights(weights)));
  }
  return models->at(weights);
}
const ModelConfig& Config() { return Model("float32").config; }

// All that a client sees of a sequence.
class Sink final : public GenerationSink {
 public:
  // The first token has index `first` in the answer.
  explicit Sink(int first = 0) : first_(first) {}
  void OnStarted(const GenerationStarted&) override {
    EXPECT_FALSE(started) << "started twice";
    started = true;
  }
  void OnPrompt(const PromptLogprobs& prompt) override {
    EXPECT_TRUE(started && !finished && tokens.empty());
    EXPECT_EQ(prompt.index, static_cast<int>(prompt_tokens.size()) + 1);
    for (const PromptLogprobs::Token& token : prompt.tokens) {
      prompt_tokens.push_back(token.token);
      logprobs.push_back(token.logprob);
      for (const TokenLogprob& a : token.alternatives) {
        tokens_beside.push_back(a.token);
        logprobs.push_back(a.logprob);
      }
    }
  }
  void OnToken(const GeneratedToken& token) override {
    EXPECT_TRUE(started && !finished);
    EXPECT_EQ(token.index, first_ + static_cast<int>(tokens.size()));
    tokens.push_back(token.token);
    logprobs.push_back(token.logprob);
    for (const TokenLogprob& a : token.alternatives) {
      tokens_beside.push_back(a.token);
      logprobs.push_back(a.logprob);
    }
  }
  void OnFinished(absl::StatusOr<GenerationFinished> result) override {
    EXPECT_FALSE(finished) << "finished twice";
    finished = true;
    status = result.status();
    if (!result.ok()) return;
    cause = result->cause;
    logprobs.insert(logprobs.end(), result->score_logprobs.begin(),
                    result->score_logprobs.end());
    for (const LayerUse& layer : result->expert_use) {
      use.push_back(layer.tokens_by_expert);
      use.back().push_back(layer.off_family_tokens);
    }
  }
  bool started = false, finished = false;
  absl::Status status;
  FinishCause cause = FinishCause::kEos;
  std::vector<std::int32_t> prompt_tokens, tokens, tokens_beside;
  std::vector<float> logprobs;
  std::vector<std::vector<std::uint64_t>> use;

 private:
  const int first_;
};

struct Layout {
  int dense_workers = 1, expert_workers = 1;
  int dense_blocks = 200, expert_blocks = 200;
  int threads = 1;
  CacheType cache_type = CacheType::kFloat32;
  const char* weights = "float32";
  bool asynchronous = false;   // Results of stages come later, in any order.
  bool sparse_caching = true;  // Expert workers keep prefixes.
  DenseCore::Options options;
};

// Workers connected by queues. Frames and pieces of work run in random order,
// but frames in one direction of a link keep theirs. Asynchronous stages
// deliver their results in any order.
class Net {
 public:
  Net(const Layout& layout, int seed) : random_(seed), layout_(layout) {
    const AttentionShape shape = {Config().num_heads, Config().num_kv_heads,
                                  Config().head_size, layout.cache_type};
    const std::int64_t dense_block =
        KvCache::BlockBytes(shape, Config().boundary, Config().hidden_size);
    const std::int64_t expert_block =
        KvCache::BlockBytes(shape, Config().num_sparse_layers(), 0);
    for (int i = 0; i < layout.dense_workers; ++i) {
      pools_.push_back(std::make_unique<ThreadPool>(
          layout.threads, ThreadPool::Split::kAlways));
      DenseCore::Options options = layout.options;
      options.name = "d" + std::to_string(i);
      std::unique_ptr<DenseStage> stage = *CpuDenseStage::Load(
          Config(), *Model(layout.weights).weights,
          {dense_block * layout.dense_blocks, layout.cache_type},
          *pools_.back(), nullptr);
      if (layout.asynchronous) {
        stage = std::make_unique<AsyncDenseStage>(std::move(stage), later_);
      }
      caches_.push_back(&stage->blocks());
      dense_.push_back(std::make_unique<DenseCore>(options, std::move(stage),
                                                   routing_, clock_));
    }
    for (int i = 0; i < layout.expert_workers; ++i) {
      pools_.push_back(std::make_unique<ThreadPool>(
          layout.threads, ThreadPool::Split::kAlways));
      std::set<int> experts;
      for (int e = i; e < Config().num_experts; e += layout.expert_workers) {
        experts.insert(e);
      }
      std::unique_ptr<ExpertStage> stage = *CpuExpertStage::Load(
          Config(), *Model(layout.weights).weights, experts,
          {expert_block * layout.expert_blocks, layout.cache_type},
          *pools_.back(), nullptr);
      if (layout.asynchronous) {
        stage = std::make_unique<AsyncExpertStage>(std::move(stage), later_);
      }
      caches_.push_back(&stage->blocks());
      hellos_.push_back({WorkerRole::kExpert, "e" + std::to_string(i), "m", "1",
                         experts, layout.expert_blocks * kBlockTokens});
      ExpertCore::Options options;
      options.self = hellos_.back();
      options.prefix_caching = layout.sparse_caching;
      expert_.push_back(
          std::make_unique<ExpertCore>(options, std::move(stage)));
    }
    // The id of the link between nodes a and b is 100 a + b at a.
    for (int d = 0; d < layout.dense_workers; ++d) {
      for (int e = 0; e < layout.expert_workers; ++e) {
        const int expert = layout.dense_workers + e;
        dense_[d]->LinkUp(100 * d + expert, hellos_[e], MakeLink(d, expert));
        expert_[e]->LinkUp(
            100 * expert + d,
            {WorkerRole::kDense, "d" + std::to_string(d), "m", "1", {}},
            MakeLink(expert, d));
        for (int f = 0; f < layout.expert_workers; ++f) {
          if (d > 0 || f == e) continue;
          const int other = layout.dense_workers + f;
          expert_[e]->LinkUp(100 * expert + other, hellos_[f],
                             MakeLink(expert, other));
        }
      }
    }
    // Until the dense workers know the experts that the others reach.
    while (Turn()) {
    }
  }

  std::shared_ptr<Sink> Submit(
      SequenceId id, GenerationRequest request,
      std::shared_ptr<Sink> sink = std::make_shared<Sink>()) {
    dense_[random_() % dense_.size()]->Submit(id, std::move(request), sink);
    return sink;
  }

  void Cancel(SequenceId id) {
    for (const auto& core : dense_) core->Cancel(id);
  }

  // Runs one random event. Returns false if none is left.
  bool Turn() {
    std::vector<int> nodes;
    for (int d = 0; d < layout_.dense_workers; ++d) {
      if (dense_[d]->HasWork()) nodes.push_back(d);
    }
    for (int e = 0; e < layout_.expert_workers; ++e) {
      if (expert_[e]->HasWork()) nodes.push_back(layout_.dense_workers + e);
    }
    std::vector<std::pair<int, int>> queues;
    for (const auto& [ends, queue] : frames_) {
      if (!queue.empty()) queues.push_back(ends);
    }
    const std::size_t events = nodes.size() + queues.size() + later_.size();
    if (events == 0) return PassTime();
    const std::size_t pick = random_() % events;
    if (pick < nodes.size()) {
      const int node = nodes[pick];
      if (node < layout_.dense_workers) {
        dense_[node]->Advance();
        const DenseCounters& counters = dense_[node]->counters();
        EXPECT_LE(counters.used_blocks, counters.blocks);
      } else {
        expert_[node - layout_.dense_workers]->Advance();
      }
      return true;
    }
    if (pick >= nodes.size() + queues.size()) {
      later_.Deliver(pick - nodes.size() - queues.size());
      return true;
    }
    const auto [from, to] = queues[pick - nodes.size()];
    Frame frame = std::move(frames_[{from, to}].front());
    frames_[{from, to}].pop_front();
    if (to < layout_.dense_workers) {
      dense_[to]->LinkFrame(100 * to + from, std::move(frame));
    } else {
      expert_[to - layout_.dense_workers]->LinkFrame(100 * to + from,
                                                     std::move(frame));
    }
    return true;
  }

  void ExpectNothingLeft() {
    for (const auto& core : dense_) EXPECT_EQ(core->sequences(), 0);
    for (const auto& core : dense_) EXPECT_EQ(core->counters().running, 0);
    for (const auto& core : expert_) EXPECT_EQ(core->sequences(), 0);
    for (const auto& core : expert_) EXPECT_EQ(core->counters().running, 0);
    for (const BlockPool* pool : caches_) {
      EXPECT_EQ(pool->available(), pool->total());
    }
  }

  // A counter of all dense, or all expert workers together.
  std::int64_t Sum(Count DenseCounters::*counter) const {
    std::int64_t sum = 0;
    for (const auto& core : dense_) sum += core->counters().*counter;
    return sum;
  }
  std::int64_t Sum(Count ExpertCounters::*counter) const {
    std::int64_t sum = 0;
    for (const auto& core : expert_) sum += core->counters().*counter;
    return sum;
  }

 private:
  // Ends the pauses of sequences that found no room. Returns false if that
  // changes nothing.
  bool PassTime() {
    clock_.now += absl::Seconds(10);
    for (const auto& core : dense_) core->Tick(clock_.now);
    return std::any_of(dense_.begin(), dense_.end(),
                       [](const auto& core) { return core->HasWork(); });
  }

  class QueueLink final : public Link {
   public:
    explicit QueueLink(std::deque<Frame>& queue) : queue_(queue) {}
    void Send(Frame frame) override { queue_.push_back(std::move(frame)); }
    void Close() override { ADD_FAILURE() << "a link was closed"; }

   private:
    std::deque<Frame>& queue_;
  };
  std::shared_ptr<Link> MakeLink(int from, int to) {
    return std::make_shared<QueueLink>(frames_[{from, to}]);
  }

  FakeClock clock_;
  RoutingLog routing_{Config(), LanguageLabels(FamilyTable::Paper()), clock_};
  std::mt19937 random_;
  const Layout layout_;
  std::map<std::pair<int, int>, std::deque<Frame>> frames_;
  std::vector<WorkerInfo> hellos_;
  std::vector<std::unique_ptr<ThreadPool>> pools_;
  std::vector<const BlockPool*> caches_;  // Of the stages of all workers.
  Later later_;  // Undelivered results of asynchronous stages.
  std::vector<std::unique_ptr<ExpertCore>> expert_;
  std::vector<std::unique_ptr<DenseCore>> dense_;
};

std::vector<GenerationRequest> SomeRequests(std::mt19937& random, int count) {
  const auto pick = [&random](int n) { return static_cast<int>(random() % n); };
  std::vector<GenerationRequest> requests;
  for (int i = 0; i < count; ++i) {
    GenerationRequest request;
    // Few prefixes, so that some are found in the cache.
    const int beginning = pick(3), shared = pick(50), own = 1 + pick(30);
    for (int t = 0; t < shared; ++t) {
      request.prompt.push_back((t * 31 + beginning * 7) % 256);
    }
    for (int t = 0; t < own; ++t) request.prompt.push_back(pick(256));
    request.max_new_tokens = 1 + pick(24);
    request.family = pick(8) - 1;
    request.hybrid = request.family >= 0 && pick(2) == 0;
    request.sampling.temperature = pick(2) == 0 ? 0.0f : 0.9f;
    request.sampling.seed = random();
    request.sampling.frequency_penalty = pick(3) == 0 ? 0.7f : 0.0f;
    request.top_logprobs = pick(3);
    request.ignore_eos = pick(2) == 0;
    request.priority = pick(4) == 0 ? pick(3) - 1 : 0;
    if (request.prompt.size() > 2 && pick(4) == 0) {
      request.max_new_tokens = 0;
      request.score_tokens =
          1 + pick(static_cast<int>(request.prompt.size()) - 1);
    }
    const auto kind = static_cast<int>(request.sampling.seed % 12);
    if (kind % 4 == 1) request.sampling.min_p = 0.02f;
    if (kind % 4 == 2) {
      request.sampling.logit_bias = {{request.prompt[0] % 128, 2.5f},
                                     {200, -100.0f}};
    }
    if (kind % 3 == 0 && request.score_tokens == 0) {
      request.prompt_logprobs = kind % 4;
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

void ExpectSame(const Sink& a, const Sink& b) {
  EXPECT_TRUE(a.finished && b.finished);
  EXPECT_TRUE(a.status.ok()) << a.status;
  EXPECT_TRUE(b.status.ok()) << b.status;
  EXPECT_EQ(a.cause, b.cause);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.tokens_beside, b.tokens_beside);
  EXPECT_TRUE(a.logprobs == b.logprobs);
  EXPECT_EQ(a.use, b.use);
}

// Checks a cancelled request: a prefix of the whole answer, and nothing else.
void ExpectBeginning(const Sink& part, const Sink& whole) {
  EXPECT_TRUE(part.finished);
  ASSERT_LE(part.tokens.size(), whole.tokens.size());
  EXPECT_TRUE(
      std::equal(part.tokens.begin(), part.tokens.end(), whole.tokens.begin()));
}

TEST(MixTest, EveryRequestGetsWhatItGetsAlone) {
  int hits = 0, dense_preemptions = 0, expert_preemptions = 0, cancelled = 0;
  int sparse_hits = 0, sparse_misses = 0;
  std::vector<CpuLevel> levels;
  for (const CpuLevel level : kCpuLevels) {
    if (level <= BestCpuLevel()) levels.push_back(level);
  }
  for (int seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto pick = [&random](int n) {
      return static_cast<int>(random() % n);
    };
    const auto requests = SomeRequests(random, 12);
    std::vector<std::shared_ptr<Sink>> alone, mixed;
    constexpr CacheType kTypes[] = {CacheType::kFloat32, CacheType::kF16,
                                    CacheType::kBf16};
    const CacheType cache_type = kTypes[seed % 3];
    const char* const weights =
        kWeightFormats[seed / 3 % std::size(kWeightFormats)].name;
    const CpuLevel level = levels[seed / 12 % levels.size()];
    SCOPED_TRACE(CpuLevelName(level));
    UseCpuLevel(level);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      Layout plain;
      plain.cache_type = cache_type;
      plain.weights = weights;
      plain.options.prefix_caching = false;
      Net net(plain, 0);
      alone.push_back(net.Submit(i, requests[i]));
      while (net.Turn()) {
      }
    }
    Layout layout;
    layout.dense_workers = 1 + pick(2);
    layout.expert_workers = 1 + pick(3);
    // At least 7 blocks, which the longest request needs.
    layout.dense_blocks = 7 + pick(20);
    layout.expert_blocks = 7 + pick(30);
    layout.threads = 1 + pick(3);
    layout.cache_type = cache_type;
    layout.weights = weights;
    layout.asynchronous = seed % 2 == 1;
    layout.options.scheduler.token_budget = 1 + pick(60);
    layout.options.scheduler.mixed_token_budget = 1 + pick(40);
    layout.options.scheduler.max_running = 1 + pick(12);
    layout.options.prefix_caching = pick(4) > 0;
    layout.options.steps_in_flight = 1 + pick(2);
    layout.sparse_caching = seed % 5 != 0;
    Net net(layout, seed);
    for (int turn = 0; mixed.size() < requests.size();) {
      if (pick(6) == 0) {
        mixed.push_back(net.Submit(mixed.size(), requests[mixed.size()]));
      } else if (!mixed.empty() && pick(150) == 0) {
        net.Cancel(pick(static_cast<int>(mixed.size())));
      } else {
        net.Turn();
      }
      ASSERT_LT(++turn, 1000000);
    }
    for (int turn = 0; net.Turn(); ++turn) ASSERT_LT(turn, 1000000);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      SCOPED_TRACE(i);
      if (mixed[i]->status.code() == absl::StatusCode::kCancelled) {
        ExpectBeginning(*mixed[i], *alone[i]);
        ++cancelled;
      } else {
        ExpectSame(*mixed[i], *alone[i]);
      }
    }
    net.ExpectNothingLeft();
    hits += net.Sum(&DenseCounters::prefix_hits);
    dense_preemptions += net.Sum(&DenseCounters::preemptions);
    expert_preemptions += net.Sum(&ExpertCounters::preemptions);
    sparse_hits += net.Sum(&ExpertCounters::prefix_hits);
    sparse_misses += net.Sum(&ExpertCounters::prefix_misses);
  }
  UseCpuLevel(BestCpuLevel());
  // All cases occurred. The counts of the dense workers include those of the
  // expert workers.
  EXPECT_GT(hits, 1000);
  EXPECT_GT(dense_preemptions - expert_preemptions, 50);
  EXPECT_GT(expert_preemptions, 50);
  EXPECT_GT(cancelled, 20);
  EXPECT_GT(sparse_hits, 500);
  EXPECT_GT(sparse_misses, 5);
}

// Continues the answer to `request` after its first `cut` tokens in another
// cluster.
std::shared_ptr<Sink> Continue(GenerationRequest request,
                               const std::vector<std::int32_t>& answer, int cut,
                               const Layout& layout) {
  request.prompt.insert(request.prompt.end(), answer.begin(),
                        answer.begin() + cut);
  request.answer_tokens = cut;
  request.max_new_tokens -= cut;
  Net net(layout, cut);
  auto sink = std::make_shared<Sink>(cut);
  net.Submit(0, std::move(request), sink);
  while (net.Turn()) {
  }
  return sink;
}

TEST(ContinuationTest, AnAnswerThatGoesOnElsewhereIsTheSame) {
  constexpr int kTokens = 24;
  int differ = 0;
  for (int seed = 0; seed < 4; ++seed) {
    std::mt19937 random(seed);
    GenerationRequest request = SomeRequests(random, 1)[0];
    request.score_tokens = 0;
    request.prompt_logprobs.reset();
    request.sampling.min_p = seed == 1 ? 0.02f : 0.0f;
    request.sampling.logit_bias = {{65, 1.5f}, {66, -100.0f}};
    request.max_new_tokens = kTokens;
    request.ignore_eos = true;
    request.top_logprobs = 2;
    request.sampling.temperature = seed == 0 ? 0.0f : 0.9f;
    request.sampling.presence_penalty = 0.6f;
    request.sampling.frequency_penalty = 0.9f;
    Layout plain;
    Net net(plain, seed);
    const auto whole = net.Submit(0, request);
    while (net.Turn()) {
    }
    ASSERT_EQ(whole->tokens.size(), static_cast<std::size_t>(kTokens));
    for (int cut = 1; cut < kTokens; cut += 3) {
      SCOPED_TRACE(cut);
      Layout elsewhere;
      elsewhere.expert_workers = 1 + cut % 3;
      elsewhere.options.scheduler.token_budget = 5 + cut;
      const auto rest = Continue(request, whole->tokens, cut, elsewhere);
      const std::vector<std::int32_t> tokens(whole->tokens.begin() + cut,
                                             whole->tokens.end());
      EXPECT_EQ(rest->tokens, tokens);
      // Each token's log-probability and those of two others.
      const std::vector<float> logprobs(whole->logprobs.begin() + 3 * cut,
                                        whole->logprobs.end());
      EXPECT_TRUE(rest->logprobs == logprobs);
      EXPECT_EQ(rest->use, whole->use);
      // Penalties do not count tokens given as prompt.
      GenerationRequest prompt = request;
      prompt.prompt.insert(prompt.prompt.end(), whole->tokens.begin(),
                           whole->tokens.begin() + cut);
      prompt.max_new_tokens -= cut;
      Net other(plain, cut);
      const auto fresh = other.Submit(0, prompt);
      while (other.Turn()) {
      }
      if (fresh->tokens != tokens) ++differ;
    }
  }
  EXPECT_GT(differ, 0);
}

}  // namespace
}  // namespace apollo
