#include "router/dense_client.h"

#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/retry_hint.h"
#include "link/generation_codec.h"
#include "link/insecure_channel.h"
#include "link/run_end.h"
#include "link/status_codec.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

namespace pb = internal::v1;
using Stream = grpc::ServerReaderWriter<pb::RunEvent, pb::RunRequest>;

pb::RunEvent Started() { return ToProto(GenerationStarted{"w", "e", 0}); }
pb::RunEvent Token(int index, int token) {
  return ToProto(GeneratedToken{index, token, -1, {}, {}});
}
pb::RunEvent Finished() {
  return ToProto(GenerationFinished{FinishCause::kEos, {}, {}});
}

// A dense worker on a port of this process whose sequences follow a script. It
// shows the client events that a real DenseWorker never sends.
class DenseClientTest : public testing::Test {
 protected:
  using Script = std::function<grpc::Status(grpc::ServerContext&, Stream&)>;

  void Serve(Script script) {
    auto service = std::make_unique<Service>();
    service->script = std::move(script);
    ServeAs(std::move(service));
  }
  void ServeAs(std::unique_ptr<grpc::Service> service) {
    server_.reset();
    service_ = std::move(service);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    // Without keepalive: the client itself must end the sequences.
    client_ = std::make_unique<DenseClient>(
        Insecure("127.0.0.1:" + std::to_string(port)));
  }
  // Makes the worker send these events and end with this status.
  void Send(std::vector<pb::RunEvent> events,
            grpc::Status status = grpc::Status::OK) {
    Serve([events = std::move(events), status](grpc::ServerContext&,
                                               Stream& stream) {
      pb::RunRequest request;
      stream.Read(&request);
      for (const pb::RunEvent& event : events) stream.Write(event);
      return status;
    });
  }
  std::shared_ptr<RecordingSink> Start(int answer_tokens = 0) {
    GenerationRequest request;
    request.prompt = {1, 2, 3, 4};
    request.answer_tokens = answer_tokens;
    auto sink = std::make_shared<RecordingSink>();
    call_ = client_->Start(std::move(request), sink);
    return sink;
  }

  struct Service final : pb::DenseWorkerService::Service {
    grpc::Status Run(grpc::ServerContext* context, Stream* stream) override {
      return script(*context, *stream);
    }
    Script script;
  };
  std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<DenseClient> client_;
  std::unique_ptr<GenerationCall> call_;
};

TEST_F(DenseClientTest, ADuplicateIsDropped) {
  Send({Started(), Token(0, 7), Token(0, 7), Token(1, 8), Token(0, 7),
        Token(1, 9), Token(2, 9), Finished()});
  EXPECT_EQ(Start()->Await(), "started by w 0:7 1:8 2:9 finished");
}

TEST_F(DenseClientTest, AGapEndsTheSequenceHereAndThere) {
  std::promise<void> cancelled;
  Serve([&](grpc::ServerContext& context, Stream& stream) {
    pb::RunRequest request;
    stream.Read(&request);
    stream.Write(Token(0, 7));
    stream.Write(Token(2, 9));
    stream.Write(Token(1, 8));  // Too late.
    while (stream.Read(&request)) {
    }
    // The end of the stream may come before its reason.
    while (!context.IsCancelled()) std::this_thread::yield();
    cancelled.set_value();
    return grpc::Status::OK;
  });
  const auto sink = Start();
  EXPECT_EQ(sink->Await(), " 0:7 INTERNAL");
  EXPECT_EQ(sink->status().message(), "tokens of the answer are missing");
  cancelled.get_future().wait();
}

pb::RunEvent Prompt(std::uint32_t index, std::vector<int> tokens) {
  pb::RunEvent event;
  event.mutable_prompt()->set_index(index);
  for (const int token : tokens) {
    event.mutable_prompt()->add_tokens()->set_token(token);
  }
  return event;
}

TEST_F(DenseClientTest, PiecesOfThePromptComeWithoutGaps) {
  Send({Started(), Prompt(1, {5, 6}), Prompt(3, {7}), Token(0, 9), Finished()});
  EXPECT_EQ(Start()->Await(),
            "started by w prompt 1:5=0/0 prompt 2:6=0/0 prompt 3:7=0/0 0:9 "
            "finished");
  Send({Started(), Prompt(1, {5, 6}), Prompt(4, {7}), Finished()});
  const auto sink = Start();
  EXPECT_EQ(sink->Await(),
            "started by w prompt 1:5=0/0 prompt 2:6=0/0 INTERNAL");
  EXPECT_EQ(sink->status().message(),
            "log-probabilities of the prompt are missing");
}

