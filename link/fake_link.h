#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "common/rows_testing.h"
#include "link/link.h"

namespace apollo {

// Returns a copy that shares the payload.
inline Frame Copy(const Frame& frame) {
  return {frame.body, frame.payload.Slice(0, frame.payload.rows())};
}

// The near end of a link in a test. Keeps the frames that are sent before it is
// closed. Single-threaded.
class FakeLink final : public Link {
 public:
  void Send(Frame frame) override {
    if (closed) return;
    if (auto* info = std::get_if<WorkerInfo>(&frame.body)) {
      reach.push_back(info->draining ? std::set<int>()
                                     : info->reaches.everywhere);
      infos.push_back(std::move(*info));
    } else {
      frames.push_back(std::move(frame));
    }
  }
  void Close() override { closed = true; }
  bool HasRoom() override { return room; }

  // Takes the oldest frame, which must be a T, and the numbers of its payload
  // if `payload` is given.
  template <typename T>
  T Take(std::vector<float>* payload = nullptr) {
    if (frames.empty() || !std::holds_alternative<T>(frames.front().body)) {
      ADD_FAILURE() << "not the expected frame";
      return {};
    }
    Frame frame = std::move(frames.front());
    frames.pop_front();
    if (payload != nullptr) *payload = Numbers(frame.payload);
    return std::get<T>(std::move(frame.body));
  }

  // Drops all frames other than T.
  template <typename T>
  void KeepOnly() {
    std::erase_if(frames, [](const Frame& frame) {
      return !std::holds_alternative<T>(frame.body);
    });
  }

  std::deque<Frame> frames;       // All but WorkerInfo.
  std::vector<WorkerInfo> infos;  // The descriptions sent.
  // The experts offered for new sequences by each of `infos`.
  std::vector<std::set<int>> reach;
  bool closed = false;
  bool room = true;
};

}  // namespace apollo
