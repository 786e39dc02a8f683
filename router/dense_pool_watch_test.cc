// What a pool does with the signs of life of its workers.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/fake_clock.h"
#include "link/insecure_channel.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "router/dense_pool.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

// Waits until the predicate is true; returns false after half a minute.
bool Await(const std::function<bool()>& done) {
  const auto limit =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

// A dense worker on a port of this process that gives a sign of life when the
// test says so. Its sequences start and then last until they are cancelled.
class WatchedWorker final : public pb::DenseWorkerService::Service {
 public:
  explicit WatchedWorker(const std::string& name,
                         const std::string& numerics = "cpu") {
    description_.set_name(name);
    description_.set_model_hash("m");
    description_.set_config_hash("config");
    description_.set_ready(true);
    description_.set_wire_version(2);
    description_.set_numerics(numerics);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~WatchedWorker() override { Stop(); }
  void Stop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    server_->Shutdown(std::chrono::system_clock::now());
  }

  // Gives a sign to each router that watches, and waits until it is sent.
  void Sign(bool progress) {
    MutexLock lock(mutex_);
    description_.set_progress(description_.progress() + (progress ? 1 : 0));
    ++signs_;
    changed_.notify_all();
    while (sent_ < signs_) changed_.wait(mutex_);
  }
  // Answers no poll, or does again.
  void Hold(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  // Answers polls with an error, or does not any more.
  void Refuse(bool refuses) {
    MutexLock lock(mutex_);
    refuses_ = refuses;
  }
  int polls() {
    MutexLock lock(mutex_);
    return polls_;
  }
  // Returns the time that the last poll gave it to answer; 0 after ForgetLimit,
  // until a poll has come.
  std::chrono::milliseconds limit() {
    MutexLock lock(mutex_);
    return limit_;
  }
  void ForgetLimit() {
    MutexLock lock(mutex_);
    limit_ = {};
  }
  // Ends the watches of all routers; they may watch again.
  void EndWatches() {
    MutexLock lock(mutex_);
    ++endings_;
    changed_.notify_all();
    while (watches_ > 0) changed_.wait(mutex_);
  }
  // Is replaced by a process that knows Watch, or that does not.
  void SetKnowsWatch(bool knows) {
    MutexLock lock(mutex_);
    knows_watch_ = knows;
  }
  int watch_calls() {
    MutexLock lock(mutex_);
    return watch_calls_;
  }
  void SetReady(bool ready) {
    MutexLock lock(mutex_);
    description_.set_ready(ready);
  }
  bool Watched() {
    MutexLock lock(mutex_);
    return watches_ > 0;
  }

  grpc::Status Describe(grpc::ServerContext* context,
                        const pb::DescribeRequest*,
                        pb::DescribeResponse* response) override {
    MutexLock lock(mutex_);
    ++polls_;
    limit_ = std::chrono::duration_cast<std::chrono::milliseconds>(
        context->deadline() - std::chrono::system_clock::now());
    changed_.notify_all();
    while (held_ && !stopping_) changed_.wait(mutex_);
    if (refuses_) return {grpc::StatusCode::UNAVAILABLE, "not now"};
    *response = description_;
    return grpc::Status::OK;
  }
  grpc::Status Watch(grpc::ServerContext*, const pb::WatchRequest*,
                     grpc::ServerWriter<pb::SignOfLife>* out) override {
    MutexLock lock(mutex_);
    ++watch_calls_;
    if (!knows_watch_) return {grpc::StatusCode::UNIMPLEMENTED, "what?"};
    ++watches_;
    const int endings = endings_;
    int seen = signs_ = sent_ = 0;
    while (!stopping_ && endings == endings_) {
      if (seen == signs_) {
        changed_.wait(mutex_);
        continue;
      }
      seen = signs_;
      pb::SignOfLife sign;
      sign.set_ready(description_.ready());
      sign.set_progress(description_.progress());
      out->Write(sign);
      sent_ = seen;
      changed_.notify_all();
    }
    --watches_;
    changed_.notify_all();
    return grpc::Status::OK;
  }
  grpc::Status Run(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<pb::RunEvent, pb::RunRequest>* stream) override {
    pb::RunRequest request;
    stream->Read(&request);
    pb::RunEvent started;
    {
      MutexLock lock(mutex_);
      started.mutable_started()->set_dense_worker(description_.name());
    }
    stream->Write(started);
    while (stream->Read(&request)) {
    }
    return grpc::Status::OK;
  }

  std::string address;

 private:
  Mutex mutex_;
  CondVar changed_;
  pb::DescribeResponse description_ ABSL_GUARDED_BY(mutex_);
  int signs_ ABSL_GUARDED_BY(mutex_) = 0;
  int sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int watches_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool refuses_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  int polls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::chrono::milliseconds limit_ ABSL_GUARDED_BY(mutex_){};
  int endings_ ABSL_GUARDED_BY(mutex_) = 0;
  bool knows_watch_ ABSL_GUARDED_BY(mutex_) = true;
  int watch_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

class DensePoolWatchTest : public testing::Test {
 protected:
  WatchedWorker& Add(const std::string& name,
                     const std::string& numerics = "cpu") {
    return *workers_.emplace_back(
        std::make_unique<WatchedWorker>(name, numerics));
  }
  // A worker that the test does not hold answers, and keeps its connection,
  // however busy the machine is.
  static DensePool::Options Options() {
    return {.answer_limit = std::chrono::minutes(1), .channels = Insecure};
  }
  // Makes a pool that watches all workers and has heard of each.
  void Watch() {
    std::vector<std::string> members;
    for (const auto& worker : workers_) members.push_back(worker->address);
    pool_ = std::make_unique<DensePool>(ModelFingerprint{"config", "tokenizer"},
                                        Options(), clock_);
    pool_->SetMembers(members);
    pool_->Poll();
    pool_->Tick();
    for (const auto& worker : workers_) {
      ASSERT_TRUE(Await([&worker] { return worker->Watched(); }));
      Sign(*worker);
    }
    pool_->Poll();  // What it serves, since it is watched.
  }
  // Gives a sign, and waits until the pool has taken it.
  void Sign(WatchedWorker& worker, bool progress = true) {
    const std::uint64_t before = pool_->signs();
    worker.Sign(progress);
    ASSERT_TRUE(Await([this, before] { return pool_->signs() > before; }));
  }
  // Lets time pass, in which only these workers give signs.
  void Pass(absl::Duration time, const std::vector<WatchedWorker*>& alive) {
    for (; time > absl::ZeroDuration(); time -= DensePool::kTick) {
      clock_.Pass(DensePool::kTick);
      for (WatchedWorker* worker : alive) Sign(*worker);
      pool_->Tick();
    }
  }
  // Begins a round of polls and waits until one worker has answered.
  std::thread PollUntilOneAnswers() {
    const std::uint64_t before = pool_->replies();
    std::thread round([this] { pool_->Poll(); });
    EXPECT_TRUE(Await([&] { return pool_->replies() > before; }));
    return round;
  }
  // Starts a sequence and returns its sink, once a worker has started it.
  std::shared_ptr<RecordingSink> Start() {
    GenerationRequest request;
    request.prompt = {1};
    auto sink = std::make_shared<RecordingSink>();
    calls_.push_back(pool_->Start(request, sink));
    EXPECT_TRUE(sink->AwaitPart("started by"));
    return sink;
  }
  void TearDown() override {
    for (const auto& call : calls_) {
      if (call != nullptr) call->Cancel();
    }
    calls_.clear();
    for (const auto& worker : workers_) worker->Stop();
    pool_.reset();
  }

  SharedClock clock_;
  std::vector<std::unique_ptr<WatchedWorker>> workers_;
  std::unique_ptr<DensePool> pool_;
  std::vector<std::unique_ptr<GenerationCall>> calls_;
};

TEST_F(DensePoolWatchTest, ASilentWorkerLosesItsSequencesToAnother) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  const bool a_first = sinks[0]->text() == "started by a";
  ASSERT_NE(sinks[0]->text(), sinks[1]->text());
  Pass(absl::Milliseconds(250), {&second});
  EXPECT_EQ(sinks[0]->finishes() + sinks[1]->finishes(), 0);
  Pass(absl::Milliseconds(150), {&second});
  const auto lost = sinks[a_first ? 0 : 1];
  EXPECT_EQ(lost->Await(), "started by a UNAVAILABLE");
  EXPECT_EQ(EndOf(lost->status()), SequenceEnd::kSilent);
  EXPECT_EQ(sinks[a_first ? 1 : 0]->text(), "started by b");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Start()->text(), "started by b");
  // It comes back with its next sign.
  Pass(absl::Milliseconds(100), {&first, &second});
  EXPECT_TRUE(Await([this] { return Start()->text() == "started by a"; }));
}

TEST_F(DensePoolWatchTest, WithoutAnotherItsSequencesWait) {
  Add("a");
  WatchedWorker& gpu = Add("gpu", "cuda");
  Watch();
  // The other one has other numerics.
  std::shared_ptr<RecordingSink> sink = Start();
  if (sink->text() != "started by a") sink = Start();
  ASSERT_EQ(sink->text(), "started by a");
  Pass(absl::Seconds(2), {&gpu});
  EXPECT_EQ(sink->finishes(), 0);
  Pass(absl::Seconds(9), {&gpu});
  pool_->Poll();
  EXPECT_EQ(sink->Await(), "started by a UNAVAILABLE");
}

TEST_F(DensePoolWatchTest, ASilentWorkerIsTheLastChoice) {
  Add("a");
  Watch();
  Pass(absl::Milliseconds(400), {});
  EXPECT_EQ(Start()->text(), "started by a");
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolWatchTest, WorkersAreCountedByTheirState) {
  WatchedWorker& first = Add("a");
  Add("b");
  Watch();
  pool_->Tick();
  EXPECT_EQ(pool_->counters().listed_workers, 2);
  EXPECT_EQ(pool_->counters().live_workers, 2);
  EXPECT_EQ(pool_->counters().silent_workers, 0);
  Pass(absl::Seconds(1), {&first});
  EXPECT_EQ(pool_->counters().live_workers, 2);
  EXPECT_EQ(pool_->counters().silent_workers, 1);
}

TEST_F(DensePoolWatchTest, ARouterThatDidNotRunBlamesNobody) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  const std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  // Whichever of its threads runs first.
  clock_.Pass(absl::Seconds(30));
  pool_->Tick();
  pool_->Poll();
  clock_.Pass(absl::Seconds(30));
  pool_->Poll();
  pool_->Tick();
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes(), 0);
  Pass(absl::Milliseconds(400), {&first, &second});
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes(), 0);
}

