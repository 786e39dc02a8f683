#include "tools/apollo/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "tools/apollo/parse.h"

namespace apollo::client {

Interrupt::Scope::Scope(Interrupt& interrupt, grpc::ClientContext& context)
    : interrupt_(interrupt) {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.context_ = &context;
}

Interrupt::Scope::~Scope() {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.context_ = nullptr;
}

bool Interrupt::Cancel() {
  MutexLock lock(mutex_);
  if (context_ == nullptr) return false;
  context_->TryCancel();
  cancelled_ = true;
  return true;
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
