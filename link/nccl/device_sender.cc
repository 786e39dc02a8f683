#include "link/nccl/device_sender.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

// The most that a peer may offer.
constexpr std::uint64_t kMaxRingBytes = std::uint64_t{16} << 30;

}  // namespace

DeviceSender::DeviceSender(
    DirectionContext context,
    std::function<void(std::uint64_t, std::vector<Frame>)> release,
    std::function<void(Frame)> append)
    : context_(std::move(context)),
      release_(std::move(release)),
      append_(std::move(append)),
      backoff_(context_.limits.first_reopen, context_.limits.longest_reopen) {}

void DeviceSender::SetCommunicator(std::shared_ptr<Communicator> communicator) {
  // The last handle may abort, which must not hold up the watchdog.
  MutexLock lock(mutex_);
  communicator_.swap(communicator);
}

std::shared_ptr<Communicator> DeviceSender::communicator() {
  MutexLock lock(mutex_);
  return communicator_;
}

void DeviceSender::Enable() {
  if (enabled_ || closed_) return;
  enabled_ = true;
  Open();
}

absl::Status DeviceSender::Begin(DeviceOpen& open) {
  RETURN_IF_ERROR(context_.device->Use());
  ASSIGN_OR_RETURN(stream_, context_.device->NewStream());
  const NcclResult result = context_.api->get_unique_id(&open.id);
  if (result != NcclResult::kSuccess) {
    return absl::UnavailableError(
        absl::StrCat("ncclGetUniqueId failed with ", NcclResultName(result)));
  }
  return absl::OkStatus();
}

void DeviceSender::Open() {
  since_ = context_.clock->Now();
  DeviceOpen open{++epoch_, {}};
  if (const absl::Status status = Begin(open); !status.ok()) {
    Ended(std::string(status.message()));
    return;
  }
  state_ = State::kOpening;
  ready_ = false;
  busy_ = true;
  ring_bytes_ = sent_ = acknowledged_ = 0;
  ring_ = RingLayout();
  // The peer must know the id before this side can be ready.
  context_.send_now({open});
  const auto communicator = std::make_shared<Communicator>(context_.api);
  SetCommunicator(communicator);
  absl::Status status =
      communicator->Open(open.id, 0, context_.limits.max_channels);
  if (!status.ok()) GiveUp(status);
}

void DeviceSender::Push(std::uint64_t place, Frame frame,
                        absl::Duration since) {
  waiting_.push_back({place, std::move(frame), since});
}

absl::Status DeviceSender::OnCredit(const DeviceCredit& credit) {
  if (credit.epoch != epoch_ || state_ == State::kClosed ||
      state_ == State::kFailing) {
    return absl::OkStatus();  // Of a path that has ended since.
  }
  if (ring_bytes_ == 0 && credit.buffer_bytes >= 4 * RingLayout::kAlignment &&
      credit.buffer_bytes <= kMaxRingBytes) {
    ring_bytes_ = credit.buffer_bytes;
    ring_ = RingLayout(ring_bytes_);
  }
  if (credit.buffer_bytes != ring_bytes_ || credit.received < acknowledged_ ||
      credit.received > sent_ || credit.freed_bytes < ring_.freed() ||
      credit.freed_bytes > ring_.taken()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a credit of ", credit.buffer_bytes, " bytes says that ",
                     credit.received, " payloads came and ", credit.freed_bytes,
                     " bytes are free again, where ", acknowledged_, " to ",
                     sent_, " payloads, and ", ring_.freed(), " to ",
                     ring_.taken(), " bytes, are possible"));
  }
  ring_.SetFreed(credit.freed_bytes);
  Acknowledge(credit.received);
  return absl::OkStatus();
}

void DeviceSender::Acknowledge(std::uint64_t received) {
  for (; acknowledged_ < received; ++acknowledged_) {
    context_.rows_sent(RowsPath::kNccl, unacknowledged_.front().rows.bytes());
    unacknowledged_.pop_front();
    backoff_.Reset();  // The path works.
  }
}

absl::Status DeviceSender::OnEnded(const DeviceEnded& ended) {
  if (ended.epoch != epoch_ || state_ == State::kClosed) {
    return absl::OkStatus();  // This side has ended it, too.
  }
  if (ended.received < acknowledged_ || ended.received > sent_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the peer says that ", ended.received, " payloads came, where ",
        acknowledged_, " to ", sent_, " are possible"));
  }
  // The device reads the rows no more once this has returned.
  if (const auto current = communicator()) current->Abort();
  Acknowledge(ended.received);
  while (!unacknowledged_.empty()) {
    ASSIGN_OR_RETURN(Rows rows,
                     context_.device->ToHost(unacknowledged_.front().rows));
    context_.rows_sent(RowsPath::kCopy, unacknowledged_.front().rows.bytes());
    append_({DeviceResend{epoch_, acknowledged_}, std::move(rows)});
    ++acknowledged_;
    unacknowledged_.pop_front();
  }
  Ended(ended.reason);
  return absl::OkStatus();
}