TEST_F(DensePoolWatchTest, AfterARouterDidNotRunTheFirstSignBlamesNobody) {
  WatchedWorker& worker = Add("a");
  Watch();
  clock_.Pass(absl::Seconds(30));
  Sign(worker, /*progress=*/false);  // From before that time.
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolWatchTest, AClosedConnectionCountsAtOnce) {
  WatchedWorker& first = Add("a");
  Watch();
  const auto sink = Start();
  first.Stop();
  EXPECT_EQ(sink->Await(), "started by a UNAVAILABLE");
  EXPECT_EQ(EndOf(sink->status()), SequenceEnd::kLost);
  EXPECT_TRUE(Await([this] { return !pool_->Ready(); }));
}

// The round of polls waits for the slowest worker. What another one has
// answered before it was lost says nothing any more.
TEST_F(DensePoolWatchTest, AnAnswerFromBeforeALossIsOld) {
  WatchedWorker& lost = Add("a");
  WatchedWorker& slow = Add("b");
  Watch();
  const int before = lost.polls();
  slow.Hold(true);
  std::thread poll([this] { pool_->Poll(); });
  EXPECT_TRUE(Await([&lost, before] { return lost.polls() > before; }));
  for (int i = 0; i < 5; ++i) Sign(lost);  // They follow its answer.
  pool_->Suspect(slow.address);
  lost.Stop();
  EXPECT_TRUE(Await([this] { return !pool_->Ready(); }));
  // The poll of the slow one fails, so that it stays suspect.
  slow.Refuse(true);
  slow.Hold(false);
  poll.join();
  EXPECT_FALSE(pool_->Ready());
}

