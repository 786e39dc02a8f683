#include "common/engine_thread.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/mutex.h"

namespace apollo {
namespace {

class FakeClock final : public Clock {
 public:
  absl::Duration Now() const override {
    return absl::Nanoseconds(nanos.load());
  }
  std::atomic<std::int64_t> nanos{0};
};

// A one-shot signal between threads.
class Signal {
 public:
  void Set() {
    MutexLock lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  void Wait() {
    MutexLock lock(mutex_);
    while (!set_) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ = false;
};

TEST(EngineThreadTest, RunsEventsInTheirOrderAndThoseLeftWhenStopped) {
  std::vector<int> seen;
  EngineThread thread([] { return false; }, [] {});
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(thread.Post([&seen, i] { seen.push_back(i); }));
  }
  thread.Start();
  for (int i = 50; i < 100; ++i) {
    EXPECT_TRUE(thread.Post([&seen, i] { seen.push_back(i); }));
  }
  thread.Stop();
  ASSERT_EQ(seen.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[i], i);
  EXPECT_FALSE(thread.Post([&seen] { seen.push_back(-1); }));
  thread.Stop();
  EXPECT_EQ(seen.size(), 100u);
}

TEST(EngineThreadTest, EventsComeBetweenPiecesOfWork) {
  // Endless work; each piece posts an event.
  std::vector<std::string> seen;
  Signal enough;
  EngineThread* self = nullptr;
  EngineThread thread([&] { return seen.size() < 1000000; },
                      [&] {
                        seen.push_back("work");
                        if (seen.size() > 6) {
                          enough.Set();
                        } else {
                          self->Post([&] { seen.push_back("event"); });
                        }
                      });
  self = &thread;
  thread.Start();
  enough.Wait();
  thread.Stop();  // Although work remains.
  ASSERT_GE(seen.size(), 7u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(seen[i], i % 2 == 0 ? "work" : "event");
}

TEST(EngineThreadTest, WorkThatAnEventBringsIsDone) {
  int left = 0, done = 0;
  Signal finished;
  EngineThread thread([&] { return left > 0; },
                      [&] {
                        --left;
                        if (++done == 3) finished.Set();
                      });
  thread.Start();
  thread.Post([&] { left = 3; });
  finished.Wait();
  thread.Stop();
  EXPECT_EQ(left, 0);
}

TEST(EngineThreadTest, IsUnresponsiveOnlyWhileOneEventTakesTooLong) {
  FakeClock clock;
  EngineThread thread([] { return false; }, [] {}, clock);
  thread.Start();
  clock.nanos = absl::ToInt64Nanoseconds(absl::Hours(1));
  EXPECT_TRUE(thread.Responsive(absl::Seconds(10)));  // Idle is not stuck.
  Signal begun, go_on;
  thread.Post([&] {
    begun.Set();
    go_on.Wait();
  });
  begun.Wait();
  EXPECT_TRUE(thread.Responsive(absl::Seconds(10)));
  clock.nanos += absl::ToInt64Nanoseconds(absl::Seconds(10));
  EXPECT_TRUE(thread.Responsive(absl::Seconds(10)));
  clock.nanos += 1;
  EXPECT_FALSE(thread.Responsive(absl::Seconds(10)));
  go_on.Set();
  thread.Stop();
  EXPECT_TRUE(thread.Responsive(absl::Seconds(10)));
}

}  // namespace
}  // namespace apollo
