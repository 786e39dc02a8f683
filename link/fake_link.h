#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "common/rows_testing.h"
#include "link/link.h"

namespace apollo {

// The near end of a link in a test: keeps what was sent. One thread.
class FakeLink final : public Link {
 public:
  void Send(Frame frame) override { frames.push_back(std::move(frame)); }
  void Close() override { closed = true; }
  bool HasRoom() override { return room; }

  // Takes the oldest frame that was not taken yet, which must be a T, and the
  // numbers of its payload, if `payload` is given.
  template <typename T>
  T Take(std::vector<float>* payload = nullptr) {
    if (frames.empty() || !std::holds_alternative<T>(frames.front().body)) {
      ADD_FAILURE() << "not the frame that was expected";
      return {};
    }
    Frame frame = std::move(frames.front());
    frames.pop_front();
    if (payload != nullptr) *payload = Numbers(frame.payload);
    return std::get<T>(std::move(frame.body));
  }

  // Drops all frames that are no T.
  template <typename T>
  void KeepOnly() {
    std::erase_if(frames, [](const Frame& frame) {
      return !std::holds_alternative<T>(frame.body);
    });
  }

  std::deque<Frame> frames;
  bool closed = false;
  bool room = true;
};

}  // namespace apollo
