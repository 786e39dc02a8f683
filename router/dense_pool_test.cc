#include "router/dense_pool.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/fake_clock.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "sequence/generation.h"
#include "sequence/prefix_hash.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

// A dense worker on a port of this process with a scripted description. It
// answers every sequence with its name.
class FakeWorker final : public pb::DenseWorkerService::Service {
 public:
  FakeWorker(const std::string& name, const std::string& hash) {
    description_.set_name(name);
    description_.set_model_hash(hash);
    description_.set_config_hash("config");
    description_.set_ready(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeWorker() override { server_->Shutdown(); }

  void Change(const pb::DescribeResponse& changes) {
    MutexLock lock(mutex_);
    description_.MergeFrom(changes);
  }
  void SetReady(bool ready) {
    MutexLock lock(mutex_);
    description_.set_ready(ready);
  }

  grpc::Status Describe(grpc::ServerContext*,
                        const pb::DescribeRequest* request,
                        pb::DescribeResponse* response) override {
    MutexLock lock(mutex_);
    known_prefixes_ = request->known_prefixes();
    if (request->has_other_workers()) others_ = request->other_workers();
    *response = description_;
    return grpc::Status::OK;
  }
  // Returns the number of other workers that the last poll gave; -1: none.
  int others() {
    MutexLock lock(mutex_);
    return others_;
  }
  // Makes later sequences start and then hang.
  void Hang() {
    MutexLock lock(mutex_);
    hangs_ = true;
  }

  grpc::Status Run(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<pb::RunEvent, pb::RunRequest>* writer) override {
    pb::RunRequest request;
    writer->Read(&request);
    pb::RunEvent started, finished;
    bool hangs = false;
    {
      MutexLock lock(mutex_);
      started.mutable_started()->set_dense_worker(description_.name());
      hangs = hangs_;
    }
    finished.mutable_finished()->set_reason(pb::RunFinished::EOS);
    writer->Write(started);
    // Blocks until the call is cancelled.
    if (hangs) return writer->Read(&request), grpc::Status::OK;
    writer->Write(finished);
    return grpc::Status::OK;
  }

  grpc::Status Routing(grpc::ServerContext*, const pb::RoutingRequest*,
                       pb::RoutingResponse*) override {
    MutexLock lock(mutex_);
    ++routing_calls_;
    return grpc::Status::OK;
  }
  // What the router said in its last poll.
  std::uint64_t known_prefixes() {
    MutexLock lock(mutex_);
    return known_prefixes_;
  }
  int routing_calls() {
    MutexLock lock(mutex_);
    return routing_calls_;
  }

  std::string address;

 private:
  Mutex mutex_;
  pb::DescribeResponse description_ ABSL_GUARDED_BY(mutex_);
  int routing_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t known_prefixes_ ABSL_GUARDED_BY(mutex_) = 0;
  int others_ ABSL_GUARDED_BY(mutex_) = -1;
  bool hangs_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Server> server_;
};

// Records the worker that answered, or the error.
class Sink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted& started) override {
    MutexLock lock(mutex_);
    worker_ = started.dense_worker;
    changed_.notify_all();
  }
  void OnToken(const GeneratedToken&) override {}
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    MutexLock lock(mutex_);
    if (!finished.ok())
      worker_ = absl::StatusCodeToString(finished.status().code());
    done_ = true;
    changed_.notify_all();
  }
  void AwaitStarted() {
    MutexLock lock(mutex_);
    while (worker_.empty()) changed_.wait(mutex_);
  }
  std::string Await() {
    MutexLock lock(mutex_);
    while (!done_) changed_.wait(mutex_);
    return worker_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::string worker_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

class DensePoolTest : public testing::Test {
 protected:
  FakeWorker& Add(const std::string& name, const std::string& hash) {
    return *workers_.emplace_back(std::make_unique<FakeWorker>(name, hash));
  }
  void MakePool() {
    std::vector<std::string> members;
    for (const auto& worker : workers_) members.push_back(worker->address);
    pool_ = std::make_unique<DensePool>(ModelFingerprint{"config", "tokenizer"},
                                        DensePool::Options{}, clock_);
    pool_->SetMembers(members);
  }
  // Polls and returns what was logged meanwhile.
  std::string Poll() {
    testing::internal::CaptureStderr();
    pool_->Poll();
    return testing::internal::GetCapturedStderr();
  }
  // Returns the names of the workers that answer. Sequences started since the
  // last poll count as running, so every usable worker answers.
  std::set<std::string> Answers(const GenerationRequest& request = {}) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < 2 * workers_.size(); ++i) {
      auto sink = std::make_shared<Sink>();
      const auto call = pool_->Start(request, sink);
      names.insert(sink->Await());
    }
    return names;
  }

  // Returns the status of each worker's routing counts, by name.
  std::map<std::string, absl::Status> Routing() {
    std::promise<std::vector<WorkerRouting>> all;
    pool_->CollectRouting(absl::ZeroDuration(),
                          [&all](std::vector<WorkerRouting> answers) {
                            all.set_value(std::move(answers));
                          });
    std::map<std::string, absl::Status> statuses;
    for (const WorkerRouting& worker : all.get_future().get()) {
      statuses[worker.worker] = worker.counts.status();
    }
    return statuses;
  }

  // Sets the progress that the worker reports at the next poll.
  static void Progress(FakeWorker& worker, std::uint64_t progress) {
    pb::DescribeResponse now;
    now.set_progress(progress);
    worker.Change(now);
  }

  FakeClock clock_;
  std::vector<std::unique_ptr<FakeWorker>> workers_;
  std::unique_ptr<DensePool> pool_;
};

