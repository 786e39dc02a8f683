#include "link/nccl/device_receiver.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace apollo {

DeviceReceiver::DeviceReceiver(
    DirectionContext context,
    std::function<void(std::uint64_t, Frame)> complete,
    std::function<void()> freed)
    : context_(std::move(context)),
      complete_(std::move(complete)),
      freed_(std::move(freed)) {}

void DeviceReceiver::SetCommunicator(
    std::shared_ptr<Communicator> communicator) {
  MutexLock lock(mutex_);
  communicator_.swap(communicator);
}

std::shared_ptr<Communicator> DeviceReceiver::communicator() {
  MutexLock lock(mutex_);
  return communicator_;
}

absl::Status DeviceReceiver::OnOpen(const DeviceOpen& open) {
  if (open.epoch <= epoch_ || state_ != State::kClosed || !incoming_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the peer opens device path ", open.epoch, " where path ",
                     epoch_, " is not over"));
  }
  epoch_ = open.epoch;
  announced_ = received_ = 0;
  since_ = context_.clock->Now();
  absl::Status status = refusal_;
  if (status.ok()) status = Begin(open);
  if (!status.ok()) End(std::string(status.message()));
  return absl::OkStatus();
}

absl::Status DeviceReceiver::Begin(const DeviceOpen& open) {
  RETURN_IF_ERROR(context_.device->Use());
  ASSIGN_OR_RETURN(stream_, context_.device->NewStream());
  ASSIGN_OR_RETURN(
      ring_,
      ReceiveRing::Make(*context_.device, context_.limits.ring_bytes, freed_));
  state_ = State::kOpening;
  idle_ = false;
  const auto communicator = std::make_shared<Communicator>(context_.api);
  SetCommunicator(communicator);
  return communicator->Open(open.id, 1, context_.limits.max_channels);
}

absl::Status DeviceReceiver::OnPayload(const DevicePayload& payload,
                                       std::uint64_t place, Frame frame) {
  // The sender may not know yet that the path has ended.
  const bool open = state_ == State::kUp;
  if (payload.epoch != epoch_ || payload.number != announced_ ||
      state_ == State::kOpening) {
    return absl::InvalidArgumentError(absl::StrCat(
        "payload ", payload.number, " of device path ", payload.epoch,
        " came where payload ", announced_, " of path ", epoch_,
        state_ == State::kOpening ? ", which is not open yet," : "",
        " was due"));
  }
  Incoming incoming{payload, place, std::move(frame), context_.clock->Now(),
                    {},      false, nullptr};
  if (open) {
    ASSIGN_OR_RETURN(incoming.rows,
                     ring_->Take(payload.rows, payload.width, payload.type));
  }
  ++announced_;
  incoming_.push_back(std::move(incoming));
  return absl::OkStatus();
}

absl::Status DeviceReceiver::OnFailed(const DeviceFailed& failed) {
  if (failed.epoch != epoch_) {
    return absl::InvalidArgumentError(
        absl::StrCat("the peer gives up device path ", failed.epoch,
                     " where path ", epoch_, " is the last one"));
  }
  if (state_ != State::kClosed) End(failed.reason);
  return absl::OkStatus();
}

absl::Status DeviceReceiver::OnResend(const DeviceResend& resend, Rows rows) {
  if (state_ != State::kClosed || incoming_.empty() || resend.epoch != epoch_ ||
      resend.number != incoming_.front().header.number) {
    return absl::InvalidArgumentError(
        absl::StrCat("payload ", resend.number, " of device path ",
                     resend.epoch, " is sent again where it is not missing"));
  }
  Incoming first = std::move(incoming_.front());
  const DevicePayload& header = first.header;
  if (rows.numbers() != static_cast<std::uint64_t>(header.rows) *
                            static_cast<std::uint64_t>(header.width)) {
    return absl::InvalidArgumentError(
        absl::StrCat("payload ", resend.number, " is sent again with ",
                     rows.numbers(), " numbers where ", header.rows, " x ",
                     header.width, " were announced"));
  }
  incoming_.pop_front();
  since_ = context_.clock->Now();
  first.frame.payload = std::move(rows);
  complete_(first.place, std::move(first.frame));
  return absl::OkStatus();
}

