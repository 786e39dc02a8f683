#include "serving/process_metrics.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "serving/build_stamp.h"
#include "serving/version.h"

namespace apollo {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Numbers of /proc/self/stat; see proc(5).
struct Stat {
  std::int64_t threads = 0;
  std::uint64_t start_ticks = 0;  // Since the boot.
  std::uint64_t virtual_bytes = 0;
  std::int64_t resident_pages = 0;
};

std::optional<Stat> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The second field, in parentheses, may contain spaces.
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(end + 1));
  std::string skipped;
  for (int field = 3; field < 20; ++field) fields >> skipped;
  Stat stat;
  fields >> stat.threads >> skipped >> stat.start_ticks >> stat.virtual_bytes >>
      stat.resident_pages;
  if (!fields) return std::nullopt;
  return stat;
}

// Returns the time of the boot in seconds since the Unix epoch.
std::optional<double> BootTime() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> OpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return std::nullopt;
  // The iterator has a descriptor of its own.
  return static_cast<double>(
      std::distance(begin(files), std::filesystem::end(files)) - 1);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) * 1e-6;
}

class Families {
 public:
  void Add(std::string_view name, std::optional<double> value,
           std::vector<ClientMetric::Label> labels = {}) {
    if (!value) return;
    for (const MetricSpec& spec : kProcessMetrics) {
      if (spec.name != name) continue;
      const bool counter = spec.kind == MetricKind::kCounter;
      ClientMetric metric;
      metric.label = std::move(labels);
      (counter ? metric.counter.value : metric.gauge.value) = *value;
      families_.push_back({spec.name,
                           spec.help,
                           counter ? MetricType::Counter : MetricType::Gauge,
                           {metric}});
      return;
    }
  }
  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

}  // namespace

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  Families families;
  families.Add("apollo_build_info", 1,
               {{"commit", kBuildCommit}, {"version", kVersion}});
  if (const std::optional<Stat> stat = ReadStat()) {
    if (const std::optional<double> boot = BootTime()) {
      families.Add("process_start_time_seconds",
                   *boot + static_cast<double>(stat->start_ticks) /
                               static_cast<double>(sysconf(_SC_CLK_TCK)));
    }
    families.Add("process_resident_memory_bytes",
                 static_cast<double>(stat->resident_pages) *
                     static_cast<double>(sysconf(_SC_PAGESIZE)));
    families.Add("process_virtual_memory_bytes",
                 static_cast<double>(stat->virtual_bytes));
    families.Add("process_threads", static_cast<double>(stat->threads));
  }
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    families.Add("process_cpu_seconds_total",
                 Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  }
  families.Add("process_open_fds", OpenFiles());
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    families.Add("process_max_fds",
                 limit.rlim_cur == RLIM_INFINITY
                     ? std::numeric_limits<double>::infinity()
                     : static_cast<double>(limit.rlim_cur));
  }
  return families.Take();
}

}  // namespace apollo
