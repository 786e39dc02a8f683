#include "dense_worker/run_service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "dense_worker/run_call.h"
#include "link/cached_prefixes_codec.h"
#include "link/generation_codec.h"
#include "link/worker_details_codec.h"
#include "serving/version.h"

namespace apollo {

namespace pb = internal::v1;

grpc::ServerBidiReactor<pb::RunRequest, pb::RunEvent>* RunService::Run(
    grpc::CallbackServerContext* context) {
  auto call = std::make_shared<RunCall>(*context, backend_, metrics_, clock_,
                                        limits_, lines_, tracer_);
  {
    MutexLock lock(mutex_);
    calls_.push_back(call);
  }
  call->Begin();
  return call.get();
}

void RunService::EndStalledCalls() {
  std::vector<std::shared_ptr<RunCall>> calls;
  {
    MutexLock lock(mutex_);
    std::erase_if(calls_, [&calls](const std::weak_ptr<RunCall>& call) {
      calls.push_back(call.lock());
      return calls.back() == nullptr;
    });
  }
  for (const std::shared_ptr<RunCall>& call : calls) {
    if (call != nullptr) call->EndIfStalled();
  }
}

pb::SignOfLife RunService::Sign() const {
  pb::SignOfLife sign;
  sign.set_ready(facts_.ready());
  sign.set_progress(facts_.progress());
  return sign;
}

std::vector<std::shared_ptr<WatchCall>> RunService::Watches() {
  std::vector<std::shared_ptr<WatchCall>> watches;
  MutexLock lock(mutex_);
  std::erase_if(watches_, [&watches](const std::weak_ptr<WatchCall>& watch) {
    std::shared_ptr<WatchCall> call = watch.lock();
    if (call == nullptr) return true;
    watches.push_back(std::move(call));
    return false;
  });
  return watches;
}

void RunService::SendSigns() {
  const std::vector<std::shared_ptr<WatchCall>> watches = Watches();
  if (watches.empty()) return;
  const pb::SignOfLife sign = Sign();
  for (const auto& watch : watches) watch->Send(sign);
}

void RunService::EndWatches() {
  {
    MutexLock lock(mutex_);
    watches_ended_ = true;
  }
  for (const auto& watch : Watches()) watch->End();
}

grpc::ServerWriteReactor<pb::SignOfLife>* RunService::Watch(
    grpc::CallbackServerContext* /*context*/,
    const pb::WatchRequest* /*request*/) {
  auto watch = std::make_shared<WatchCall>();
  watch->Begin();
  bool ended = false;
  {
    MutexLock lock(mutex_);
    watches_.push_back(watch);
    ended = watches_ended_;
  }
  if (ended) {
    watch->End();
  } else {
    watch->Send(Sign());
  }
  return watch.get();
}

int RunService::calls() {
  MutexLock lock(mutex_);
  return static_cast<int>(
      std::count_if(calls_.begin(), calls_.end(),
                    [](const auto& call) { return !call.expired(); }));
}

grpc::ServerUnaryReactor* RunService::Describe(
    grpc::CallbackServerContext* context, const pb::DescribeRequest* request,
    pb::DescribeResponse* response) {
  response->set_name(facts_.name);
  response->set_model_hash(facts_.model_hash);
  response->set_config_hash(facts_.fingerprint.config);
  response->set_tokenizer_hash(facts_.fingerprint.tokenizer);
  response->set_version(kVersion);
  response->set_running_sequences(facts_.running());
  response->set_ready(facts_.ready());
  response->set_wire_version(kGenerationWireVersion);
  response->set_sequence_options(kSequenceOptions);
  response->set_progress(facts_.progress());
  if (facts_.queued_rows) response->set_queued_rows(facts_.queued_rows());
  if (facts_.prefixes) {
    if (const auto prefixes = facts_.prefixes()) {
      ToProto(*prefixes, request->known_prefixes(),
              response->mutable_prefixes());
    }
  }
  response->set_numerics(facts_.numerics);
  if (!request->with_details()) {  // A poll.
    routers_.Add(request->has_other_workers()
                     ? std::optional<int>(request->other_workers())
                     : std::nullopt);
  }
  if (request->with_details() && facts_.details) {
    ToProto(facts_.details(), response->mutable_details());
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* RunService::Routing(
    grpc::CallbackServerContext* context, const pb::RoutingRequest* request,
    pb::RoutingResponse* response) {
  *response =
      ToProto(facts_.routing.Counts(absl::Seconds(request->window_seconds())));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace apollo
