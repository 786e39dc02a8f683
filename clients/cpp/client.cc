#include "clients/cpp/client.h"

#include <absl/time/clock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "clients/cpp/answer_record.h"
#include "clients/cpp/attempts.h"
#include "clients/cpp/retry.h"

namespace apollo::clients {
namespace {

std::shared_ptr<grpc::Channel> Connect(const std::string& router,
                                       const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  const auto milliseconds = [](absl::Duration time) {
    return static_cast<int>(std::min<std::int64_t>(
        absl::ToInt64Milliseconds(time), std::int64_t{1} << 30));
  };
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS,
                   milliseconds(options.keepalive_time));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                   milliseconds(options.keepalive_timeout));
  // A router that is back is used again soon. Attempts are counted here only.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetLoadBalancingPolicyName("round_robin");
  return grpc::CreateCustomChannel(router,
                                   options.credentials
                                       ? options.credentials
                                       : grpc::InsecureChannelCredentials(),
                                   arguments);
}

void SetDeadline(absl::Time deadline, grpc::ClientContext* context) {
  if (deadline == absl::InfiniteFuture()) return;
  context->set_deadline(absl::ToChronoTime(deadline));
}

bool Cancelled(const CallOptions& options) {
  return options.cancellation != nullptr && options.cancellation->cancelled();
}

grpc::Status CancelledStatus() {
  return {grpc::StatusCode::CANCELLED, "cancelled by the client"};
}

}  // namespace

// The attempts of one call, with their stubs and pauses.
class Client::Call {
 public:
  Call(Client& client, const CallOptions& options)
      : client_(client),
        options_(options),
        attempts_({.routers = client.stubs_.size(),
                   .first = client.next_router_.load(),
                   .first_pause = client.options_.first_pause,
                   .longest_pause = client.options_.longest_pause,
                   .random = client.options_.random}) {}

  Stub& stub() const { return *client_.stubs_[attempts_.router()]; }

  // The attempt brought something new.
  void Progressed() {
    attempts_.Progressed();
    client_.next_router_.store(attempts_.router());
  }

  // Waits for the next attempt, on the next router. Returns false if there is
  // to be none: it is not wanted, there were too many, or the deadline is
  // before it.
  bool Next(const Retry& retry) {
    const std::optional<absl::Duration> pause =
        attempts_.Next(retry, client_.options_.max_attempts);
    if (!pause || absl::Now() + *pause >= options_.deadline) return false;
    if (*pause == absl::ZeroDuration()) return true;
    if (client_.options_.pause) {
      client_.options_.pause(*pause);
    } else if (options_.cancellation != nullptr) {
      options_.cancellation->Pause(*pause);
    } else {
      absl::SleepFor(*pause);
    }
    return true;
  }

 private:
  Client& client_;
  const CallOptions& options_;
  Attempts attempts_;
};

Client::Client(ClientOptions options) : options_(std::move(options)) {
  for (const std::string& router : options_.routers) {
    stubs_.push_back(v1::InferenceService::NewStub(Connect(router, options_)));
  }
  if (stubs_.empty()) return;
  const auto routers = static_cast<double>(stubs_.size());
  next_router_ =
      static_cast<std::size_t>(Draw(options_.random) * routers) % stubs_.size();
}

struct Client::End {
  grpc::Status status;
  Retry retry;
  bool progressed = false;
  bool stopped = false;  // on_event wished it.
};