using Names = std::set<std::string>;

std::vector<ProcessStatus> StatusOf(DensePool& pool) {
  std::promise<std::vector<ProcessStatus>> all;
  pool.CollectStatus([&all](std::vector<ProcessStatus> answers) {
    all.set_value(std::move(answers));
  });
  return all.get_future().get();
}

bool Says(const std::string& log, const std::string& part) {
  return log.find(part) != std::string::npos;
}

TEST_F(DensePoolTest, WorkersOfOneModelShareTheRequests) {
  Add("a", "m1");
  Add("b", "m1");
  MakePool();
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  const std::string log = Poll();
  EXPECT_FALSE(Says(log, "another_model")) << log;
  EXPECT_TRUE(pool_->Ready());
  EXPECT_EQ(pool_->ModelHash(), "m1");
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
}

// Each expert worker may report thousands of experts.
TEST_F(DensePoolTest, TheStatusHasTheReportsOfManyExpertWorkers) {
  constexpr int kWorkers = 100;
  const std::string report(400'000, 'x');  // As large as the entries may be.
  FakeWorker& a = Add("a", "m");
  MakePool();
  Poll();
  pb::DescribeResponse description;
  for (int w = 0; w < kWorkers; ++w) {
    pb::ListedExpertWorker& listed =
        *description.mutable_details()->add_expert_workers();
    listed.set_address("e:" + std::to_string(w));
    listed.mutable_info()->mutable_placement()->set_last_move(report);
  }
  a.Change(description);
  int reports = 0;
  for (const ProcessStatus& process : StatusOf(*pool_)) {
    if (process.placement.last_move == report) ++reports;
    EXPECT_EQ(process.reason.find("larger than max"), std::string::npos)
        << process.reason;
  }
  EXPECT_EQ(reports, kWorkers);
}

// A worker that is about to stop then knows whether its sequences can move.
TEST_F(DensePoolTest, EachWorkerIsToldHowManyOthersThereAre) {
  FakeWorker& a = Add("a", "m");
  FakeWorker& b = Add("b", "m");
  FakeWorker& c = Add("c", "other");
  pb::DescribeResponse wire;
  wire.set_wire_version(2);
  for (FakeWorker* worker : {&a, &b, &c}) worker->Change(wire);
  MakePool();
  Poll();
  EXPECT_EQ(a.others(), 0);  // Nothing is known yet.
  Poll();
  EXPECT_EQ(a.others(), 1);
  EXPECT_EQ(b.others(), 1);
  EXPECT_EQ(c.others(), 2);
  a.SetReady(false);
  Poll();
  Poll();
  EXPECT_EQ(a.others(), 1);
  EXPECT_EQ(b.others(), 0);
}

TEST_F(DensePoolTest, ContinuationsNeedAWorkerThatKnowsThem) {
  FakeWorker& a = Add("a", "m");
  FakeWorker& b = Add("b", "m");
  pb::DescribeResponse newer, older;
  newer.set_wire_version(2);
  older.set_wire_version(1);
  a.Change(newer);
  b.Change(older);
  MakePool();
  Poll();
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
  GenerationRequest request;
  request.prompt = {1, 2};
  request.answer_tokens = 1;
  EXPECT_EQ(Answers(request), Names{"a"});
}

// It would give up answers that no other worker can continue.
TEST_F(DensePoolTest, WorkersWithOtherNumericsAreNoOthers) {
  FakeWorker& a = Add("a", "m");
  FakeWorker& b = Add("b", "m");
  pb::DescribeResponse said;
  said.set_wire_version(2);
  said.set_numerics("cpu");
  a.Change(said);
  said.set_numerics("cuda");
  b.Change(said);
  MakePool();
  Poll();
  Poll();
  EXPECT_EQ(a.others(), 0);
  EXPECT_EQ(b.others(), 0);
}

TEST_F(DensePoolTest, AWorkerOfAnotherModelGetsNothingAndIsLoggedOnce) {
  Add("a", "m2");
  Add("b", "m1");
  Add("c", "m1");
  MakePool();
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "\"level\":\"error\"")) << log;
  EXPECT_TRUE(Says(log, "dense_worker_model_rejected")) << log;
  EXPECT_TRUE(Says(log, "\"address\":\"" + workers_[0]->address)) << log;
  EXPECT_TRUE(Says(log, "\"model_hash\":\"m2\"")) << log;
  EXPECT_TRUE(Says(log, "\"served_model_hash\":\"m1\"")) << log;
  EXPECT_EQ(pool_->ModelHash(), "m1");
  EXPECT_EQ(Answers(), (Names{"b", "c"}));
  EXPECT_EQ(Poll(), "");
}

