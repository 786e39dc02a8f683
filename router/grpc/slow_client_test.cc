// Clients that send but do not read, and too many clients, through the service.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "router/grpc/scripted_cluster.h"
#include "router/grpc/wire_request.h"

namespace apollo {
namespace {

constexpr int kMaxCalls = 3;

class SlowClientTest : public ScriptedClusterTest {
 protected:
  explicit SlowClientTest(std::int64_t output_bytes = 16 << 10)
      : ScriptedClusterTest({.max_calls = kMaxCalls,
                             .output_bytes = output_bytes,
                             .stalled_client_timeout = absl::Seconds(60)}) {}
  // The scripts use this object.
  ~SlowClientTest() override { backend_->Join(); }

  // Plays sequences that emit tokens forever, except while paused, from
  // LetSpeak on.
  void SpeakUntilCancelled() {
    backend_->Play([this](ScriptedSequence& s) {
      s.Started();
      AwaitSpeak(s);
      while (!s.cancelled()) {
        if (s.paused()) {
          paused_ = true;
          std::this_thread::yield();
        } else {
          s.Say("0123456789");
        }
      }
      s.Finish(absl::CancelledError("cancelled"));
    });
  }
  void AwaitSpeak(ScriptedSequence& s) {
    while (!speak_ && !s.cancelled()) std::this_thread::yield();
  }
  // Reads the first event, and lets the sequence go on. Before that event has
  // come, the service may not have its handle yet, and could not pause it.
  void LetSpeak(grpc::ClientReader<v1::GenerateResponse>& reader) {
    v1::GenerateResponse response;
    ASSERT_TRUE(reader.Read(&response));
    EXPECT_TRUE(response.has_started());
    speak_ = true;
  }
  void AwaitPaused() {
    while (!paused_) std::this_thread::yield();
  }
  // Lets the timeout pass repeatedly until no call runs. Once is not enough:
  // bytes that the transport still accepts count as read.
  void PassTimeouts() {
    const auto forever =
        std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (Running() > 0 && std::chrono::steady_clock::now() < forever) {
      clock_.Advance(absl::Seconds(60));
      calls_->Tick();
      std::this_thread::yield();
    }
    EXPECT_EQ(Running(), 0);
  }

  std::atomic<bool> speak_ = false;
  std::atomic<bool> paused_ = false;
};

TEST_F(SlowClientTest, OneThatReadsNothingIsPausedAndThenEnds) {
  SpeakUntilCancelled();
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, Prompt("x"));
  ASSERT_NO_FATAL_FAILURE(LetSpeak(*reader));
  AwaitPaused();
  EXPECT_EQ(Running(), 1);
  calls_->Tick();
  EXPECT_FALSE(backend_->sequences()[0]->cancelled());
  PassTimeouts();
  // Everything is freed although the client has not read on.
  EXPECT_TRUE(backend_->sequences()[0]->cancelled());
  EXPECT_THAT(Metrics(), testing::HasSubstr("code=\"RESOURCE_EXHAUSTED\""));
  v1::GenerateResponse response;
  while (reader->Read(&response)) continue;
  EXPECT_EQ(reader->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(SlowClientTest, OneThatReadsLateGetsAllOfItsAnswer) {
  // Far more than the transport buffers.
  constexpr int kTokens = 30'000;
  backend_->Play([this](ScriptedSequence& s) {
    s.Started();
    AwaitSpeak(s);
    for (int i = 0; i < kTokens; ++i) {
      while (s.paused()) {
        paused_ = true;
        std::this_thread::yield();
      }
      s.Say(std::string(1, static_cast<char>('a' + i % 26)));
    }
    s.Finish(FinishCause::kEos);
  });
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, Prompt("x"));
  ASSERT_NO_FATAL_FAILURE(LetSpeak(*reader));
  AwaitPaused();
  std::vector<v1::GenerateResponse> events;
  v1::GenerateResponse response;
  while (reader->Read(&response)) events.push_back(response);
  EXPECT_TRUE(reader->Finish().ok());
  std::string expected;
  for (int i = 0; i < kTokens; ++i) expected += static_cast<char>('a' + i % 26);
  EXPECT_EQ(TextOf(events), expected);
}

// Nothing is paused, because the whole answer may wait for the client.
class UnreadEndTest : public SlowClientTest {
 protected:
  UnreadEndTest() : SlowClientTest(std::int64_t{1} << 40) {}
};

TEST_F(UnreadEndTest, OneThatDoesNotReadTheEndIsGoneToo) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    // More than the transport buffers, even if deltas merge.
    const std::string text(40, '0');
    for (int i = 0; i < 12'000; ++i) s.Say(text);
    s.Finish(FinishCause::kEos);
  });
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, Prompt("x"));
  ASSERT_TRUE(backend_->AwaitSequences(1));
  backend_->Join();
  EXPECT_EQ(Running(), 1);
  PassTimeouts();
  EXPECT_THAT(Metrics(), testing::HasSubstr("code=\"RESOURCE_EXHAUSTED\""));
  context.TryCancel();
}

// The response to a text of 1 MB has several MB.
TEST_F(SlowClientTest, OneThatDoesNotReadItsTokensIsGoneToo) {
  v1::TokenizeRequest request;
  request.set_text(std::string(1 << 20, 'x'));
  grpc::ClientContext context;
  // A stream that is never read.
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(
      &context, "/apollo.v1.InferenceService/Tokenize", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  call->WriteLast(SerializeResponse(request), grpc::WriteOptions(), nullptr);
  EXPECT_EQ(AwaitRunning(1), 1);
  PassTimeouts();
  EXPECT_THAT(
      Metrics(),
      testing::HasSubstr("code=\"RESOURCE_EXHAUSTED\",method=\"Tokenize\""));
  context.TryCancel();
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) continue;
}

TEST_F(SlowClientTest, ExcessCallsAreRefusedWithARetryDelay) {
  SpeakUntilCancelled();
  grpc::ClientContext contexts[kMaxCalls];
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>>> held;
  for (grpc::ClientContext& context : contexts) {
    held.push_back(stub_->Generate(&context, Prompt("x")));
  }
  ASSERT_TRUE(backend_->AwaitSequences(kMaxCalls));
  const Answer refused = Generate(Prompt("x"));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(refused.status.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  rpc::RetryInfo retry;
  ASSERT_TRUE(rpc::Unpack(details.details(0), &retry));
  EXPECT_GT(retry.retry_delay().seconds(), 0);
  contexts[0].TryCancel();
  ASSERT_EQ(AwaitRunning(kMaxCalls - 1), kMaxCalls - 1);
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Finish(FinishCause::kEos);
  });
  EXPECT_TRUE(Generate(Prompt("x")).status.ok());
  for (grpc::ClientContext& context : contexts) context.TryCancel();
}

}  // namespace
}  // namespace apollo
