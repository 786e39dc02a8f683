#include "tests/faults/trial/moved_events.h"

#include <absl/strings/match.h>

#include <sstream>

#include "common/json.h"

namespace apollo {

std::map<std::string, Pauses> MovedTimes(const std::string& log) {
  std::map<std::string, Pauses> times;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("\"sequence_moved\"") == std::string::npos) continue;
    const absl::StatusOr<Json> event = ParseJson(line, "log");
    if (!event.ok() || event->value("event", "") != "sequence_moved") continue;
    for (const auto& [name, value] : event->items()) {
      if (!value.is_number()) continue;
      const double number = value.get<double>();
      if (absl::EndsWith(name, "_seconds")) {
        times[name].Add(absl::Seconds(number));
      } else if (absl::EndsWith(name, "_ms")) {
        times[name].Add(absl::Milliseconds(number));
      }
    }
  }
  return times;
}

}  // namespace apollo
