#include "tests/faults/trial/trial.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/streams/stream_checks.h"
#include "tests/faults/trial/moved_events.h"

namespace apollo {
namespace {

// What allocators, caches of connections and logs may hold more than after one
// round.
constexpr int kMoreDescriptors = 32;
constexpr std::int64_t kMoreBytes = std::int64_t{96} << 20;

constexpr int kLogLines = 15;  // Of each process, after a failure.

}  // namespace

Trial::Trial(const Settings& settings, const std::string& scenario)
    : settings_(settings), begin_(Now()), random_(settings.seed) {
  outcome_.scenario = scenario;
  outcome_.seed = settings.seed;
  outcome_.long_run = settings.long_run;
}

Trial::~Trial() = default;

Layout Trial::AllEverywhere(int workers) const {
  Layout layout;
  layout.model = settings_.model;
  layout.experts = SpreadExperts(settings_.experts, workers, workers);
  layout.worker_flags = {
      absl::StrCat("--threads=", settings_.threads),
      absl::StrCat("--cache_megabytes=", settings_.cache_megabytes),
      // So that its first use is no growth of memory.
      "--cache_prefault"};
  return layout;
}

Layout Trial::TwoHolders() const {
  Layout layout = AllEverywhere(3);
  layout.experts = SpreadExperts(settings_.experts, 3, 2);
  return layout;
}

absl::Status Trial::Deploy(Layout layout, const StreamMix& mix) {
  Say("starts the cluster");
  cluster_ = std::make_unique<Deployment>(settings_.programs, std::move(layout),
                                          settings_.seed);
  RETURN_IF_ERROR(cluster_->Start());
  const auto stub = v1::InferenceService::NewStub(
      grpc::CreateChannel(Routers()[0], grpc::InsecureChannelCredentials()));
  StreamMix seeded = mix;
  seeded.seed = settings_.seed;
  ASSIGN_OR_RETURN(plans_, PlanStreams(*stub, seeded));
  return RunReference();
}

absl::Status Trial::RunReference() {
  Say("runs the requests undisturbed");
  RouterClient client(Routers());
  StreamDriver driver(client, plans_, {.rounds = 1, .deadline = 5 * kPatience});
  references_ = driver.Finish();
  std::sort(references_.begin(), references_.end(),
            [](const auto& a, const auto& b) { return a.slot < b.slot; });
  for (const Transcript& reference : references_) {
    if (!reference.status->ok()) {
      return absl::InternalError(absl::StrCat(
          "stream ", reference.slot,
          " of the undisturbed run: ", reference.status->error_message()));
    }
    // The reference keeps the rules, too.
    outcome_.AddProblems(
        CheckWhole(plans_[static_cast<std::size_t>(reference.slot)], reference,
                   reference));
  }
  outcome_.AddProblems(CheckCanariesShow(plans_, references_));
  for (const std::string& name : NamesOf(cluster_->layout())) {
    baseline_[name] = {cluster_->Pid(name), cluster_->Usage(name)};
  }
  return absl::OkStatus();
}

std::int64_t Trial::tokens_of_a_round() const {
  std::int64_t sum = 0;
  for (const Transcript& reference : references_) sum += reference.tokens();
  return sum;
}

int Trial::Pick(int below) {
  return static_cast<int>(random_() % static_cast<std::uint64_t>(below));
}

std::string Trial::PickProcess(ProcessKind kind) {
  const auto names = NamesOf(cluster_->layout(), kind);
  return names[static_cast<std::size_t>(Pick(static_cast<int>(names.size())))];
}

std::vector<std::string> Trial::Routers() const {
  std::vector<std::string> routers;
  for (const std::string& name :
       NamesOf(cluster_->layout(), ProcessKind::kRouter)) {
    routers.push_back(cluster_->ClientAddress(name));
  }
  return routers;
}

void Trial::StartStreams(Client client) {
  client_ = std::make_unique<RouterClient>(
      Routers(), RouterClient::Options{.resume = client == Client::kResume});
  const absl::Duration deadline = long_run() ? 5 * kPatience : kPatience;
  driver_ = std::make_unique<StreamDriver>(
      *client_, plans_, StreamDriver::Options{.deadline = deadline});
}

absl::Status Trial::AwaitMoment() {
  const std::int64_t tokens =
      1 +
      Pick(static_cast<int>(std::max<std::int64_t>(1, tokens_of_a_round())));
  if (driver_->WaitForTokens(tokens, kPatience)) return absl::OkStatus();
  return absl::UnavailableError("the streams do not go on");
}

absl::Status Trial::AwaitEach(const std::set<int>& slots) {
  if (driver_->WaitForEach(slots, kPatience)) return absl::OkStatus();
  return absl::UnavailableError("a stream does not go on");
}

void Trial::EndStreams() {
  if (driver_ == nullptr) return;
  Check(driver_->Finish());
  driver_.reset();
}

void Trial::Check(std::vector<Transcript> transcripts) {
  for (Transcript& transcript : transcripts) {
    const auto slot = static_cast<std::size_t>(transcript.slot);
    outcome_.AddProblems(
        CheckWhole(plans_[slot], transcript, references_[slot]));
    if (transcript.streams > 1) ++outcome_.figures["resumed_requests"];
    checked_.push_back(std::move(transcript));
  }
  outcome_.requests += static_cast<std::int64_t>(transcripts.size());
}

void Trial::CheckBeginnings(const std::vector<Transcript>& transcripts) {
  for (const Transcript& transcript : transcripts) {
    const auto slot = static_cast<std::size_t>(transcript.slot);
    outcome_.AddProblems(
        CheckPart(plans_[slot], transcript, references_[slot]));
  }
  outcome_.requests += static_cast<std::int64_t>(transcripts.size());
}

void Trial::MarkFault(const std::string& what) {
  faults_.push_back(Now());
  ++outcome_.faults;
  Say(absl::StrCat("fault ", outcome_.faults, ": ", what));
}

void Trial::Say(const std::string& line) const {
  std::printf("%s", absl::StrFormat("[%6.1f s] %s: %s\n",
                                    absl::ToDoubleSeconds(Now() - begin_),
                                    outcome_.scenario, line)
                        .c_str());
  std::fflush(stdout);
}

Pauses Trial::ReportPauses(absl::Duration reach, const Counts& counts) {
  Pauses all;
  for (const absl::Duration fault : faults_) {
    all.Add(PausesAt(checked_, fault, reach, counts));
  }
  outcome_.figures["pauses"] = all.count();
  outcome_.figures["pause_p50_seconds"] =
      absl::ToDoubleSeconds(all.Quantile(0.5));
  outcome_.figures["pause_p99_seconds"] =
      absl::ToDoubleSeconds(all.Quantile(0.99));
  outcome_.figures["pause_longest_seconds"] =
      absl::ToDoubleSeconds(all.longest());
  std::map<std::string, Pauses> moved;
  for (const std::string& name :
       NamesOf(cluster_->layout(), ProcessKind::kDenseWorker)) {
    for (const auto& [field, times] : MovedTimes(cluster_->Log(name))) {
      moved[field].Add(times);
    }
  }
  for (const auto& [field, times] : moved) {
    for (const auto& [suffix, part] :
         {std::pair("_p50_seconds", 0.5), std::pair("_p99_seconds", 0.99)}) {
      outcome_.figures["moved_" + field.substr(0, field.rfind('_')) + suffix] =
          absl::ToDoubleSeconds(times.Quantile(part));
    }
  }
  return all;
}

void Trial::AddBar(const std::string& name, absl::Duration measured,
                   absl::Duration limit) {
  outcome_.bars.push_back(
      {name, absl::ToDoubleSeconds(measured), absl::ToDoubleSeconds(limit)});
}

void Trial::CheckGrowth() {
  const absl::Status alive = cluster_->CheckRunning();
  if (!alive.ok()) {
    outcome_.AddProblems({std::string(alive.message())});
  }
  double running = 0, sequences = 0, blocks = 0;
  const bool idle = Eventually(kPatience, [&] {
    running =
        cluster_->Sum(ProcessKind::kRouter, "apollo_num_requests_running");
    sequences = cluster_->Sum(ProcessKind::kDenseWorker,
                              "apollo_num_sequences_running") +
                cluster_->Sum(ProcessKind::kExpertWorker,
                              "apollo_num_expert_sequences_running");
    blocks =
        cluster_->Sum(ProcessKind::kDenseWorker, "apollo_cache_blocks_used");
    return running + sequences + blocks == 0;
  });
  if (!idle) {
    outcome_.AddProblems({absl::StrCat("without requests, routers run ",
                                       running, " calls, workers ", sequences,
                                       " sequences with ", blocks, " blocks")});
  }
  for (const auto& [name, before] : baseline_) {
    if (cluster_->Pid(name) != before.first) continue;  // A new process.
    const ProcessUsage& old = before.second;
    ProcessUsage now;
    const bool small = Eventually(kPatience, [&] {
      now = cluster_->Usage(name);
      return now.descriptors <= old.descriptors + kMoreDescriptors &&
             now.resident_bytes <= old.resident_bytes + kMoreBytes;
    });
    if (small) continue;
    outcome_.AddProblems({absl::StrCat(
        name, " has grown from ", old.descriptors, " to ", now.descriptors,
        " descriptors, and from ", old.resident_bytes >> 20, " to ",
        now.resident_bytes >> 20, " MiB")});
  }
}

void Trial::ShowLogs() const {
  if (cluster_ == nullptr) return;
  for (const std::string& name : NamesOf(cluster_->layout())) {
    const std::string log = cluster_->Log(name);
    std::size_t from = log.size();
    for (int line = 0; line <= kLogLines && from != std::string::npos; ++line) {
      from = from == 0 ? std::string::npos : log.rfind('\n', from - 1);
    }
    std::printf("--- %s\n%s\n", name.c_str(),
                log.substr(from == std::string::npos ? 0 : from + 1).c_str());
  }
}

}  // namespace apollo