namespace {

// One stream, read by the thread that makes the call. The destructor cancels
// what still runs, and waits for it.
class Stream {
 public:
  explicit Stream(Cancellation* cancellation)
      : scope_(cancellation, &context) {}
  ~Stream() {
    context.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  enum class Step { kDone, kEnded, kSilent };

  // Waits for the operation that was begun last.
  Step Wait(absl::Duration limit) {
    void* tag = nullptr;
    bool ok = false;
    if (limit == absl::InfiniteDuration()) {
      return queue_.Next(&tag, &ok) && ok ? Step::kDone : Step::kEnded;
    }
    const auto end = absl::ToChronoTime(absl::Now() + limit);
    switch (queue_.AsyncNext(&tag, &ok, end)) {
      case grpc::CompletionQueue::GOT_EVENT:
        return ok ? Step::kDone : Step::kEnded;
      case grpc::CompletionQueue::TIMEOUT:
        return Step::kSilent;
      case grpc::CompletionQueue::SHUTDOWN:
        break;
    }
    return Step::kEnded;
  }

  grpc::ClientContext context;
  grpc::Status status;
  v1::GenerateResponse event;

  void Start(v1::InferenceService::Stub& stub,
             const v1::GenerateRequest& request) {
    reader_ = stub.PrepareAsyncGenerate(&context, request, &queue_);
    reader_->StartCall(this);
  }
  void Read() { reader_->Read(&event, this); }
  void Finish() { reader_->Finish(&status, this); }

 private:
  Cancellation::Scope scope_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<v1::GenerateResponse>> reader_;
};

}  // namespace

Client::End Client::ReadStream(Stub& stub, AnswerRecord* record,
                               const OnEvent& on_event,
                               const CallOptions& options) {
  End end;
  const Retry lost = {true, std::nullopt};
  Stream stream(options.cancellation);
  SetDeadline(options.deadline, &stream.context);
  stream.Start(stub, record->NextRequest());
  Stream::Step step = stream.Wait(options_.idle_limit);
  while (step == Stream::Step::kDone) {
    stream.event.Clear();
    stream.Read();
    step = stream.Wait(options_.idle_limit);
    if (step != Stream::Step::kDone) break;
    const absl::StatusOr<bool> fresh = record->Take(&stream.event);
    if (!fresh.ok()) {
      end.status = {grpc::StatusCode::DATA_LOSS,
                    std::string(fresh.status().message())};
      end.retry = lost;
      return end;
    }
    if (!*fresh) continue;
    end.progressed = true;
    if (!on_event(stream.event)) {
      end.stopped = true;
      return end;
    }
  }
  if (step == Stream::Step::kSilent) {
    end.status = {grpc::StatusCode::UNAVAILABLE,
                  "the router sent nothing within the idle limit"};
    end.retry = lost;
    return end;
  }
  stream.Finish();
  stream.Wait(absl::InfiniteDuration());
  end.status = stream.status;
  end.retry = JudgeStream(stream.context, &end.status);
  return end;
}

grpc::Status Client::Generate(const v1::GenerateRequest& request,
                              const OnEvent& on_event,
                              const CallOptions& options) {
  if (stubs_.empty()) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "no router is given"};
  }
  AnswerRecord record(request);
  Call call(*this, options);
  for (;;) {
    if (Cancelled(options)) return CancelledStatus();
    const End end = ReadStream(call.stub(), &record, on_event, options);
    if (end.progressed) call.Progressed();
    if (end.stopped) return CancelledStatus();
    // How the stream ended does not matter once all was received.
    if (record.complete()) return grpc::Status::OK;
    if (!call.Next(end.retry)) {
      return Cancelled(options) ? CancelledStatus() : end.status;
    }
  }
}

template <typename Request, typename Response>
grpc::Status Client::CallUnary(
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                 Response*),
    const Request& request, Response* response, const CallOptions& options) {
  if (stubs_.empty()) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "no router is given"};
  }
  Call call(*this, options);
  for (;;) {
    if (Cancelled(options)) return CancelledStatus();
    grpc::ClientContext context;
    const Cancellation::Scope scope(options.cancellation, &context);
    SetDeadline(options.deadline, &context);
    response->Clear();
    const grpc::Status status =
        (call.stub().*method)(&context, request, response);
    if (status.ok()) {
      call.Progressed();
      return status;
    }
    if (!call.Next(JudgeFailure(status, context))) {
      return Cancelled(options) ? CancelledStatus() : status;
    }
  }
}

grpc::Status Client::Complete(const v1::GenerateRequest& request,
                              v1::CompleteResponse* response,
                              const CallOptions& options) {
  return CallUnary(&Stub::Complete, request, response, options);
}

grpc::Status Client::Score(const v1::ScoreRequest& request,
                           v1::ScoreResponse* response,
                           const CallOptions& options) {
  return CallUnary(&Stub::Score, request, response, options);
}

}  // namespace apollo::clients
