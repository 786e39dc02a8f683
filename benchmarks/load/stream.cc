#include "benchmarks/load/stream.h"

#include <utility>

namespace apollo::load {

Stream::Stream(v1::GenerateRequest request, TimePoint epoch,
               std::function<void()> on_token)
    : request_(std::move(request)),
      epoch_(epoch),
      on_token_(std::move(on_token)) {}

double Stream::Now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                       epoch_)
      .count();
}

void Stream::Start(v1::InferenceService::StubInterface& service) {
  {
    MutexLock lock(mutex_);
    times_.start = Now();
  }
  service.async()->Generate(&context_, &request_, this);
  StartRead(&response_);
  StartCall();
}

void Stream::OnReadDone(bool ok) {
  if (!ok) return;
  int tokens = 0;
  {
    MutexLock lock(mutex_);
    if (response_.has_started()) {
      times_.prompt_tokens =
          static_cast<int>(response_.started().prompt_tokens());
      times_.cached_tokens =
          static_cast<int>(response_.started().cached_tokens());
    }
    if (response_.has_finished()) finished_ = true;
    tokens = response_.delta().token_ids_size();
    times_.tokens.insert(times_.tokens.end(), tokens, Now());
  }
  for (int i = 0; i < tokens && on_token_ != nullptr; ++i) on_token_();
  StartRead(&response_);
}

void Stream::OnDone(const grpc::Status& status) {
  MutexLock lock(mutex_);
  if (finished_) {
    times_.status = absl::OkStatus();
  } else if (status.ok()) {
    times_.status =
        absl::DataLossError("the stream ended before its answer was finished");
  } else {
    times_.status =
        absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                     status.error_message());
  }
  done_ = true;
  changed_.notify_all();
}

StreamTimes Stream::Wait() {
  MutexLock lock(mutex_);
  while (!done_) changed_.wait(mutex_);
  return std::move(times_);
}

}  // namespace apollo::load
