// Tests the GenerationBackend contract (sequence/generation.h) on a dense
// worker in this process and on one behind gRPC. The test acts as the expert
// worker, so it controls the order of events.

#include <absl/strings/match.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/mutex.h"
#include "dense_worker/dense_worker.h"
#include "dense_worker/routing_log.h"
#include "dense_worker/run_service.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "model/weights/open_model.h"
#include "router/dense_client.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"
#include "serving/server.h"

namespace apollo {
namespace {

const OpenModel& Model() {
  static const OpenModel* const model =
      new OpenModel(*OpenModelDirectory("tests/golden/published"));
  return *model;
}
const ModelConfig& Config() { return Model().config; }

// The test's end of the link between dense and expert worker. Thread-safe.
class ExpertLink final : public Link {
 public:
  void Send(Frame frame) override {
    MutexLock lock(mutex_);
    if (auto* step = std::get_if<StageStep>(&frame.body)) {
      steps_.push_back(std::move(*step));
    } else if (auto* release = std::get_if<ReleaseSequences>(&frame.body)) {
      for (const auto& item : release->items) released_.insert(item.sequence);
    }
    changed_.notify_all();
  }
  void Close() override {}

  StageStep AwaitStep() {
    MutexLock lock(mutex_);
    while (steps_.empty()) changed_.wait(mutex_);
    StageStep step = std::move(steps_.front());
    steps_.pop_front();
    return step;
  }
  void AwaitRelease(SequenceId id) {
    MutexLock lock(mutex_);
    while (!released_.contains(id)) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<StageStep> steps_ ABSL_GUARDED_BY(mutex_);
  std::set<SequenceId> released_ ABSL_GUARDED_BY(mutex_);
};

enum class Where { kThisProcess, kGrpc };

constexpr LinkId kExpert = 11;
constexpr std::int64_t kBlocks = 16;

std::unique_ptr<DenseStage> MakeStage(ThreadPool& pool) {
  const auto block = static_cast<std::int64_t>(KvCache::BlockBytes(
      {Config().num_heads, Config().num_kv_heads, Config().head_size},
      Config().boundary, Config().hidden_size));
  return *CpuDenseStage::Load(Config(), *Model().weights, {kBlocks * block},
                              pool, nullptr);
}

class BackendContractTest : public testing::TestWithParam<Where> {
 protected:
  BackendContractTest()
      : worker_(Options(), MakeStage(pool_), routing_),
        service_(worker_,
                 {"d",
                  "m",
                  {},
                  [] { return true; },
                  [this] { return worker_.sequences(); },
                  [this] { return worker_.progress(); },
                  routing_},
                 metrics_, Clock::Real()) {
    if (GetParam() == Where::kThisProcess) return;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<DenseClient>(
        MakeClusterChannel("127.0.0.1:" + std::to_string(port)));
  }
  ~BackendContractTest() override {
    if (server_ != nullptr) {
      server_->Shutdown(std::chrono::system_clock::now());
    }
  }

  static DenseCore::Options Options() {
    DenseCore::Options options;
    options.name = "d";
    options.numerics = "dense-id";
    options.prefix_caching = false;
    return options;
  }
  void LinkUp() {
    std::set<int> experts;
    for (int e = 0; e < Config().num_experts; ++e) experts.insert(e);
    WorkerInfo info = {WorkerRole::kExpert, "e", "m", "1", experts};
    worker_.OnLinkUp(kExpert, info, link_);
    info.reaches = experts;
    info.ready = true;
    info.revision = 1;
    worker_.OnLinkFrame(kExpert, {info});
  }