void DeviceReceiver::End(const std::string& reason) {
  if (const auto current = communicator()) current->Abort();
  SetCommunicator(nullptr);
  // The device writes no more: other rows may take the places.
  for (Incoming& incoming : incoming_) {
    incoming.rows = Rows();
    incoming.event = nullptr;
  }
  if (ring_) ring_->Detach();
  ring_ = nullptr;
  stream_ = nullptr;
  credit_due_ = false;
  state_ = State::kClosed;
  since_ = context_.clock->Now();
  context_.send_now({DeviceEnded{epoch_, received_, reason}});
  LogWarning(
      "device_path_ended",
      {{"peer", context_.peer()}, {"direction", "in"}, {"reason", reason}});
  context_.path_changed(false);
}

absl::Status DeviceReceiver::CheckCommunicator() {
  ASSIGN_OR_RETURN(idle_, communicator()->Poll());
  if (idle_ && state_ == State::kOpening) {
    state_ = State::kUp;
    credit_due_ = true;
    LogInfo(
        "device_path_open",
        {{"peer", context_.peer()}, {"direction", "in"}, {"epoch", epoch_}});
    context_.path_changed(true);
  }
  return absl::OkStatus();
}

absl::Status DeviceReceiver::RecordPosted() {
  if (!idle_) return absl::OkStatus();
  for (Incoming& incoming : incoming_) {
    if (!incoming.posted || incoming.event) continue;
    ASSIGN_OR_RETURN(incoming.event, stream_->Record());
  }
  return absl::OkStatus();
}

absl::Status DeviceReceiver::PostNext() {
  if (!idle_) return absl::OkStatus();
  for (Incoming& incoming : incoming_) {
    if (incoming.posted) continue;
    incoming.posted = true;
    idle_ = false;
    return communicator()->Receive(incoming.rows.data(), incoming.rows.bytes(),
                                   stream_->handle());
  }
  return absl::OkStatus();
}

absl::Status DeviceReceiver::CompleteArrived() {
  while (!incoming_.empty() && incoming_.front().event) {
    ASSIGN_OR_RETURN(const bool done, incoming_.front().event->Done());
    if (!done) break;
    Incoming first = std::move(incoming_.front());
    incoming_.pop_front();
    ++received_;
    credit_due_ = true;
    first.frame.payload = std::move(first.rows);
    complete_(first.place, std::move(first.frame));
  }
  return absl::OkStatus();
}

absl::Status DeviceReceiver::Advance() {
  // An error may come with the last payload: what has arrived counts.
  const absl::Status status = CheckCommunicator();
  if (status.ok()) RETURN_IF_ERROR(RecordPosted());
  RETURN_IF_ERROR(CompleteArrived());
  RETURN_IF_ERROR(status);
  return PostNext();
}

bool DeviceReceiver::Poll() {
  if (state_ == State::kClosed) return false;
  if (const absl::Status status = Advance(); !status.ok()) {
    End(std::string(status.message()));
    return false;
  }
  if (credit_due_ && state_ == State::kUp) SendCredit();
  return state_ == State::kOpening || !incoming_.empty();
}

void DeviceReceiver::SendCredit() {
  credit_due_ = false;
  context_.send_now(
      {DeviceCredit{epoch_, ring_->bytes(), received_, ring_->freed_bytes()}});
}

void DeviceReceiver::Tick() {
  const absl::Duration now = context_.clock->Now();
  const NcclLimits& limits = context_.limits;
  if (state_ == State::kOpening && now - since_ > limits.open_timeout) {
    End(absl::StrCat("the communicator was not ready after ",
                     absl::FormatDuration(limits.open_timeout)));
  } else if (state_ == State::kUp && !incoming_.empty() &&
             now - incoming_.front().since > limits.operation_timeout) {
    End(absl::StrCat("payload ", received_, " did not arrive within ",
                     absl::FormatDuration(limits.operation_timeout)));
  } else if (state_ == State::kClosed && !incoming_.empty() &&
             now - since_ > limits.recovery_timeout) {
    context_.fail(absl::DeadlineExceededError(absl::StrCat(
        "the device path ended, and the peer did not send what was missing "
        "again within ",
        absl::FormatDuration(limits.recovery_timeout))));
  }
}

void DeviceReceiver::Close() {
  if (const auto current = communicator()) current->Abort();
  SetCommunicator(nullptr);
  incoming_.clear();
  if (ring_) ring_->Detach();
  ring_ = nullptr;
  stream_ = nullptr;
  state_ = State::kClosed;
}

}  // namespace apollo
