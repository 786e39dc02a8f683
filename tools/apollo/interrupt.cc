#include "tools/apollo/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "tools/apollo/parse.h"

namespace apollo::client {

Interrupt::Scope::Scope(Interrupt& interrupt,
                        std::vector<grpc::ClientContext*> contexts)
    : interrupt_(interrupt) {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.contexts_ = std::move(contexts);
  if (interrupt_.remember_ && interrupt_.cancelled_) {
    for (grpc::ClientContext* context : interrupt_.contexts_) {
      context->TryCancel();
    }
  } else {
    interrupt_.cancelled_ = false;  // It was too late for an earlier call.
  }
}

Interrupt::Scope::~Scope() {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.contexts_.clear();
}

bool Interrupt::Cancel() {
  MutexLock lock(mutex_);
  if (contexts_.empty() && !pausing_ && !remember_) return keep_running_;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
  pausing_ = false;
  cancelled_ = true;
  changed_.notify_all();
  return true;
}

void Interrupt::KeepRunning() {
  MutexLock lock(mutex_);
  keep_running_ = true;
}

void Interrupt::RememberCancel() {
  MutexLock lock(mutex_);
  remember_ = true;
}

bool Interrupt::Pause(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  MutexLock lock(mutex_);
  if (cancelled_) return false;  // It was too late for the call before.
  pausing_ = true;
  while (pausing_ && std::chrono::steady_clock::now() < end) {
    changed_.wait_until(mutex_, end);
  }
  return std::exchange(pausing_, false);
}

bool Interrupt::cancelled() {
  MutexLock lock(mutex_);
  return cancelled_;
}

bool Interrupt::TakeCancelled() {
  MutexLock lock(mutex_);
  return std::exchange(cancelled_, false);
}

void CancelOnSigint(Interrupt& interrupt) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  // Threads inherit this mask, so only the thread below receives the signal,
  // outside of a signal handler, where it may take locks.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, &interrupt] {
    while (true) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0) return;
      if (!interrupt.Cancel()) {
        // Exits directly: the main thread may be waiting for input.
        _exit(kInterrupted);
      }
    }
  }).detach();
}

}  // namespace apollo::client