  static GenerationRequest Request(int max_new_tokens) {
    GenerationRequest request;
    request.prompt = {5, 6, 7};
    request.max_new_tokens = max_new_tokens;
    return request;
  }
  std::unique_ptr<GenerationCall> Start(GenerationRequest request,
                                        std::shared_ptr<GenerationSink> sink) {
    GenerationBackend& backend = client_ != nullptr
                                     ? static_cast<GenerationBackend&>(*client_)
                                     : worker_;
    return backend.Start(std::move(request), std::move(sink));
  }
  // Answers a step like a correct expert worker.
  void Answer(const StageStep& step, std::int32_t token,
              const absl::Status& status = absl::OkStatus()) {
    StageResult result;
    result.step = step.step;
    for (const SequenceRows& rows : step.sequences) {
      SequenceOutput& output = result.outputs.emplace_back();
      output.sequence = rows.sequence;
      output.attempt = rows.attempt;
      output.position =
          rows.first_position + static_cast<int>(rows.tokens.size()) - 1;
      if (rows.sample) output.sampled = TokenLogprob{token, -0.5f};
      output.status = status;
    }
    worker_.OnLinkFrame(kExpert, {std::move(result), {}});
  }
  // Waits for the next step and answers it.
  StageStep Round(std::int32_t token) {
    StageStep step = link_->AwaitStep();
    Answer(step, token);
    return step;
  }
  static bool Has(const StageStep& step, SequenceId id) {
    return std::any_of(
        step.sequences.begin(), step.sequences.end(),
        [id](const SequenceRows& rows) { return rows.sequence == id; });
  }
  // Runs a sequence of three tokens from start to end. Returns the number of
  // tokens that the other sequence got meanwhile.
  int TokensBeside(SequenceId other) {
    const auto sink = std::make_shared<RecordingSink>();
    const auto call = Start(Request(3), sink);
    int seen = 0;
    for (int tokens = 0; tokens < 3;) {
      const StageStep step = Round(9);
      for (const SequenceRows& rows : step.sequences) {
        if (rows.sequence == other) ++seen;
        if (rows.sequence != other && rows.sample) ++tokens;
      }
    }
    EXPECT_EQ(sink->Await(), "started by d 0:9 1:9 2:9 finished");
    return seen;
  }

  ThreadPool pool_{1};
  prometheus::Registry registry_;
  RequestMetrics metrics_{registry_};
  RoutingLog routing_{Config(), LanguageLabels(FamilyTable::Paper()),
                      Clock::Real()};
  const std::shared_ptr<ExpertLink> link_ = std::make_shared<ExpertLink>();
  DenseWorker worker_;
  RunService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<DenseClient> client_;
};

INSTANTIATE_TEST_SUITE_P(Where, BackendContractTest,
                         testing::Values(Where::kThisProcess, Where::kGrpc),
                         [](const auto& info) {
                           return info.param == Where::kGrpc ? "Grpc"
                                                             : "ThisProcess";
                         });

TEST_P(BackendContractTest, StartsOnceThenTokensInOrderThenTheEnd) {
  LinkUp();
  const auto sink = std::make_shared<RecordingSink>();
  const auto call = Start(Request(3), sink);
  for (const int token : {100, 101, 102}) Round(token);
  EXPECT_EQ(sink->Await(), "started by d 0:100 1:101 2:102 finished");
  call->Cancel();
  call->SetPaused(true);
  EXPECT_EQ(TokensBeside(0), 0);
  EXPECT_EQ(sink->text(), "started by d 0:100 1:101 2:102 finished");
  EXPECT_EQ(sink->finishes(), 1);
}

TEST_P(BackendContractTest, AnAnswerBegunElsewhereGoesOn) {
  LinkUp();
  GenerationRequest request = Request(2);
  request.answer_tokens = 2;
  const auto sink = std::make_shared<RecordingSink>();
  const auto call = Start(request, sink);
  const StageStep step = Round(100);
  EXPECT_EQ(step.sequences[0].tokens, request.prompt);
  EXPECT_EQ(step.sequences[0].start->prompt_tokens, 1);
  Round(101);
  EXPECT_EQ(sink->Await(), "started by d 2:100 3:101 finished");
}

// Passes events on to a RecordingSink and keeps the start.
class StartSink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted& started) override {
    start = started;
    events.OnStarted(started);
  }
  void OnToken(const GeneratedToken& token) override { events.OnToken(token); }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    events.OnFinished(std::move(finished));
  }
  GenerationStarted start;  // Before the end: only for the backend's threads.
  RecordingSink events;
};

