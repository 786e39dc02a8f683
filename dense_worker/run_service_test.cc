#include "dense_worker/run_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "common/fake_clock.h"
#include "common/retry_hint.h"
#include "link/generation_codec.h"
#include "link/status_codec.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "tracing/recording_tracer.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

// A backend whose sequences are driven by the test.
class FakeBackend final : public GenerationBackend {
 public:
  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request,
      std::shared_ptr<GenerationSink> sink) override {
    MutexLock lock(mutex_);
    request_ = std::move(request);
    sink_ = std::move(sink);
    changed_.notify_all();
    return std::make_unique<Call>(*this);
  }

  GenerationRequest AwaitRequest() {
    MutexLock lock(mutex_);
    while (sink_ == nullptr) changed_.wait(mutex_);
    return request_;
  }
  GenerationSink& sink() {
    MutexLock lock(mutex_);
    return *sink_;
  }
  bool paused() {
    MutexLock lock(mutex_);
    return paused_;
  }
  void AwaitPaused(bool paused) {
    MutexLock lock(mutex_);
    while (paused_ != paused) changed_.wait(mutex_);
  }
  // The calls of SetPaused.
  std::string told() {
    MutexLock lock(mutex_);
    return told_;
  }
  void AwaitCancel() {
    MutexLock lock(mutex_);
    while (!cancelled_) changed_.wait(mutex_);
  }
  // Like every backend once the sequence has ended.
  void Finish(absl::StatusOr<GenerationFinished> finished) {
    std::shared_ptr<GenerationSink> sink;
    {
      MutexLock lock(mutex_);
      sink = std::move(sink_);
    }
    sink->OnFinished(std::move(finished));
  }

 private:
  class Call final : public GenerationCall {
   public:
    explicit Call(FakeBackend& backend) : backend_(backend) {}
    void Cancel() override {
      MutexLock lock(backend_.mutex_);
      backend_.cancelled_ = true;
      backend_.changed_.notify_all();
    }
    void SetPaused(bool paused) override {
      MutexLock lock(backend_.mutex_);
      backend_.paused_ = paused;
      backend_.told_ += paused ? "pause " : "resume ";
      backend_.changed_.notify_all();
    }

   private:
    FakeBackend& backend_;
  };

  Mutex mutex_;
  CondVar changed_;
  GenerationRequest request_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<GenerationSink> sink_ ABSL_GUARDED_BY(mutex_);
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::string told_ ABSL_GUARDED_BY(mutex_);
};

// About 40 kB on the wire.
GeneratedToken BigToken(int index) {
  GeneratedToken token;
  token.index = index;
  token.alternatives.resize(4000, {1000, -1.0f});
  return token;
}

class RunServiceTest : public testing::Test {
 protected:
  RunServiceTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    // The client reads at most 64 KB ahead.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    channel_ = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                         grpc::InsecureChannelCredentials(),
                                         arguments);
    stub_ = pb::DenseWorkerService::NewStub(channel_);
  }
  ~RunServiceTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
  }

  static GenerationRequest Request() {
    GenerationRequest request;
    request.prompt = {1, 2, 3};
    request.max_new_tokens = 5;
    return request;
  }
  static pb::RunRequest Pause(bool paused) {
    pb::RunRequest message;
    message.mutable_control()->set_paused(paused);
    return message;
  }
  // Sends tokens that are not read, and waits until the sequence is paused.
  // Returns their number: far more than gRPC holds of a call, 64 KB at each
  // end, so that the queue stays full, however late gRPC takes its share.
  int FillUp() {
    constexpr int kTokens = 20;
    for (int i = 0; i < kTokens; ++i) backend_.sink().OnToken(BigToken(i));
    backend_.AwaitPaused(true);
    return kTokens;
  }
  std::string Metrics() {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

  FakeClock clock_;
  FakeBackend backend_;
  prometheus::Registry registry_;
  RequestMetrics metrics_{registry_};
  RoutingLog routing_{ModelConfig(), LanguageLabels(FamilyTable::Paper()),
                      clock_};
  std::uint64_t progress_ = 41;
  std::shared_ptr<const CachedPrefixes> prefixes_;
  RecordingTracer tracer_;
  RunService service_{backend_,
                      {"w",
                       "m",
                       {"c", "t"},
                       [] { return true; },
                       [] { return 3; },
                       [this] { return progress_; },
                       routing_,
                       [] {
                         return WorkerDetails{
                             .expert_workers = {{.address = "e:1"}},
                             .cache_blocks = 9,
                             .cache_blocks_used = 8,
                             .waiting_sequences = 7,
                             .rows_computed = 6,
                             .certificate_expires = 5,
                             .draining = true};
                       },
                       [this] { return prefixes_; },
                       [] { return 1234; },
                       "numerics"},
                      metrics_,
                      clock_,
                      {100 << 10, absl::Seconds(10)},
                      &tracer_};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::DenseWorkerService::Stub> stub_;
  grpc::ClientContext context_;
};