TEST_F(DensePoolTest, CountsOfAnotherModelAreNotAdded) {
  FakeWorker& other = Add("a", "m2");
  FakeWorker& served = Add("b", "m1");
  Add("c", "m1");
  MakePool();
  Poll();
  const std::map<std::string, absl::Status> routing = Routing();
  ASSERT_EQ(routing.size(), 3u);
  EXPECT_TRUE(routing.at("b").ok()) << routing.at("b");
  EXPECT_EQ(served.routing_calls(), 1);
  EXPECT_EQ(other.routing_calls(), 0);
  EXPECT_EQ(routing.at("a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Says(std::string(routing.at("a").message()),
                   "its model hash differs from that of most workers: "
                   "m2, not m1"))
      << routing.at("a");
}

TEST_F(DensePoolTest, AWorkerThatSaysNoHashIsNotJoinedInSilence) {
  Add("a", "m1");  // It says no hash of a tokenizer.
  pb::DescribeResponse all;
  all.set_tokenizer_hash("tokenizer");
  Add("b", "m1").Change(all);
  MakePool();
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "dense_worker_not_compared")) << log;
  EXPECT_TRUE(Says(log, "\"name\":\"a\",\"reason\":\"it or")) << log;
  EXPECT_FALSE(Says(log, "\"name\":\"b\",\"reason\":\"it or")) << log;
  EXPECT_EQ(Poll(), "");
}

TEST_F(DensePoolTest, NobodyIsAskedIfAllServeAnotherModel) {
  pb::DescribeResponse another;
  another.set_config_hash("another");
  FakeWorker& worker = Add("a", "m1");
  worker.Change(another);
  MakePool();
  Poll();
  const std::map<std::string, absl::Status> routing = Routing();
  ASSERT_EQ(routing.size(), 1u);
  EXPECT_TRUE(Says(std::string(routing.at("a").message()), "config.json"));
  EXPECT_EQ(worker.routing_calls(), 0);
}

TEST_F(DensePoolTest, TheServedModelStaysWithoutANewMajority) {
  FakeWorker& other = Add("a", "m1");
  FakeWorker& served = Add("b", "m1");
  MakePool();
  Poll();
  pb::DescribeResponse changed;
  changed.set_model_hash("m2");
  other.Change(changed);
  EXPECT_TRUE(Says(Poll(), workers_[0]->address));
  EXPECT_EQ(Answers(), Names{"b"});
  // A short absence of the right worker does not bring it into use either.
  served.SetReady(false);
  Poll();
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  // The whole cluster has switched to the other model.
  served.SetReady(true);
  served.Change(changed);
  EXPECT_TRUE(Says(Poll(), "dense_worker_model_accepted"));
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
  EXPECT_EQ(pool_->ModelHash(), "m2");
}

