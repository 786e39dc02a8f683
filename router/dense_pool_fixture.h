#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/fake_clock.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "router/dense_pool.h"
#include "sequence/generation.h"
#include "sequence/prefix_hash.h"

namespace apollo {

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
    // The pool's channels ping more often than gRPC allows by default.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
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
    // However busy the machine is.
    pool_ = std::make_unique<DensePool>(
        ModelFingerprint{"config", "tokenizer"},
        DensePool::Options{.answer_limit = std::chrono::minutes(1)}, clock_);
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

inline std::vector<ProcessStatus> StatusOf(DensePool& pool) {
  std::promise<std::vector<ProcessStatus>> all;
  pool.CollectStatus([&all](std::vector<ProcessStatus> answers) {
    all.set_value(std::move(answers));
  });
  return all.get_future().get();
}

inline bool Says(const std::string& log, const std::string& part) {
  return log.find(part) != std::string::npos;
}

}  // namespace apollo