TEST_P(BackendContractTest, AnAnswerNamesItsNumericsAndNoOthersGoOn) {
  LinkUp();
  const auto sink = std::make_shared<StartSink>();
  const auto call = Start(Request(1), sink);
  Round(100);
  EXPECT_EQ(sink->events.Await(), "started by d 0:100 finished");
  ASSERT_TRUE(sink->start.numerics);
  EXPECT_TRUE((*sink->start.numerics == SequenceNumerics{"dense-id", ""}));

  GenerationRequest same = Request(1);
  same.answer_tokens = 1;
  same.numerics = sink->start.numerics;
  const auto continued = std::make_shared<RecordingSink>();
  const auto second = Start(same, continued);
  Round(101);
  EXPECT_EQ(continued->Await(), "started by d 1:101 finished");

  for (const SequenceNumerics& other :
       {SequenceNumerics{"other", ""}, SequenceNumerics{"dense-id", "other"}}) {
    GenerationRequest request = same;
    request.numerics = other;
    const auto refused = std::make_shared<RecordingSink>();
    const auto third = Start(request, refused);
    EXPECT_EQ(refused->Await(), " UNAVAILABLE");
    EXPECT_EQ(EndOf(refused->status()), SequenceEnd::kAnswered);
    EXPECT_TRUE(absl::StrContains(refused->status().message(), "other"))
        << refused->status();
  }
}

TEST_P(BackendContractTest, AHandOverMovesTheSequences) {
  LinkUp();
  const auto sink = std::make_shared<RecordingSink>();
  const auto call = Start(Request(3), sink);
  Round(100);
  EXPECT_TRUE(sink->AwaitPart(" 0:100"));
  worker_.HandOver();
  EXPECT_EQ(sink->Await(), "started by d 0:100 UNAVAILABLE");
  EXPECT_EQ(EndOf(sink->status()), SequenceEnd::kMoved);
  const auto later = std::make_shared<RecordingSink>();
  const auto second = Start(Request(3), later);
  EXPECT_EQ(later->Await(), " UNAVAILABLE");
  EXPECT_EQ(EndOf(later->status()), SequenceEnd::kMoved);
}

TEST_P(BackendContractTest, ARefusalIsTheWorkersOwn) {
  // Without a link, no expert worker has the experts.
  const auto sink = std::make_shared<RecordingSink>();
  const auto call = Start(Request(3), sink);
  EXPECT_EQ(sink->Await(), " UNAVAILABLE");
  EXPECT_EQ(EndOf(sink->status()), SequenceEnd::kAnswered);
}

TEST_P(BackendContractTest, LogprobsOfThePromptComeBeforeTheTokens) {
  LinkUp();
  GenerationRequest request = Request(1);
  request.prompt_logprobs = 1;
  const auto sink = std::make_shared<RecordingSink>();
  const auto call = Start(request, sink);
  const StageStep step = link_->AwaitStep();
  ASSERT_EQ(step.sequences[0].score_targets, (std::vector<std::int32_t>{6, 7}));
  StageResult result;
  result.step = step.step;
  SequenceOutput& output = result.outputs.emplace_back();
  output.sequence = step.sequences[0].sequence;
  output.attempt = step.sequences[0].attempt;
  output.position = 2;
  output.sampled = TokenLogprob{100, -0.5f};
  output.score_logprobs = {-1, -2};
  output.score_alternatives = {{6, -1}, {9, -0.5f}};
  worker_.OnLinkFrame(kExpert, {std::move(result), {}});
  EXPECT_EQ(sink->Await(),
            "started by d prompt 1:6=-1/1 prompt 2:7=-2/1 0:100 finished");
}

TEST_P(BackendContractTest, ACancelledSequenceEndsEverywhere) {
  LinkUp();
  const auto sink = std::make_shared<RecordingSink>();
  const auto call = Start(Request(30), sink);
  const SequenceId id = Round(100).sequences[0].sequence;
  ASSERT_TRUE(sink->AwaitPart("0:100"));
  call->Cancel();
  call->Cancel();
  EXPECT_EQ(sink->Await(), "started by d 0:100 CANCELLED");
  link_->AwaitRelease(id);
  EXPECT_EQ(sink->finishes(), 1);
}

TEST_P(BackendContractTest, OneCancelledBeforeItBeginsEndsToo) {
  LinkUp();
  const auto sink = std::make_shared<RecordingSink>();
  Start(Request(30), sink)->Cancel();
  EXPECT_TRUE(absl::EndsWith(sink->Await(), "CANCELLED")) << sink->text();
}