TEST_F(DensePoolTest, AnAbsentWorkerLosesItsVote) {
  FakeWorker& other = Add("a", "m1");
  FakeWorker& served = Add("b", "m1");
  MakePool();
  Poll();
  pb::DescribeResponse changed;
  changed.set_model_hash("m2");
  other.Change(changed);
  served.SetReady(false);
  for (int i = 1; i < DensePool::kForgetPolls; ++i) Poll();
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  EXPECT_TRUE(Says(Poll(), "dense_worker_model_accepted"));
  EXPECT_EQ(Answers(), Names{"a"});
  EXPECT_EQ(pool_->ModelHash(), "m2");
}

TEST_F(DensePoolTest, TheRoutersOwnDirectoryDecidesFirst) {
  pb::DescribeResponse other_tokenizer, other_config;
  other_tokenizer.set_tokenizer_hash("another");
  other_config.set_config_hash("another");
  Add("a", "m1").Change(other_tokenizer);
  Add("b", "m1").Change(other_config);
  MakePool();
  const std::string log = Poll();
  EXPECT_TRUE(Says(log,
                   "its tokenizer.json differs: its hash is another, "
                   "not tokenizer"))
      << log;
  EXPECT_TRUE(
      Says(log, "its config.json differs: its hash is another, not config"))
      << log;
  EXPECT_TRUE(Says(log, "copies of one model directory")) << log;
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  EXPECT_EQ(pool_->ModelHash(), "");
}

TEST_F(DensePoolTest, AWorkerThatHangsLosesItsSequencesAndGetsNoOthers) {
  FakeWorker& worker = Add("a", "m1");
  Progress(worker, 1);
  worker.Hang();
  MakePool();
  Poll();
  auto sink = std::make_shared<Sink>();
  const auto call = pool_->Start({}, sink);
  sink->AwaitStarted();
  // Only progress counts, however long a step takes.
  for (const int progress : {1, 2, 2}) {
    Progress(worker, progress);
    clock_.now += absl::Seconds(5);
    EXPECT_EQ(Poll(), "");
  }
  clock_.now += absl::Seconds(5);
  EXPECT_EQ(Poll(), "");
  EXPECT_TRUE(pool_->Ready());
  clock_.now += absl::Milliseconds(1);
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "dense_worker_hung")) << log;
  EXPECT_EQ(sink->Await(), "UNAVAILABLE");
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  Progress(worker, 3);
  EXPECT_TRUE(Says(Poll(), "dense_worker_recovered"));
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolTest, AWorkerThatDoesNotSayItsProgressHangsOnlyIfSilent) {
  FakeWorker& worker = Add("a", "m1");
  MakePool();
  Poll();
  clock_.now += absl::Seconds(60);
  EXPECT_EQ(Poll(), "");
  EXPECT_EQ(Answers(), Names{"a"});
  // A worker that was down for long is used from its first answer on.
  worker.SetReady(false);
  Poll();
  clock_.now += absl::Seconds(60);
  worker.SetReady(true);
  Poll();
  EXPECT_EQ(Answers(), Names{"a"});
}

TEST_F(DensePoolTest, ThisWireVersionAndThePreviousAreAccepted) {
  FakeWorker& worker = Add("a", "m1");  // Reports no version: version 1.
  MakePool();
  Poll();
  EXPECT_EQ(Answers(), Names{"a"});
  pb::DescribeResponse version;
  version.set_wire_version(kGenerationWireVersion);
  worker.Change(version);
  EXPECT_EQ(Poll(), "");
  EXPECT_EQ(Answers(), Names{"a"});
  version.set_wire_version(kGenerationWireVersion + 1);
  worker.Change(version);
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "dense_worker_refused")) << log;
  EXPECT_TRUE(Says(log, "\"wire_version\":3")) << log;
  EXPECT_EQ(Poll(), "");
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
}

TEST_F(DensePoolTest, RequestsWithNewOptionsGoToWorkersThatKnowThem) {
  Add("a", "m1");  // Reports no version of the options.
  FakeWorker& other = Add("b", "m1");
  MakePool();
  Poll();
  GenerationRequest request;
  request.sampling.min_p = 0.5f;
  EXPECT_EQ(Answers(request), Names{"UNAVAILABLE"});
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
  pb::DescribeResponse options;
  options.set_sequence_options(kSequenceOptions);
  other.Change(options);
  Poll();
  EXPECT_EQ(Answers(request), Names{"b"});
  Poll();  // Both have started as many requests since.
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
}

