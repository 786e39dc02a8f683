#include "router/dense_client.h"

#include <absl/strings/str_cat.h>

#include <chrono>
#include <utility>
#include <vector>

#include "link/generation_codec.h"
#include "router/run_reactor.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

class RunCall final : public GenerationCall {
 public:
  explicit RunCall(std::shared_ptr<RunReactor> reactor)
      : reactor_(std::move(reactor)) {}
  void Cancel() override { reactor_->Cancel(); }
  void SetPaused(bool paused) override { reactor_->SetPaused(paused); }

 private:
  const std::shared_ptr<RunReactor> reactor_;
};

// Asks what the worker answers immediately, within `limit`: `begin` calls the
// method of the stub. Calls `done` once, from a gRPC thread.
template <typename Response, typename Request, typename Begin>
void Ask(const std::shared_ptr<pb::DenseWorkerService::Stub>& stub,
         std::chrono::milliseconds limit, Request request, const Begin& begin,
         std::function<void(absl::StatusOr<Response>)> done) {
  struct Question {
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  auto question = std::make_shared<Question>();
  question->context.set_deadline(std::chrono::system_clock::now() + limit);
  question->request = std::move(request);
  begin(
      *stub->async(), &question->context, &question->request,
      &question->response,
      [question, stub, done = std::move(done)](const grpc::Status& status) {
        if (!status.ok()) {
          done(absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                            status.error_message()));
          return;
        }
        done(std::move(question->response));
      });
}

}  // namespace

DenseClient::DenseClient(std::shared_ptr<grpc::Channel> channel,
                         std::chrono::milliseconds answer_limit)
    : answer_limit_(answer_limit),
      stub_(internal::v1::DenseWorkerService::NewStub(std::move(channel))) {}

std::unique_ptr<GenerationCall> DenseClient::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  std::uint64_t number = 0;
  {
    MutexLock lock(calls_->mutex);
    number = calls_->next++;
  }
  auto reactor = std::make_shared<RunReactor>(request, std::move(sink),
                                              [calls = calls_, number] {
                                                MutexLock lock(calls->mutex);
                                                calls->running.erase(number);
                                              });
  {
    MutexLock lock(calls_->mutex);
    calls_->running.emplace(number, reactor);
  }
  reactor->Begin(stub_);
  return std::make_unique<RunCall>(std::move(reactor));
}

void DenseClient::AbandonAll(const absl::Status& error) {
  std::vector<std::shared_ptr<RunReactor>> reactors;
  {
    MutexLock lock(calls_->mutex);
    for (const auto& [number, weak] : calls_->running) {
      if (auto reactor = weak.lock()) reactors.push_back(std::move(reactor));
    }
  }
  for (const auto& reactor : reactors) reactor->Abandon(error);
}

void DenseClient::CollectRouting(
    absl::Duration window,
    std::function<void(absl::StatusOr<RoutingCounts>)> done) {
  pb::RoutingRequest request;
  request.set_window_seconds(
      static_cast<std::uint32_t>(absl::ToInt64Seconds(window)));
  Ask<pb::RoutingResponse>(
      stub_, answer_limit_, std::move(request),
      [](auto& async, auto&&... question) {
        async.Routing(std::forward<decltype(question)>(question)...);
      },
      [done =
           std::move(done)](const absl::StatusOr<pb::RoutingResponse>& answer) {
        if (!answer.ok()) return done(answer.status());
        absl::StatusOr<RoutingCounts> counts = FromProto(*answer);
        if (!counts.ok()) {
          counts = absl::InternalError(
              absl::StrCat("the dense worker sent invalid counts: ",
                           counts.status().message()));
        }
        done(std::move(counts));
      });
}

void DenseClient::Describe(
    std::function<void(absl::StatusOr<pb::DescribeResponse>)> done) {
  pb::DescribeRequest request;
  request.set_with_details(true);
  Ask<pb::DescribeResponse>(
      stub_, answer_limit_, std::move(request),
      [](auto& async, auto&&... question) {
        async.Describe(std::forward<decltype(question)>(question)...);
      },
      std::move(done));
}

}  // namespace apollo