TEST_F(DenseClientTest, TheTrailerTellsWhoseErrorItIs) {
  const auto end = [this](const char* trailer, grpc::StatusCode code) {
    Serve([=](grpc::ServerContext& context, Stream& stream) {
      pb::RunRequest request;
      stream.Read(&request);
      if (trailer != nullptr) {
        context.AddTrailingMetadata(kRunEndTrailer, trailer);
      }
      return grpc::Status(code, "no");
    });
    const auto sink = Start();
    sink->Await();
    return sink->status();
  };
  const auto kGone = grpc::StatusCode::UNAVAILABLE;
  EXPECT_EQ(EndOf(end("moved", kGone)), SequenceEnd::kMoved);
  EXPECT_EQ(EndOf(end("answered", kGone)), SequenceEnd::kAnswered);
  EXPECT_EQ(EndOf(end("of a newer release", kGone)), SequenceEnd::kAnswered);
  EXPECT_EQ(EndOf(end(nullptr, kGone)), SequenceEnd::kLost);
  EXPECT_EQ(EndOf(end(nullptr, grpc::StatusCode::RESOURCE_EXHAUSTED)),
            SequenceEnd::kAnswered);
  // Only gRPC gives it.
  const absl::Status unknown = end(nullptr, grpc::StatusCode::UNKNOWN);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(EndOf(unknown), SequenceEnd::kLost);
}

TEST_F(DenseClientTest, TheFirstTokenAfterAnAnswerBegunElsewhereHasItsIndex) {
  Send({Token(1, 7), Token(2, 8), Token(3, 9), Finished()});
  EXPECT_EQ(Start(2)->Await(), " 2:8 3:9 finished");
  EXPECT_EQ(Start(0)->Await(), " INTERNAL");
}

TEST_F(DenseClientTest, AnInvalidEventEndsTheSequenceNamingTheField) {
  pb::RunEvent finished = Finished();
  finished.mutable_finished()->clear_reason();
  for (const auto& [event, field] :
       {std::pair(finished, "finished.reason is 0"),
        std::pair(pb::RunEvent(), "event is missing")}) {
    Send({Token(0, 7), event, Finished()});
    const auto sink = Start();
    EXPECT_EQ(sink->Await(), " 0:7 INTERNAL");
    EXPECT_NE(sink->status().message().find(field), std::string::npos)
        << sink->status();
  }
}

TEST_F(DenseClientTest, ALostCallIsUnavailable) {
  Send({Started(), Token(0, 7)});
  EXPECT_EQ(Start()->Await(), "started by w 0:7 UNAVAILABLE");
  // The client has not cancelled the call.
  Send({Token(0, 7)}, grpc::Status::CANCELLED);
  EXPECT_EQ(Start()->Await(), " 0:7 UNAVAILABLE");
}

TEST_F(DenseClientTest, AConnectionThatIsGoneEndsTheSequenceAtOnce) {
  Serve([](grpc::ServerContext&, Stream& stream) {
    stream.Write(Started());
    pb::RunRequest request;
    while (stream.Read(&request)) {
    }
    return grpc::Status::OK;
  });
  const auto sink = Start();
  ASSERT_TRUE(sink->AwaitPart("started"));
  server_->Shutdown(std::chrono::system_clock::now());
  EXPECT_EQ(sink->Await(), "started by w UNAVAILABLE");
  EXPECT_EQ(Start()->Await(), " UNAVAILABLE");
}

TEST_F(DenseClientTest, AbandonedSequencesEndWhateverTheWorkerDoes) {
  std::promise<void> go_on;
  // Of the script, which may outlive this test.
  const std::shared_future<void> going_on = go_on.get_future().share();
  Serve([going_on](grpc::ServerContext&, Stream& stream) {
    stream.Write(Started());
    going_on.wait();  // The worker hangs.
    return grpc::Status::OK;
  });
  const auto sink = Start();
  ASSERT_TRUE(sink->AwaitPart("started"));
  client_->AbandonAll(absl::UnavailableError("it hangs"));
  EXPECT_EQ(sink->Await(), "started by w UNAVAILABLE");
  EXPECT_EQ(sink->status().message(), "it hangs");
  go_on.set_value();
}

