#pragma once

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

namespace pb = internal::v1;

// Waits until the predicate is true; returns false after half a minute.
inline bool Await(const std::function<bool()>& done) {
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
  // Makes a pool that watches all workers and has heard of each.
  void Watch() {
    std::vector<std::string> members;
    for (const auto& worker : workers_) members.push_back(worker->address);
    pool_ = std::make_unique<DensePool>(ModelFingerprint{"config", "tokenizer"},
                                        options_, clock_);
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
  // Returns the end of a sequence that finds no worker.
  SequenceEnd EndWithoutWorker() {
    auto sink = std::make_shared<RecordingSink>();
    EXPECT_EQ(pool_->Start({}, sink), nullptr);
    EXPECT_EQ(sink->Await(), " UNAVAILABLE");
    return EndOf(sink->status());
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
  // A worker that the test does not hold answers, and keeps its connection,
  // however busy the machine is.
  DensePool::Options options_ = {.answer_limit = std::chrono::minutes(1),
                                 .channels = Insecure};
  std::vector<std::unique_ptr<WatchedWorker>> workers_;
  std::unique_ptr<DensePool> pool_;
  std::vector<std::unique_ptr<GenerationCall>> calls_;
};

}  // namespace apollo
