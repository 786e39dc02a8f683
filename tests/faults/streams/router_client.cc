#include "tests/faults/streams/router_client.h"

#include <absl/time/clock.h>

#include <utility>

#include "clients/cpp/sent_by_router.h"
#include "tests/faults/cluster/eventually.h"

namespace apollo {
namespace {

// Between two rounds over all routers, when none takes the stream.
constexpr absl::Duration kPause = absl::Milliseconds(20);

// A channel that dials again soon after its router has come back.
std::shared_ptr<v1::InferenceService::Stub> NewStub(const std::string& router,
                                                    bool own_connection) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  if (own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::InferenceService::NewStub(grpc::CreateCustomChannel(
      router, grpc::InsecureChannelCredentials(), arguments));
}

}  // namespace

RouterClient::RouterClient(std::vector<std::string> routers, Options options)
    : routers_(std::move(routers)), options_(options) {
  for (const std::string& router : routers_) {
    stubs_.push_back(NewStub(router, /*own_connection=*/false));
  }
}

RouterClient::RouterClient(std::vector<std::string> routers)
    : RouterClient(std::move(routers), Options()) {}

std::shared_ptr<RouterClient::Stub> RouterClient::StubOf(
    std::size_t router) const {
  if (!options_.own_channels) return stubs_[router];
  return NewStub(routers_[router], /*own_connection=*/true);
}

grpc::Status RouterClient::RunOnce(Stub& stub, clients::AnswerRecord& record,
                                   absl::Duration deadline,
                                   Cancellation& cancellation,
                                   const Observer& observer,
                                   Transcript& transcript) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMicroseconds(deadline - Now()));
  const CancellableCall call(cancellation, context);
  const auto stream = stub.Generate(&context, record.NextRequest());
  v1::GenerateResponse event;
  while (stream->Read(&event)) {
    transcript.Add(event, Now());
    observer(transcript);
    // The transcript notes an event that does not follow.
    record.Take(&event).IgnoreError();
  }
  const grpc::Status status = stream->Finish();
  // What a router itself cancels is a fault.
  if (status.error_code() == grpc::StatusCode::CANCELLED &&
      !cancellation.cancelled() && !clients::SentByRouter(context)) {
    return {grpc::StatusCode::UNAVAILABLE, status.error_message()};
  }
  return status;
}

void RouterClient::Run(const StreamPlan& plan, absl::Duration deadline,
                       Cancellation& cancellation, const Observer& observer,
                       Transcript& transcript) {
  std::size_t router = static_cast<std::size_t>(plan.slot) % routers_.size();
  clients::AnswerRecord record(plan.request);
  std::size_t refusals = 0;
  for (;;) {
    const std::int64_t tokens = transcript.tokens();
    const std::shared_ptr<Stub> stub = StubOf(router);
    const grpc::Status status =
        RunOnce(*stub, record, deadline, cancellation, observer, transcript);
    const bool lost = status.error_code() == grpc::StatusCode::UNAVAILABLE;
    const bool again = options_.resume && !cancellation.cancelled() && lost &&
                       Now() < deadline;
    if (!again) {
      transcript.End(status, Now());
      return;
    }
    if (transcript.started_events == transcript.streams) transcript.Resume();
    router = (router + 1) % routers_.size();
    refusals = transcript.tokens() > tokens ? 0 : refusals + 1;
    if (refusals > 0 && refusals % routers_.size() == 0) {
      absl::SleepFor(kPause);
    }
  }
}

}  // namespace apollo
