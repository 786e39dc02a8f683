#include "link/nccl/submitter.h"

#include <chrono>

namespace apollo {
namespace {

// NCCL and streams do not call back; this is short compared with a step.
constexpr std::chrono::microseconds kPollInterval{50};

}  // namespace

void JobQueue::Post(Job job) {
  MutexLock lock(mutex_);
  if (closed_) return;
  jobs_.push_back(std::move(job));
  changed_.notify_one();
}

void JobQueue::Close() {
  std::deque<Job> dropped;  // Their destructors may post.
  MutexLock lock(mutex_);
  closed_ = true;
  dropped.swap(jobs_);
  changed_.notify_one();
}

Submitter::Submitter(std::shared_ptr<JobQueue> jobs, std::function<bool()> poll,
                     std::function<void()> end)
    : jobs_(std::move(jobs)),
      poll_(std::move(poll)),
      end_(std::move(end)),
      thread_([this] { Run(); }) {}

Submitter::~Submitter() {
  jobs_->Close();
  Join();
}

void Submitter::Join() {
  if (thread_.joinable()) thread_.join();
}

void Submitter::Run() {
  bool poll_again = false;
  for (;;) {
    std::deque<JobQueue::Job> jobs;
    {
      MutexLock lock(jobs_->mutex_);
      if (poll_again && jobs_->jobs_.empty() && !jobs_->closed_) {
        jobs_->changed_.wait_for(jobs_->mutex_, kPollInterval);
      }
      while (!poll_again && jobs_->jobs_.empty() && !jobs_->closed_) {
        jobs_->changed_.wait(jobs_->mutex_);
      }
      if (jobs_->closed_) break;
      jobs.swap(jobs_->jobs_);
    }
    for (JobQueue::Job& job : jobs) job();
    poll_again = poll_();
  }
  end_();
}

}  // namespace apollo
