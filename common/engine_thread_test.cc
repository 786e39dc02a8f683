#include "common/engine_thread.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "common/mutex.h"

namespace apollo {
namespace {

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

TEST(EngineThreadTest, APosterOutlivesTheThread) {
  std::function<bool(EngineThread::Event)> post;
  int ran = 0;
  {
    EngineThread thread([] { return false; }, [] {});
    post = thread.poster();
    EXPECT_TRUE(post([&ran] { ++ran; }));
    thread.Start();
    thread.Stop();
    EXPECT_EQ(ran, 1);
    EXPECT_FALSE(post([&ran] { ++ran; }));
  }
  EXPECT_FALSE(post([&ran] { ++ran; }));
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace apollo