// Its signs say whether a worker lives.
TEST_F(DensePoolWatchTest, AWorkerThatGivesSignsMayMissAPoll) {
  WatchedWorker& worker = Add("a");
  Watch();
  worker.Refuse(true);
  pool_->Poll();
  EXPECT_TRUE(pool_->Ready());
  EXPECT_EQ(Start()->text(), "started by a");
}

// The round waits for the slowest worker.
TEST_F(DensePoolWatchTest, AWorkerThatMissedAPollGetsLessTimeForTheNext) {
  constexpr auto kBetween = std::chrono::seconds(1);
  WatchedWorker& worker = Add("a");
  Watch();
  EXPECT_GT(worker.limit(), kBetween);
  worker.Refuse(true);
  pool_->Poll();
  EXPECT_GT(worker.limit(), kBetween);
  // A poll with little time may not reach a worker on a busy machine; it is
  // missed then, too.
  for (int i = 1; i < 9; ++i) {
    worker.ForgetLimit();
    pool_->Poll();
    EXPECT_LT(worker.limit(), kBetween) << i;
  }
  pool_->Poll();
  EXPECT_GT(worker.limit(), kBetween);  // It may only be slow.
  worker.Refuse(false);
  worker.ForgetLimit();
  pool_->Poll();
  EXPECT_LT(worker.limit(), kBetween);
  // Once it has answered one. Five are too few to get more time otherwise.
  for (int i = 0; i < 5 && worker.limit() < kBetween; ++i) pool_->Poll();
  EXPECT_GT(worker.limit(), kBetween);
}

TEST_F(DensePoolWatchTest, ASilentWorkerGetsLessTimeForAPoll) {
  WatchedWorker& worker = Add("a");
  Watch();
  Pass(absl::Milliseconds(400), {});
  worker.ForgetLimit();
  // The poll may have too little time to reach it on a busy machine.
  for (int i = 0; i < 5 && worker.limit().count() == 0; ++i) pool_->Poll();
  EXPECT_GT(worker.limit().count(), 0);
  EXPECT_LT(worker.limit(), std::chrono::seconds(1));
}

