#include "router/scripted_cluster.h"

#include <prometheus/text_serializer.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "common/clock.h"

namespace apollo {
class ScriptedBackend::Handle final : public GenerationCall {
 public:
  Handle(ScriptedBackend& backend, std::shared_ptr<ScriptedSequence> sequence)
      : backend_(backend), sequence_(std::move(sequence)) {
    MutexLock lock(backend_.mutex_);
    ++backend_.handles_;
  }
  ~Handle() override {
    MutexLock lock(backend_.mutex_);
    if (--backend_.handles_ == 0) backend_.changed_.notify_all();
  }
  void Cancel() override { sequence_->Cancel(); }
  void SetPaused(bool /*paused*/) override {}

 private:
  ScriptedBackend& backend_;
  const std::shared_ptr<ScriptedSequence> sequence_;
};

void ScriptedSequence::Started(int cached_tokens) {
  sink_->OnStarted({"dense-0", "expert-0", cached_tokens});
}

void ScriptedSequence::Say(const std::string& text) {
  const auto ids = tokenizer_.Encode(text, SpecialText::kPlain);
  ASSERT_TRUE(ids.ok()) << ids.status();
  for (const TokenId id : *ids) Token({0, id, -1, {}, {}});
}

void ScriptedSequence::Token(GeneratedToken token) {
  token.index = next_index_++;
  sink_->OnToken(token);
}

void ScriptedSequence::Finish(absl::StatusOr<GenerationFinished> finished) {
  {
    MutexLock lock(mutex_);
    if (finished_) return;
    finished_ = true;
  }
  sink_->OnFinished(std::move(finished));
}

void ScriptedSequence::AwaitCancel() {
  MutexLock lock(mutex_);
  while (!cancelled_) changed_.wait(mutex_);
}

bool ScriptedSequence::cancelled() {
  MutexLock lock(mutex_);
  return cancelled_;
}

void ScriptedSequence::OnCancel(std::function<void()> action) {
  MutexLock lock(mutex_);
  on_cancel_ = std::move(action);
}

void ScriptedSequence::Cancel() {
  std::function<void()> action;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    action = on_cancel_;
  }
  changed_.notify_all();
  if (action) action();
}

void ScriptedBackend::Play(Script script, Where where) {
  MutexLock lock(mutex_);
  script_ = std::move(script);
  where_ = where;
}

void ScriptedBackend::Join() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

bool ScriptedBackend::AwaitNoHandles() {
  const auto forever =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  MutexLock lock(mutex_);
  while (handles_ > 0) {
    if (changed_.wait_until(mutex_, forever) == std::cv_status::timeout) {
      return handles_ == 0;
    }
  }
  return true;
}

std::vector<std::shared_ptr<ScriptedSequence>> ScriptedBackend::sequences() {
  MutexLock lock(mutex_);
  return sequences_;
}

std::unique_ptr<GenerationCall> ScriptedBackend::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  auto sequence = std::make_shared<ScriptedSequence>(
      tokenizer_, std::move(request), std::move(sink));
  Script here;
  {
    MutexLock lock(mutex_);
    sequences_.push_back(sequence);
    if (where_ == Where::kCaller) {
      here = script_;
    } else {
      threads_.emplace_back(
          [script = script_, sequence] { script(*sequence); });
    }
  }
  if (here) here(*sequence);
  return std::make_unique<Handle>(*this, std::move(sequence));
}

void ScriptedBackend::CollectRouting(
    absl::Duration window,
    std::function<void(std::vector<WorkerRouting>)> done) {
  std::vector<WorkerRouting> routing;
  {
    MutexLock lock(mutex_);
    routing_window_ = window;
    routing = routing_;
  }
  done(std::move(routing));
}

void ScriptedBackend::SetRouting(std::vector<WorkerRouting> routing) {
  MutexLock lock(mutex_);
  routing_ = std::move(routing);
}

absl::Duration ScriptedBackend::routing_window() {
  MutexLock lock(mutex_);
  return routing_window_;
}

ScriptedClusterTest::ScriptedClusterTest()
    : registry_(std::make_shared<prometheus::Registry>()) {
  auto model = RouterModel::Load("tests/golden/published", {});
  if (!model.ok()) throw std::runtime_error(model.status().ToString());
  model_ = *std::move(model);
  backend_ = std::make_unique<ScriptedBackend>(*model_->tokenizer);
  metrics_ = std::make_unique<RequestMetrics>(*registry_);
  service_ = std::make_unique<InferenceService>(RouterContext{
      *model_, *backend_, *metrics_, Clock::Real(),
      [](const grpc::ServerContextBase& context) {
        const auto& metadata = context.client_metadata();
        const auto tenant = metadata.find("test-tenant");
        return tenant == metadata.end()
                   ? std::string()
                   : std::string(tenant->second.data(), tenant->second.size());
      }});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("the server did not start");
  stub_ = v1::InferenceService::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
}

ScriptedClusterTest::~ScriptedClusterTest() {
  backend_->Join();
  stub_.reset();
  server_->Shutdown();
  server_->Wait();
  EXPECT_TRUE(backend_->AwaitNoHandles()) << "a call was leaked";
}

std::string ScriptedClusterTest::Metrics() {
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

ScriptedClusterTest::Answer ScriptedClusterTest::Generate(
    const v1::GenerateRequest& request, const std::string& tenant) {
  Answer answer;
  grpc::ClientContext context;
  if (!tenant.empty()) context.AddMetadata("test-tenant", tenant);
  const auto reader = stub_->Generate(&context, request);
  v1::GenerateResponse response;
  while (reader->Read(&response)) answer.events.push_back(response);
  answer.status = reader->Finish();
  return answer;
}

}  // namespace apollo
