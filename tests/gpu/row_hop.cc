#include "tests/gpu/row_hop.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <chrono>
#include <utility>
#include <variant>

#include "common/status_macros.h"

namespace apollo {
namespace {

bool OnHost(const Rows& rows) {
  return rows.device().kind == Device::Kind::kHost;
}

// Returns the rows in the memory of the device. Keeps what the frame holds as
// long as they live, because a path counts them until then.
absl::StatusOr<Rows> OnDevice(Frame frame, const UploadRows& upload) {
  if (OnHost(frame.payload)) return upload(frame.payload);
  const int rows = frame.payload.rows(), width = frame.payload.width();
  const RowType type = frame.payload.type();
  const Device device = frame.payload.device();
  void* const data = frame.payload.data();
  return Rows(data, rows, width, type, device,
              std::make_shared<Frame>(std::move(frame)));
}

class EchoHandler final : public FrameHandler {
 public:
  EchoHandler(UploadRows upload, std::shared_ptr<Link> link)
      : upload_(std::move(upload)), link_(std::move(link)) {}

  void OnFrame(Frame frame) override {
    const auto* const request = std::get_if<ExpertRows>(&frame.body);
    if (request == nullptr) return;
    const std::uint64_t ticket = request->ticket;
    absl::StatusOr<Rows> rows = OnDevice(std::move(frame), upload_);
    if (!rows.ok()) {
      link_->Send({ExpertOutputs{ticket, rows.status()}});
    } else {
      link_->Send({ExpertOutputs{ticket, absl::OkStatus()}, *std::move(rows)});
    }
  }
  void OnClosed(absl::Status) override { link_ = nullptr; }

 private:
  const UploadRows upload_;
  std::shared_ptr<Link> link_;
};

}  // namespace

std::shared_ptr<FrameHandler> RowEcho::OnAccept(std::shared_ptr<Link> link) {
  link->Send({WorkerInfo{.name = "far"}});
  return std::make_shared<EchoHandler>(upload_, std::move(link));
}

void RowHop::Begin(std::shared_ptr<Link> link) {
  link_ = std::move(link);
  link_->Send({WorkerInfo{.name = "near"}});
}

absl::StatusOr<Rows> RowHop::ThereAndBack(Rows rows, absl::Duration patience) {
  link_->Send({ExpertRows{++ticket_, 0, 0}, std::move(rows)});
  Frame answer;
  {
    const auto end =
        std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(patience);
    MutexLock lock(mutex_);
    while (!answer_ && !ended_) {
      if (changed_.wait_until(mutex_, end) == std::cv_status::timeout) {
        return absl::DeadlineExceededError(absl::StrCat(
            "no rows have come back within ", absl::FormatDuration(patience)));
      }
    }
    if (!answer_) {
      return ended_->ok() ? absl::CancelledError("the link was closed")
                          : *ended_;
    }
    answer = *std::exchange(answer_, std::nullopt);
    came_inline_ = OnHost(answer.payload);
  }
  RETURN_IF_ERROR(std::get<ExpertOutputs>(answer.body).status);
  return OnDevice(std::move(answer), upload_);
}

bool RowHop::came_inline() {
  MutexLock lock(mutex_);
  return came_inline_;
}

absl::Status RowHop::WaitForEnd(absl::Duration patience) {
  const auto end =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(patience);
  MutexLock lock(mutex_);
  while (!ended_) {
    if (changed_.wait_until(mutex_, end) == std::cv_status::timeout) {
      return absl::DeadlineExceededError(absl::StrCat(
          "the link has not ended within ", absl::FormatDuration(patience)));
    }
  }
  return *ended_;
}

void RowHop::OnFrame(Frame frame) {
  if (!std::holds_alternative<ExpertOutputs>(frame.body)) return;
  MutexLock lock(mutex_);
  answer_ = std::move(frame);
  changed_.notify_all();
}

void RowHop::OnClosed(absl::Status status) {
  MutexLock lock(mutex_);
  ended_ = std::move(status);
  changed_.notify_all();
}

}  // namespace apollo
