// Shows ThreadSanitizer the order that Debian's Abseil and gRPC make, which are
// not built for it: gRPC hands messages and calls from thread to thread under
// Abseil's locks and through its completion queues, and without these every
// handover would be reported as a race in our code. Defined here, these
// functions stand before the libraries' own, note the order and call on. All
// locks and queues count as one, because what joins them inside gRPC cannot be
// seen: so two accesses of ours with a call into gRPC between them may count as
// ordered when they are not. Compiled to nothing without
// --config=clang_tsan.

#if defined(__SANITIZE_THREAD__)  // .bazelrc defines it.

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

namespace {

char all_order;
void Acquired() { __tsan_acquire(&all_order); }
void Releasing() { __tsan_release(&all_order); }

// The library's own function of that (mangled) name.
template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static const auto real =
      Real<void (*)(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  real(this);
  Acquired();
}

bool Mutex::TryLock() {
  static const auto real =
      Real<bool (*)(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  const bool locked = real(this);
  if (locked) Acquired();
  return locked;
}

void Mutex::Unlock() {
  static const auto real =
      Real<void (*)(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  Releasing();
  real(this);
}

void CondVar::Wait(Mutex* mutex) {
  static const auto real = Real<void (*)(CondVar*, Mutex*)>(
      "_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  Releasing();
  real(this, mutex);
  Acquired();
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto real = Real<bool (*)(CondVar*, Mutex*, Time)>(
      "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  Releasing();
  const bool timed_out = real(this, mutex, deadline);
  Acquired();
  return timed_out;
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto real = Real<bool (*)(CondVar*, Mutex*, Duration)>(
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  Releasing();
  const bool timed_out = real(this, mutex, timeout);
  Acquired();
  return timed_out;
}

ABSL_NAMESPACE_END
}  // namespace absl

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops,
                                      size_t count, void* tag, void* reserved) {
  static const auto real =
      Real<decltype(&grpc_call_start_batch)>("grpc_call_start_batch");
  Releasing();
  return real(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue,
                                      gpr_timespec deadline, void* reserved) {
  static const auto real =
      Real<decltype(&grpc_completion_queue_next)>("grpc_completion_queue_next");
  const grpc_event event = real(queue, deadline, reserved);
  Acquired();
  return event;
}

#endif