void DeviceSender::Ended(const std::string& reason) {
  SetCommunicator(nullptr);
  stream_ = nullptr;
  state_ = State::kClosed;
  const absl::Duration pause = backoff_.Next();
  reopen_at_ = context_.clock->Now() + pause;
  LogWarning("device_path_ended", {{"peer", context_.peer()},
                                   {"direction", "out"},
                                   {"reason", reason},
                                   {"retry_s", absl::ToDoubleSeconds(pause)}});
  context_.path_changed(false);
}

void DeviceSender::GiveUp(const absl::Status& status) {
  if (const auto current = communicator()) current->Abort();
  state_ = State::kFailing;
  since_ = context_.clock->Now();
  context_.send_now({DeviceFailed{epoch_, std::string(status.message())}});
}

void DeviceSender::CheckCommunicator() {
  if (state_ != State::kOpening && state_ != State::kUp) return;
  const absl::StatusOr<bool> idle = communicator()->Poll();
  if (!idle.ok()) {
    GiveUp(idle.status());
    return;
  }
  busy_ = !*idle;
  ready_ = ready_ || *idle;
  if (state_ == State::kOpening && ready_ && ring_bytes_ > 0) {
    state_ = State::kUp;
    LogInfo(
        "device_path_open",
        {{"peer", context_.peer()}, {"direction", "out"}, {"epoch", epoch_}});
    context_.path_changed(true);
  }
}

bool DeviceSender::Poll() {
  if (closed_) return false;
  CheckCommunicator();
  while (!waiting_.empty() && Decide()) {
  }
  return state_ == State::kOpening || (state_ == State::kUp && busy_);
}

bool DeviceSender::Decide() {
  Waiting& first = waiting_.front();
  if (state_ == State::kUp &&
      first.frame.payload.device() == context_.device->device() &&
      first.frame.payload.bytes() <= ring_.largest()) {
    if (busy_) return false;
    const bool placed = ring_.Next(first.frame.payload.bytes()).has_value();
    if (placed) {
      const absl::Status status = SendByDevice(first);
      if (!status.ok()) GiveUp(status);
      // Its header is under way in any case.
      waiting_.pop_front();
      return true;
    }
    if (context_.clock->Now() - first.since <= context_.limits.credit_wait) {
      return false;
    }
  }
  Waiting taken = std::move(first);
  waiting_.pop_front();
  SendInline(std::move(taken));
  return true;
}

absl::Status DeviceSender::SendByDevice(Waiting& waiting) {
  Rows rows = std::move(waiting.frame.payload);
  waiting.frame.payload = Rows();
  const DevicePayload header{epoch_, sent_, rows.rows(), rows.width(),
                             rows.type()};
  // Only the receiver's operation, which waits for the header, may complete
  // this one: so its progress is not waited for.
  absl::Status status =
      communicator()->Send(rows.data(), rows.bytes(), stream_->handle());
  busy_ = true;
  ++sent_;
  unacknowledged_.push_back({std::move(rows), context_.clock->Now()});
  std::vector<Frame> frames;
  frames.push_back({header});
  frames.push_back(std::move(waiting.frame));
  release_(waiting.place, std::move(frames));
  return status;
}

void DeviceSender::SendInline(Waiting waiting) {
  absl::StatusOr<Rows> rows = context_.device->ToHost(waiting.frame.payload);
  if (!rows.ok()) {
    context_.fail(rows.status());
    return;
  }
  context_.rows_sent(RowsPath::kCopy, waiting.frame.payload.bytes());
  waiting.frame.payload = *std::move(rows);
  std::vector<Frame> frames;
  frames.push_back(std::move(waiting.frame));
  release_(waiting.place, std::move(frames));
}

void DeviceSender::Tick() {
  if (closed_) return;
  CheckCommunicator();
  const absl::Duration now = context_.clock->Now();
  const NcclLimits& limits = context_.limits;
  if (state_ == State::kOpening && now - since_ > limits.open_timeout) {
    GiveUp(absl::DeadlineExceededError(
        absl::StrCat("the communicator was not ready after ",
                     absl::FormatDuration(limits.open_timeout))));
  } else if (state_ == State::kUp && !unacknowledged_.empty() &&
             now - unacknowledged_.front().since > limits.operation_timeout) {
    GiveUp(absl::DeadlineExceededError(
        absl::StrCat("payload ", acknowledged_, " did not arrive within ",
                     absl::FormatDuration(limits.operation_timeout))));
  } else if (state_ == State::kFailing &&
             now - since_ > limits.recovery_timeout) {
    context_.fail(absl::DeadlineExceededError(absl::StrCat(
        "the device path failed, and the peer did not say within ",
        absl::FormatDuration(limits.recovery_timeout), " what it received")));
  } else if (state_ == State::kClosed && enabled_ && now >= reopen_at_) {
    Open();
  }
}

void DeviceSender::Close() {
  closed_ = true;
  if (const auto current = communicator()) current->Abort();
  SetCommunicator(nullptr);
  waiting_.clear();
  unacknowledged_.clear();
  stream_ = nullptr;
}

}  // namespace apollo