TEST_F(DensePoolTest, StatusTellsWhoAnswersAndWhy) {
  FakeWorker& a = Add("a", "m1");
  Add("b", "m1");
  Add("c", "m2");
  MakePool();
  EXPECT_EQ(StatusOf(*pool_).size(), 0u);  // Nothing has been polled.
  pool_->Poll();
  pb::DescribeResponse details;
  details.set_running_sequences(5);
  details.mutable_details()->add_expert_workers()->set_address("e:1");
  a.Change(details);
  std::map<std::string, ProcessStatus> by_name;
  for (const ProcessStatus& status : StatusOf(*pool_)) {
    by_name[status.name] = status;
  }
  ASSERT_EQ(by_name.size(), 4u);
  EXPECT_EQ(by_name["a"].state, ProcessState::kReady);
  EXPECT_EQ(by_name["a"].reason, "");
  EXPECT_EQ(by_name["a"].running_sequences, 5);
  EXPECT_EQ(by_name[""].address, "e:1");  // As "a" says.
  EXPECT_EQ(by_name[""].role, ProcessRole::kExpertWorker);
  EXPECT_EQ(by_name[""].state, ProcessState::kUnreachable);
  EXPECT_EQ(by_name["b"].state, ProcessState::kReady);
  EXPECT_EQ(by_name["c"].state, ProcessState::kNotReady);
  EXPECT_EQ(by_name["c"].model_hash, "m2");
  EXPECT_TRUE(Says(by_name["c"].reason, "model hash differs"));
}

TEST_F(DensePoolTest, ALostWorkerKeepsItsNameInTheStatus) {
  Add("a", "m1");
  MakePool();
  pool_->Poll();
  const std::string address = workers_[0]->address;
  workers_.clear();
  const std::vector<ProcessStatus> status = StatusOf(*pool_);
  ASSERT_EQ(status.size(), 1u);
  EXPECT_EQ(status[0].state, ProcessState::kUnreachable);
  EXPECT_NE(status[0].reason, "");
  EXPECT_EQ(status[0].name, "a");
  EXPECT_EQ(status[0].address, address);
  EXPECT_EQ(status[0].model_hash, "m1");
}

// A request with a prompt of 512 tokens.
GenerationRequest LongPrompt(const std::string& salt = "") {
  GenerationRequest request;
  for (int i = 0; i < 512; ++i) request.prompt.push_back(i);
  request.cache_salt = salt;
  return request;
}

// A description that announces the prompt, for the model "m".
pb::DescribeResponse Announces(const GenerationRequest& request) {
  pb::DescribeResponse response;
  response.mutable_prefixes()->set_version(77);
  for (const std::uint64_t hash :
       PrefixHasher("m", request.cache_salt).Chain(request.prompt)) {
    response.mutable_prefixes()->add_hashes(hash);
  }
  return response;
}

TEST_F(DensePoolTest, APromptGoesWhereItsBeginningIsCached) {
  Add("a", "m");
  Add("b", "m").Change(Announces(LongPrompt("tenant")));
  MakePool();
  Poll();
  const auto start = [this](const GenerationRequest& request) {
    auto sink = std::make_shared<Sink>();
    const auto call = pool_->Start(request, sink);
    return sink->Await();
  };
  // 512 rows are worth four sequences, until the worker has one more.
  std::string order;
  for (int i = 0; i < 6; ++i) order += start(LongPrompt("tenant"));
  EXPECT_EQ(order, "bbbbab");
  EXPECT_EQ(pool_->counters().by_prefix, 5);
  EXPECT_EQ(pool_->counters().prompt_tokens, 6 * 512);
  EXPECT_EQ(pool_->counters().prefix_tokens, 5 * 512);
  // Another tenant finds nothing.
  Poll();
  start(LongPrompt("other"));
  EXPECT_EQ(pool_->counters().by_prefix, 5);
}

TEST_F(DensePoolTest, HashesThatAreKnownAreNotSentAgain) {
  FakeWorker& worker = Add("a", "m");
  worker.Change(Announces(LongPrompt()));
  MakePool();
  Poll();
  EXPECT_EQ(worker.known_prefixes(), 0u);
  Poll();
  EXPECT_EQ(worker.known_prefixes(), 77u);
}

TEST_F(DensePoolTest, QueuedPromptsKeepSequencesAway) {
  pb::DescribeResponse busy;
  busy.set_queued_rows(10000);
  Add("a", "m").Change(busy);
  Add("b", "m");
  MakePool();
  Poll();
  EXPECT_EQ(Answers(), Names{"b"});
}

}  // namespace
}  // namespace apollo
