#include "link/nccl/nccl_link.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "link/nccl/transport_check.h"

namespace apollo {

NcclLink::NcclLink(NcclLinkOptions options)
    : options_(std::move(options)),
      unsent_(Backlog::Make(options_.limits.watermark_bytes,
                            [this] { TellWritable(); })),
      outbox_([this](Outgoing outgoing) { SendOutgoing(std::move(outgoing)); }),
      inbox_([this](Incoming incoming) { Deliver(std::move(incoming)); }),
      sender_(
          Context(true),
          [this](std::uint64_t place, std::vector<Frame> frames) {
            outbox_.Fill(place, std::move(frames));
            outbox_.Run();
          },
          [this](Frame frame) {
            Outgoing outgoing;
            outgoing.push_back(std::move(frame));
            outbox_.Add(std::move(outgoing));
            outbox_.Run();
          }),
      receiver_(
          Context(false),
          [this](std::uint64_t place, Frame frame) {
            inbox_.Fill(place, std::move(frame));
            inbox_.Run();
          },
          // Rows may outlive the link, but not the queue.
          [this, jobs = jobs_] {
            jobs->Post([this] { receiver_.OnFreed(); });
          }),
      submitter_(
          jobs_,
          [this] {
            const bool receiving = receiver_.Poll();
            return sender_.Poll() || receiving;
          },
          [this] { CloseDirections(); }) {}

NcclLink::~NcclLink() { unsent_->Stop(); }

DirectionContext NcclLink::Context(bool outgoing) {
  return {options_.api,
          options_.device,
          options_.nccl_limits,
          options_.clock,
          [this](Frame frame) { SendNow(std::move(frame)); },
          [this](absl::Status status) { Fail(std::move(status)); },
          [this, outgoing](bool open) { PathChanged(outgoing, open); },
          [this](RowsPath path, std::size_t bytes) {
            if (options_.rows_sent) options_.rows_sent(path, bytes);
          },
          [this] { return PeerName(); }};
}

std::string NcclLink::PeerName() {
  MutexLock lock(mutex_);
  return peer_name_;
}

void NcclLink::PathChanged(bool outgoing, bool open) {
  const bool was_open = std::exchange(path_open_[outgoing], open);
  if (!options_.path_changed) return;
  options_.path_changed(outgoing, open       ? PathChange::kOpened
                                  : was_open ? PathChange::kFailed
                                             : PathChange::kNotOpened);
}

void NcclLink::CloseDirections() {
  sender_.Close();
  receiver_.Close();
  for (const bool outgoing : {false, true}) {
    if (path_open_[outgoing] && options_.path_changed) {
      options_.path_changed(outgoing, PathChange::kClosed);
    }
  }
  ended_ = true;
}

void NcclLink::SetHandler(std::shared_ptr<FrameHandler> handler) {
  MutexLock lock(mutex_);
  handler_ = std::move(handler);
}

void NcclLink::SetCarrier(std::shared_ptr<Link> carrier) {
  bool failed = false;
  {
    MutexLock lock(mutex_);
    if (!closed_) carrier_ = carrier;
    failed = reason_.has_value();
  }
  if (failed && carrier != nullptr) carrier->Close();
}

std::shared_ptr<Link> NcclLink::carrier() {
  MutexLock lock(mutex_);
  return carrier_;
}

std::shared_ptr<FrameHandler> NcclLink::handler() {
  MutexLock lock(mutex_);
  return handler_;
}

void NcclLink::Send(Frame frame) {
  if (closed_) return;
  const std::size_t waiting = unsent_->bytes();
  if (waiting >= options_.limits.queue_bytes) {
    Fail(absl::ResourceExhaustedError(absl::StrCat(
        "the peer's device has no room: ", waiting, " bytes wait")));
    return;
  }
  if (auto* const info = std::get_if<WorkerInfo>(&frame.body)) {
    info->device_transport = options_.transport;
  }
  const bool on_host = frame.payload.device().kind == Device::Kind::kHost;
  if (!on_host && !frame.payload.empty() && options_.device == nullptr) {
    Fail(absl::FailedPreconditionError(
        "rows in a device's memory came to a link without a device"));
    return;
  }
  if (frame.payload.empty()) frame.payload = Rows();
  // Until the carrier has taken it.
  frame.receipt = unsent_->Add(FrameBytes(frame));
  if (on_host || frame.payload.empty()) {
    Outgoing outgoing;
    outgoing.push_back(std::move(frame));
    outbox_.Add(std::move(outgoing));
    outbox_.Run();
    return;
  }
  MutexLock lock(send_mutex_);
  const std::uint64_t place = outbox_.Add(std::nullopt);
  jobs_->Post([this, place, frame = std::move(frame),
               since = options_.clock->Now()]() mutable {
    sender_.Push(place, std::move(frame), since);
  });
}

void NcclLink::SendNow(Frame frame) {
  if (const auto link = carrier()) link->Send(std::move(frame));
}

void NcclLink::SendOutgoing(Outgoing outgoing) {
  const std::shared_ptr<Link> link = carrier();
  if (link == nullptr) return;
  for (Frame& frame : outgoing) {
    const bool hello = std::holds_alternative<WorkerInfo>(frame.body);
    link->Send(std::move(frame));
    if (!hello) continue;
    {
      MutexLock lock(mutex_);
      if (said_hello_) continue;
      said_hello_ = true;
    }
    EnableIfKnown();
  }
}

bool NcclLink::HasRoom() {
  if (!unsent_->HasRoom()) return false;
  const std::shared_ptr<Link> link = carrier();
  return link == nullptr || link->HasRoom();
}

void NcclLink::TellWritable() {
  if (const auto receiver = handler()) receiver->OnWritable();
}

void NcclLink::OnWritable() { TellWritable(); }

void NcclLink::Close() {
  if (const auto link = carrier()) link->Close();
}

void NcclLink::Fail(absl::Status reason) {
  std::shared_ptr<Link> link;
  {
    MutexLock lock(mutex_);
    if (!reason_) reason_ = std::move(reason);
    link = carrier_;
  }
  if (link) link->Close();
}

void NcclLink::Post(absl::AnyInvocable<absl::Status()> job) {
  jobs_->Post([this, job = std::move(job)]() mutable {
    absl::Status status = job();
    if (!status.ok()) Fail(std::move(status));
  });
}

void NcclLink::TakePeer(const WorkerInfo& info) {
  {
    MutexLock lock(mutex_);
    if (peer_) return;
    peer_ = info.device_transport;
    peer_name_ = info.name;
  }
  const absl::Status check =
      CheckTransport(options_.transport, info.device_transport);
  if (!check.ok() && info.device_transport.nccl_version != 0 &&
      options_.transport.nccl_version != 0) {
    LogInfo("device_path_refused",
            {{"peer", info.name}, {"reason", std::string(check.message())}});
  }
  jobs_->Post([this, check] { receiver_.SetRefusal(check); });
  EnableIfKnown();
}

void NcclLink::EnableIfKnown() {
  {
    MutexLock lock(mutex_);
    if (!said_hello_ || !peer_ ||
        !CheckTransport(options_.transport, *peer_).ok()) {
      return;
    }
  }
  jobs_->Post([this] { sender_.Enable(); });
}

bool NcclLink::TakeDeviceFrame(Frame& frame) {
  // Held by the job: until it has run, the frame counts as not handled.
  const std::shared_ptr<void> receipt = frame.receipt;
  if (auto* const open = std::get_if<DeviceOpen>(&frame.body)) {
    Post([this, receipt, open = *open] { return receiver_.OnOpen(open); });
  } else if (auto* const credit = std::get_if<DeviceCredit>(&frame.body)) {
    Post(
        [this, receipt, credit = *credit] { return sender_.OnCredit(credit); });
  } else if (auto* const failed = std::get_if<DeviceFailed>(&frame.body)) {
    Post([this, receipt, failed = *failed] {
      return receiver_.OnFailed(failed);
    });
  } else if (auto* const ended = std::get_if<DeviceEnded>(&frame.body)) {
    Post([this, receipt, ended = *ended] { return sender_.OnEnded(ended); });
  } else if (auto* const resend = std::get_if<DeviceResend>(&frame.body)) {
    Post([this, resend = *resend, frame = std::move(frame)]() mutable {
      return receiver_.OnResend(resend, std::move(frame.payload));
    });
  } else if (auto* const payload = std::get_if<DevicePayload>(&frame.body)) {
    if (announced_) {
      Fail(absl::InvalidArgumentError(
          "the peer announces two payloads for one frame"));
    }
    announced_ = *payload;
  } else {
    return false;
  }
  return true;
}

void NcclLink::OnPiece() {
  if (const auto receiver = handler()) receiver->OnPiece();
}

void NcclLink::OnFrame(Frame frame) {
  if (TakeDeviceFrame(frame)) return;
  if (const auto* const info = std::get_if<WorkerInfo>(&frame.body)) {
    TakePeer(*info);
  }
  if (!announced_) {
    inbox_.Add(std::move(frame));
    inbox_.Run();
    return;
  }
  const DevicePayload payload = *std::exchange(announced_, std::nullopt);
  if (!frame.payload.empty()) {
    Fail(absl::InvalidArgumentError(
        "a frame has a payload inline and another on the device path"));
    return;
  }
  const std::uint64_t place = inbox_.Add(std::nullopt);
  Post([this, payload, place, frame = std::move(frame)]() mutable {
    return receiver_.OnPayload(payload, place, std::move(frame));
  });
}

void NcclLink::Deliver(Incoming incoming) {
  const std::shared_ptr<FrameHandler> receiver = handler();
  APOLLO_CHECK(receiver != nullptr);
  if (Frame* const frame = std::get_if<Frame>(&incoming)) {
    receiver->OnFrame(std::move(*frame));
    return;
  }
  receiver->OnClosed(std::get<absl::Status>(std::move(incoming)));
  MutexLock lock(mutex_);
  handler_ = nullptr;
}

void NcclLink::OnClosed(absl::Status status) {
  std::shared_ptr<Link> link;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    if (reason_ && status.ok()) status = *reason_;
    link = std::move(carrier_);
  }
  unsent_->Stop();
  outbox_.Finish(std::nullopt);
  inbox_.Finish(Incoming(std::move(status)));
  inbox_.Run();
  jobs_->Close();
}

void NcclLink::Drop() {
  std::shared_ptr<Link> link;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    link = std::move(carrier_);
  }
  Stop();
}

void NcclLink::Watch() {
  const absl::Duration now = options_.clock->Now();
  const absl::Duration limit = options_.nccl_limits.stuck_after;
  hang_watches_[0].Check(sender_.communicator(), now, limit);
  hang_watches_[1].Check(receiver_.communicator(), now, limit);
  if (tick_posted_.exchange(true)) return;
  jobs_->Post([this] {
    tick_posted_ = false;
    sender_.Tick();
    receiver_.Tick();
  });
}

}  // namespace apollo