// Data may be lost only on the way to it. The round of polls is not over, but
// the other worker has answered.
TEST_F(DensePoolWatchTest, AWorkerThatGivesSignsButAnswersNoPollIsSilent) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  const std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  const bool a_first = sinks[0]->text() == "started by a";
  ASSERT_NE(sinks[0]->text(), sinks[1]->text());
  first.Hold(true);
  std::thread round = PollUntilOneAnswers();
  Pass(absl::Milliseconds(250), {&first, &second});
  EXPECT_EQ(sinks[0]->finishes() + sinks[1]->finishes(), 0);
  const auto lost = sinks[a_first ? 0 : 1];
  Pass(absl::Milliseconds(400), {&first, &second});
  EXPECT_TRUE(Await([&lost] { return lost->finishes() > 0; }));
  EXPECT_EQ(lost->text(), "started by a UNAVAILABLE");
  EXPECT_EQ(EndOf(lost->status()), SequenceEnd::kSilent);
  EXPECT_EQ(sinks[a_first ? 1 : 0]->text(), "started by b");
  // Its signs alone do not bring it back.
  Pass(absl::Milliseconds(100), {&first, &second});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Start()->text(), "started by b");
  first.Hold(false);
  round.join();
  EXPECT_TRUE(Await([this] {
    pool_->Poll();
    // One sequence each.
    return Start()->text() != Start()->text();
  }));
}

TEST_F(DensePoolWatchTest, ARouterThatDidNotRunTakesNoPollAsUnanswered) {
  WatchedWorker& first = Add("a");
  Add("b");
  Watch();
  const std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  first.Hold(true);
  std::thread round = PollUntilOneAnswers();
  clock_.Pass(absl::Seconds(30));
  pool_->Tick();
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes(), 0);
  first.Hold(false);
  round.join();
}

// It may be the sign of another process, which serves another model.
TEST_F(DensePoolWatchTest, ASignAfterANewWatchWaitsForAPoll) {
  WatchedWorker& worker = Add("a");
  Watch();
  worker.EndWatches();
  EXPECT_TRUE(Await([this] { return !pool_->Ready(); }));
  clock_.Pass(absl::Seconds(1));
  pool_->Tick();
  ASSERT_TRUE(Await([&worker] { return worker.Watched(); }));
  Sign(worker);
  EXPECT_FALSE(pool_->Ready());
  pool_->Poll();
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolWatchTest, ANewerReleaseInTheSamePlaceIsWatched) {
  WatchedWorker& worker = Add("a");
  worker.SetKnowsWatch(false);
  pool_ = std::make_unique<DensePool>(ModelFingerprint{"config", "tokenizer"},
                                      Options(), clock_);
  pool_->SetMembers({worker.address});
  pool_->Poll();
  pool_->Tick();
  EXPECT_TRUE(Await([&worker] { return worker.watch_calls() == 1; }));
  worker.SetKnowsWatch(true);
  // Again and again, because the first watch may end only now.
  EXPECT_TRUE(Await([this, &worker] {
    for (const bool ready : {false, true}) {
      worker.SetReady(ready);
      pool_->Poll();
    }
    clock_.Pass(absl::Seconds(1));
    pool_->Tick();
    return worker.Watched();
  }));
}

TEST_F(DensePoolWatchTest, ASuspectGetsNothingUntilItsNextSign) {
  WatchedWorker& first = Add("a");
  Watch();
  pool_->Suspect(first.address);
  EXPECT_FALSE(pool_->Ready());
  pool_->Suspect("nobody");
  Sign(first);
  EXPECT_TRUE(Await([this] { return pool_->Ready(); }));
}

TEST_F(DensePoolWatchTest, AvoidedWorkersAreNotChosen) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  std::string chosen;
  const auto choose = [&chosen](const std::string& name) { chosen = name; };
  GenerationRequest request;
  request.prompt = {1};
  auto sink = std::make_shared<RecordingSink>();
  for (int i = 0; i < 3; ++i) {
    sink = std::make_shared<RecordingSink>();
    calls_.push_back(
        pool_->StartElsewhere(request, sink, {first.address}, choose));
    EXPECT_EQ(chosen, second.address);
    EXPECT_TRUE(sink->AwaitPart("started by b"));
  }
  chosen.clear();
  sink = std::make_shared<RecordingSink>();
  EXPECT_EQ(pool_->StartElsewhere(request, sink,
                                  {first.address, second.address}, choose),
            nullptr);
  EXPECT_EQ(chosen, "");
  EXPECT_EQ(sink->Await(), " UNAVAILABLE");
}

}  // namespace
}  // namespace apollo