TEST_F(RunServiceTest, DescribesItsWorker) {
  pb::DescribeResponse response;
  ASSERT_TRUE(stub_->Describe(&context_, {}, &response).ok());
  EXPECT_EQ(response.name(), "w");
  EXPECT_EQ(response.model_hash(), "m");
  EXPECT_EQ(response.config_hash(), "c");
  EXPECT_EQ(response.tokenizer_hash(), "t");
  EXPECT_EQ(response.running_sequences(), 3u);
  EXPECT_TRUE(response.ready());
  EXPECT_EQ(response.wire_version(), kGenerationWireVersion);
  EXPECT_EQ(response.sequence_options(),
            static_cast<std::uint32_t>(kSequenceOptions));
  EXPECT_EQ(response.progress(), 41u);
  EXPECT_FALSE(response.has_details());
}

TEST_F(RunServiceTest, AnnouncesPrefixesThatTheRouterDoesNotKnow) {
  const auto describe = [this](std::uint64_t known) {
    grpc::ClientContext context;
    pb::DescribeRequest request;
    request.set_known_prefixes(known);
    pb::DescribeResponse response;
    EXPECT_TRUE(stub_->Describe(&context, request, &response).ok());
    EXPECT_EQ(response.queued_rows(), 1234u);
    return response;
  };
  EXPECT_FALSE(describe(0).has_prefixes());
  prefixes_ = std::make_shared<CachedPrefixes>(
      CachedPrefixes{.version = 9, .hashes = {1, 2}});
  EXPECT_EQ(describe(8).prefixes().hashes_size(), 2);
  EXPECT_EQ(describe(9).prefixes().hashes_size(), 0);
  EXPECT_EQ(describe(9).prefixes().version(), 9u);
}

TEST_F(RunServiceTest, TellsDetailsOnlyIfAsked) {
  pb::DescribeRequest request;
  request.set_with_details(true);
  pb::DescribeResponse response;
  ASSERT_TRUE(stub_->Describe(&context_, request, &response).ok());
  ASSERT_EQ(response.details().expert_workers_size(), 1);
  EXPECT_EQ(response.details().expert_workers(0).address(), "e:1");
  EXPECT_EQ(response.details().cache_blocks(), 9u);
  EXPECT_EQ(response.details().cache_blocks_used(), 8u);
  EXPECT_EQ(response.details().waiting_sequences(), 7u);
  EXPECT_EQ(response.details().rows_computed(), 6u);
  EXPECT_EQ(response.details().certificate_expires(), 5u);
  EXPECT_TRUE(response.details().draining());
}

TEST_F(RunServiceTest, AnInvalidRequestIsRefusedNamingTheField) {
  const auto stream = stub_->Run(&context_);
  pb::RunRequest request = ToProto(Request());
  request.set_priority(1000);
  stream->Write(request);
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(),
            "priority is 1000; it must be from -100 to 100");
}

TEST_F(RunServiceTest, ACallWithoutARequestIsRefused) {
  const auto stream = stub_->Run(&context_);
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RunServiceTest, AFailureIsLoggedAmongManyAnswers) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < LogBudget::kLines + 5; ++i) {
    grpc::ClientContext context;
    const auto stream = stub_->Run(&context);
    stream->Write(ToProto(Request()));
    backend_.AwaitRequest();
    backend_.Finish(GenerationFinished());
    pb::RunEvent event;
    EXPECT_TRUE(stream->Read(&event));
    EXPECT_TRUE(stream->Finish().ok());
  }
  const auto stream = stub_->Run(&context_);
  pb::RunRequest request = ToProto(Request());
  request.set_request_id("failed-1");
  stream->Write(request);
  backend_.AwaitRequest();
  backend_.Finish(absl::UnavailableError("the expert worker was lost"));
  EXPECT_FALSE(stream->Finish().ok());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("\"request_id\":\"failed-1\",\"code\":\"UNAVAILABLE\","
                     "\"reason\":\"the expert worker was lost\""),
            std::string::npos)
      << log;
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), LogBudget::kLines + 1)
      << log;
}