TEST_P(BackendContractTest, ErrorsComeWithCodeAndMessage) {
  const auto ended = [this](GenerationRequest request) {
    const auto sink = std::make_shared<RecordingSink>();
    const auto call = Start(std::move(request), sink);
    const std::string text = sink->Await();
    EXPECT_EQ(text, " " + absl::StatusCodeToString(sink->status().code()));
    return sink->status();
  };
  EXPECT_EQ(ended(Request(3)).code(), absl::StatusCode::kUnavailable);
  LinkUp();
  GenerationRequest empty = Request(3);
  empty.prompt.clear();
  EXPECT_EQ(ended(empty),
            absl::InvalidArgumentError("the prompt has no tokens"));
  EXPECT_EQ(ended(Request(kBlocks * kBlockTokens)).code(),
            absl::StatusCode::kFailedPrecondition);
  const auto sink = std::make_shared<RecordingSink>();
  const auto call = Start(Request(3), sink);
  Answer(link_->AwaitStep(), 100, absl::DataLossError("no expert"));
  EXPECT_EQ(sink->Await(), "started by d DATA_LOSS");
  EXPECT_EQ(sink->status(), absl::DataLossError("no expert"));
}

// Reports its destruction.
class TransientSink final : public GenerationSink {
 public:
  explicit TransientSink(std::promise<void> gone) : gone_(std::move(gone)) {}
  ~TransientSink() override { gone_.set_value(); }
  void OnStarted(const GenerationStarted&) override {}
  void OnToken(const GeneratedToken&) override {}
  void OnFinished(absl::StatusOr<GenerationFinished>) override {}

 private:
  std::promise<void> gone_;
};

TEST_P(BackendContractTest, TheSinkIsLetGoAtTheEndThoughTheCallIsNot) {
  LinkUp();
  std::promise<void> gone;
  auto future = gone.get_future();
  const auto call =
      Start(Request(1), std::make_unique<TransientSink>(std::move(gone)));
  Round(100);
  future.wait();
}

TEST_P(BackendContractTest, ASequenceWhoseCallIsDestroyedGoesOn) {
  LinkUp();
  const auto sink = std::make_shared<RecordingSink>();
  Start(Request(2), sink).reset();
  for (const int token : {100, 101}) Round(token);
  EXPECT_EQ(sink->Await(), "started by d 0:100 1:101 finished");
}

TEST_P(BackendContractTest, APausedSequenceRestsUntilItMayGoOn) {
  constexpr int kTokens = 200;
  LinkUp();
  std::shared_ptr<RecordingSink> sink;
  std::unique_ptr<GenerationCall> call;
  SequenceId id = 0;
  // The pause takes effect soon; until then the sequence consumes its tokens.
  // One whose pause comes too late is followed by another.
  bool rests = false;
  for (int i = 0; i < 200 && !rests; ++i) {
    sink = std::make_shared<RecordingSink>();
    call = Start(Request(kTokens), sink);
    id = Round(100).sequences[0].sequence;
    ASSERT_TRUE(sink->AwaitPart("0:100"));
    call->SetPaused(true);
    int tokens = 1;
    for (int more; (more = TokensBeside(id)) > 0;) tokens += more;
    rests = tokens < kTokens;
  }
  ASSERT_TRUE(rests) << "never paused";
  EXPECT_EQ(TokensBeside(id), 0);
  EXPECT_EQ(sink->finishes(), 0);
  call->SetPaused(false);
  EXPECT_TRUE(Has(link_->AwaitStep(), id));
  call->Cancel();
  sink->Await();
}

// Not part of the backend contract; tells routers if a worker hangs.
TEST(DenseWorkerTest, AnIdleEngineMakesProgress) {
  ThreadPool pool(1);
  RoutingLog routing(Config(), LanguageLabels(FamilyTable::Paper()),
                     Clock::Real());
  DenseWorker worker({}, MakeStage(pool), routing);
  const std::uint64_t before = worker.progress();
  while (worker.progress() == before) std::this_thread::yield();
}

}  // namespace
}  // namespace apollo
