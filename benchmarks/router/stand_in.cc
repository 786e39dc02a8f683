#include "benchmarks/router/stand_in.h"

#include <prometheus/registry.h>

#include <thread>

#include "common/status_macros.h"
#include "serving/version.h"

namespace apollo::load {

namespace pb = internal::v1;

absl::StatusOr<std::unique_ptr<StandIn>> StandIn::Start(
    std::chrono::microseconds pace) {
  std::unique_ptr<StandIn> worker(new StandIn(pace));
  ASSIGN_OR_RETURN(
      worker->server_,
      Server::Start(
          ServerOptions(),
          {{worker.get(), pb::DenseWorkerService::service_full_name()}},
          {std::make_shared<prometheus::Registry>()}));
  return worker;
}

std::vector<StandIn::TimePoint> StandIn::sent() {
  MutexLock lock(mutex_);
  return sent_;
}

grpc::Status StandIn::Run(
    grpc::ServerContext*,
    grpc::ServerReaderWriter<pb::RunEvent, pb::RunRequest>* writer) {
  pb::RunRequest request;
  if (!writer->Read(&request)) return grpc::Status::CANCELLED;
  {
    MutexLock lock(mutex_);
    sent_.clear();
  }
  pb::RunEvent event;
  event.mutable_started()->set_dense_worker("stand-in");
  event.mutable_started()->set_expert_worker("stand-in");
  writer->Write(event);
  TimePoint next = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < request.max_new_tokens(); ++i) {
    std::this_thread::sleep_until(next);
    next += pace_;
    event.mutable_token()->set_index(i);
    event.mutable_token()->set_token(
        request.prompt(static_cast<int>(i) % request.prompt_size()));
    {
      MutexLock lock(mutex_);
      sent_.push_back(std::chrono::steady_clock::now());
    }
    if (!writer->Write(event)) return grpc::Status::CANCELLED;
  }
  event.mutable_finished()->set_reason(pb::RunFinished::LENGTH);
  writer->Write(event);
  return grpc::Status::OK;
}

grpc::Status StandIn::Describe(grpc::ServerContext*, const pb::DescribeRequest*,
                               pb::DescribeResponse* response) {
  response->set_name("stand-in");
  response->set_model_hash("stand-in");
  response->set_version(kVersion);
  response->set_ready(true);
  return grpc::Status::OK;
}

}  // namespace apollo::load