TEST_F(RunServiceTest, TheRouterPausesTheSequence) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  stream->Write(Pause(true));
  backend_.AwaitPaused(true);
  stream->Write(Pause(true));
  stream->Write(Pause(false));
  backend_.AwaitPaused(false);
  EXPECT_EQ(backend_.told(), "pause resume ");
  backend_.Finish(GenerationFinished());
  pb::RunEvent event;
  EXPECT_TRUE(stream->Read(&event));
  EXPECT_TRUE(event.has_finished());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RunServiceTest, ARouterThatReadsSlowlyPausesTheSequence) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  backend_.AwaitRequest();
  int sent = FillUp();
  // Tokens in flight still arrive.
  backend_.sink().OnToken(BigToken(sent++));
  pb::RunEvent event;
  for (int i = 0; i < sent; ++i) {
    ASSERT_TRUE(stream->Read(&event));
    EXPECT_EQ(event.token().index(), static_cast<std::uint32_t>(i));
  }
  backend_.AwaitPaused(false);
  // More than once if gRPC took its share late.
  EXPECT_THAT(backend_.told(), testing::MatchesRegex("(pause resume )+"));
  backend_.Finish(GenerationFinished());
  EXPECT_TRUE(stream->Read(&event));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RunServiceTest, ItStaysPausedByTheRouterWithAnEmptyQueue) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  stream->Write(Pause(true));
  backend_.AwaitPaused(true);
  constexpr int kTokens = 200;  // Far beyond the bound of the queue.
  for (int i = 0; i < kTokens; ++i) backend_.sink().OnToken(BigToken(i));
  pb::RunEvent event;
  for (int i = 0; i < kTokens; ++i) ASSERT_TRUE(stream->Read(&event));
  EXPECT_TRUE(backend_.paused());
  stream->Write(Pause(false));
  backend_.AwaitPaused(false);
  EXPECT_EQ(backend_.told(), "pause resume ");
  backend_.Finish(GenerationFinished());
}

TEST_F(RunServiceTest, ARouterThatReadsNothingLosesItsSequence) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  backend_.AwaitRequest();
  FillUp();
  clock_.now += absl::Seconds(10);
  service_.EndStalledCalls();
  clock_.now += absl::Milliseconds(1);
  service_.EndStalledCalls();
  backend_.AwaitCancel();
  backend_.Finish(absl::CancelledError("the request was cancelled"));
  EXPECT_NE(Metrics().find("apollo_requests_total{code=\"RESOURCE_EXHAUSTED\","
                           "method=\"Run\"} 1"),
            std::string::npos)
      << Metrics();
  pb::RunEvent event;
  while (stream->Read(&event)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(RunServiceTest, ARouterThatReadsIsNotStalled) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  backend_.AwaitRequest();
  const int sent = FillUp();
  pb::RunEvent event;
  for (int i = 0; i < sent; ++i) ASSERT_TRUE(stream->Read(&event));
  backend_.AwaitPaused(false);
  clock_.now += absl::Hours(1);
  service_.EndStalledCalls();
  backend_.Finish(GenerationFinished());
  EXPECT_TRUE(stream->Read(&event));
  EXPECT_TRUE(stream->Finish().ok());
}