TEST_F(DenseClientTest, TheDeadlineTravelsToTheWorker) {
  for (const bool has_one : {true, false}) {
    std::promise<std::chrono::system_clock::time_point> deadline;
    Serve([&](grpc::ServerContext& context, Stream&) {
      deadline.set_value(context.deadline());
      return grpc::Status::OK;
    });
    GenerationRequest request;
    request.prompt = {1};
    if (has_one) request.deadline = Clock::Real().Now() + absl::Hours(1);
    auto sink = std::make_shared<RecordingSink>();
    call_ = client_->Start(std::move(request), sink);
    sink->Await();
    const auto seen = deadline.get_future().get();
    const auto now = std::chrono::system_clock::now();
    if (has_one) {
      EXPECT_GT(seen, now + std::chrono::minutes(50));
      EXPECT_LT(seen, now + std::chrono::minutes(70));
    } else {
      EXPECT_GT(seen, now + std::chrono::hours(24 * 365));
    }
  }
}

TEST_F(DenseClientTest, ASequenceEndsAtItsDeadlineWhateverTheWorkerDoes) {
  Serve([](grpc::ServerContext&, Stream& stream) {
    pb::RunRequest request;
    while (stream.Read(&request)) {
    }
    return grpc::Status::OK;
  });
  GenerationRequest request;
  request.prompt = {1};
  request.deadline = Clock::Real().Now() + absl::Milliseconds(1);
  auto sink = std::make_shared<RecordingSink>();
  call_ = client_->Start(std::move(request), sink);
  EXPECT_EQ(sink->Await(), " DEADLINE_EXCEEDED");
}

TEST_F(DenseClientTest, ARetryHintOfTheWorkerIsKept) {
  absl::Status full = absl::ResourceExhaustedError("full");
  SetRetryHint(absl::Seconds(7), full);
  Send({}, ToGrpc(full));
  const auto sink = Start();
  sink->Await();
  EXPECT_EQ(RetryHintOf(sink->status()), absl::Seconds(7));
}

TEST_F(DenseClientTest, PausesAreSentToTheWorker) {
  Serve([](grpc::ServerContext&, Stream& stream) {
    pb::RunRequest message;
    stream.Read(&message);
    EXPECT_EQ(message.prompt_size(), 4);
    EXPECT_FALSE(message.has_control());
    stream.Write(Started());
    for (const int paused : {1, 0}) {
      EXPECT_TRUE(stream.Read(&message));
      EXPECT_TRUE(message.has_control());
      EXPECT_EQ(message.prompt_size(), 0);
      EXPECT_EQ(message.control().paused(), paused == 1);
      stream.Write(Token(1 - paused, 7));
    }
    stream.Write(Finished());
    return grpc::Status::OK;
  });
  const auto sink = Start();
  ASSERT_TRUE(sink->AwaitPart("started"));
  call_->SetPaused(false);  // No change.
  call_->SetPaused(true);
  call_->SetPaused(true);
  ASSERT_TRUE(sink->AwaitPart("0:7"));
  call_->SetPaused(false);
  EXPECT_EQ(sink->Await(), "started by w 0:7 1:7 finished");
  call_->SetPaused(true);  // The sequence has ended.
}

// A worker of wire version 1, whose Run takes one message.
class OldService final : public grpc::Service {
 public:
  OldService() {
    AddMethod(new grpc::internal::RpcServiceMethod(
        "/apollo.internal.v1.DenseWorkerService/Run",
        grpc::internal::RpcMethod::SERVER_STREAMING,
        new grpc::internal::ServerStreamingHandler<OldService, pb::RunRequest,
                                                   pb::RunEvent>(
            [this](OldService*, grpc::ServerContext*,
                   const pb::RunRequest* request,
                   grpc::ServerWriter<pb::RunEvent>* writer) {
              writer->Write(Started());
              go_on.get_future().wait();
              writer->Write(Token(0, request->prompt(3)));
              writer->Write(Finished());
              return grpc::Status::OK;
            },
            this)));
  }
  std::promise<void> go_on;
};

TEST_F(DenseClientTest, AWorkerOfThePreviousVersionServesAndDoesNotPause) {
  auto service = std::make_unique<OldService>();
  OldService& old = *service;
  ServeAs(std::move(service));
  const auto sink = Start();
  ASSERT_TRUE(sink->AwaitPart("started"));
  call_->SetPaused(true);
  old.go_on.set_value();
  EXPECT_EQ(sink->Await(), "started by w 0:4 finished");
}

}  // namespace
}  // namespace apollo
