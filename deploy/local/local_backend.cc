#include "deploy/local/local_backend.h"

#include "common/clock.h"
#include "dense_worker/dense_details.h"
#include "deploy/local/traced_sink.h"
#include "router/cluster_status.h"

namespace apollo {

std::unique_ptr<GenerationCall> LocalBackend::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  std::shared_ptr<GenerationSink> traced =
      TracedSink::Wrap(tracer_, Clock::Real(), request, std::move(sink));
  return worker_.Start(std::move(request), std::move(traced));
}

void LocalBackend::CollectStatus(
    std::function<void(std::vector<ProcessStatus>)> done) {
  DenseStatus status{.answered = true,
                     .usable = worker_.Ready(),
                     .name = self_.name,
                     .model_hash = self_.model_hash,
                     .version = self_.version,
                     .running_sequences = worker_.sequences(),
                     .queued_rows = static_cast<int>(worker_.queued_rows())};
  if (!status.usable) status.reason = "an engine makes no progress";
  status.details = DetailsOf(worker_.counters());
  status.details->expert_workers = {{.info = expert_(), .linked = true}};
  done(MergeStatus({std::move(status)}));
}

}  // namespace apollo