// A router of wire version 1 sends one message and closes its side.
TEST_F(RunServiceTest, ARouterOfThePreviousVersionIsServed) {
  const auto stream = stub_->Run(&context_);
  stream->WriteLast(ToProto(Request()), {});
  EXPECT_TRUE(backend_.AwaitRequest() == Request());
  backend_.sink().OnToken({0, 7, -1, {}, {}});
  pb::RunEvent event;
  EXPECT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.token().token(), 7);
  backend_.Finish(GenerationFinished());
  EXPECT_TRUE(stream->Read(&event));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RunServiceTest, TheDeadlineOfTheCallIsThatOfTheSequence) {
  clock_.now = absl::Hours(5);
  context_.set_deadline(std::chrono::system_clock::now() +
                        std::chrono::hours(1));
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  const absl::Duration deadline = backend_.AwaitRequest().deadline;
  EXPECT_GT(deadline, absl::Hours(5) + absl::Minutes(50));
  EXPECT_LT(deadline, absl::Hours(6) + absl::Minutes(10));
  backend_.Finish(GenerationFinished());
  pb::RunEvent event;
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RunServiceTest, WithoutADeadlineASequenceHasNone) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  EXPECT_EQ(backend_.AwaitRequest().deadline, absl::InfiniteDuration());
  backend_.Finish(GenerationFinished());
  pb::RunEvent event;
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RunServiceTest, ACallIsTracedBelowItsRouter) {
  context_.AddMetadata(
      "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const absl::Duration begun = clock_.now;
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  const GenerationRequest request = backend_.AwaitRequest();
  ASSERT_TRUE(request.trace.has_value());
  clock_.now += absl::Seconds(1);
  backend_.sink().OnStarted({"w", "e", 16});
  clock_.now += absl::Seconds(2);
  backend_.sink().OnToken({0, 7, -1, {}, {}});
  clock_.now += absl::Seconds(3);
  backend_.sink().OnMoved({"lost", "e", "f", 9, clock_.now - absl::Seconds(2),
                           clock_.now - absl::Seconds(1), clock_.now,
                           clock_.now});
  testing::internal::CaptureStderr();
  backend_.Finish(GenerationFinished());
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\""),
            std::string::npos);
  pb::RunEvent event;
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());

  const std::vector<Span> spans = tracer_.spans();
  const Span* run =
      FindSpan(spans, "apollo.internal.v1.DenseWorkerService/Run");
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(run->context, *request.trace);
  EXPECT_EQ(FormatTraceparent(*request.trace).substr(0, 35),
            "00-4bf92f3577b34da6a3ce929d0e0e4736");
  ASSERT_TRUE(run->parent.has_value());
  EXPECT_EQ((*run->parent)[7], 0xb7);
  EXPECT_EQ(run->ended - run->begun, absl::Seconds(6));
  EXPECT_TRUE(*FindAttribute(*run, "gen_ai.usage.output_tokens") ==
              SpanAttribute("gen_ai.usage.output_tokens", 1));
  for (const auto& [name, from, to] :
       {std::tuple("queue", 0, 1), std::tuple("prefill", 1, 3),
        std::tuple("decode", 3, 6), std::tuple("move", 4, 6)}) {
    const Span* stage = FindSpan(spans, name);
    ASSERT_NE(stage, nullptr) << name;
    EXPECT_EQ(stage->parent, run->context.span_id) << name;
    EXPECT_EQ(stage->begun, begun + absl::Seconds(from)) << name;
    EXPECT_EQ(stage->ended, begun + absl::Seconds(to)) << name;
  }
}

TEST_F(RunServiceTest, AWorkerBeginsNoTrace) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  EXPECT_FALSE(backend_.AwaitRequest().trace.has_value());
  backend_.Finish(GenerationFinished());
  pb::RunEvent event;
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(tracer_.spans().empty());
}

TEST_F(RunServiceTest, ARefusalTellsTheRouterWhenToTryAgain) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  backend_.AwaitRequest();
  absl::Status full = absl::ResourceExhaustedError("full");
  SetRetryHint(absl::Seconds(7), full);
  backend_.Finish(full);
  EXPECT_EQ(RetryHintOf(FromGrpc(stream->Finish())), absl::Seconds(7));
}

TEST_F(RunServiceTest, ACancelledCallCancelsItsSequence) {
  const auto stream = stub_->Run(&context_);
  stream->Write(ToProto(Request()));
  backend_.AwaitRequest();
  context_.TryCancel();
  backend_.AwaitCancel();
  backend_.Finish(absl::CancelledError("the request was cancelled"));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(RunServiceTest, AWatchGetsASignAtOnceAndThenAllThatAreSent) {
  grpc::ClientContext context;
  const auto reader = stub_->Watch(&context, {});
  pb::SignOfLife sign;
  ASSERT_TRUE(reader->Read(&sign));
  EXPECT_TRUE(sign.ready());
  EXPECT_EQ(sign.progress(), 41u);
  for (int i = 0; i < 3; ++i) {
    // A sign is left out while the one before is being sent.
    std::atomic<bool> read = false;
    std::thread signs([&] {
      while (!read) service_.SendSigns();
    });
    EXPECT_TRUE(reader->Read(&sign));
    read = true;
    signs.join();
  }
  service_.EndWatches();
  while (reader->Read(&sign)) {
  }
  EXPECT_TRUE(reader->Finish().ok());
  // The worker is about to stop.
  grpc::ClientContext late;
  const auto second = stub_->Watch(&late, {});
  EXPECT_FALSE(second->Read(&sign));
  EXPECT_TRUE(second->Finish().ok());
}

TEST_F(RunServiceTest, AWatchThatIsCancelledEnds) {
  grpc::ClientContext context;
  const auto reader = stub_->Watch(&context, {});
  pb::SignOfLife sign;
  ASSERT_TRUE(reader->Read(&sign));
  context.TryCancel();
  while (reader->Read(&sign)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  service_.SendSigns();
  service_.EndWatches();
}

}  // namespace
}  // namespace apollo
