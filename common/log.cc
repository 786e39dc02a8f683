#include "common/log.h"

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <absl/types/span.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>

namespace apollo {
namespace {

std::string& ProcessName() {
  static std::string* name = new std::string("apollo");
  return *name;
}

// The line is already JSON; the library only serializes and flushes the writes.
spdlog::logger& Logger() {
  static spdlog::logger* logger = [] {
    auto* created = new spdlog::logger(
        "apollo", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_pattern("%v");
    created->flush_on(spdlog::level::info);
    return created;
  }();
  return *logger;
}

void Log(spdlog::level::level_enum severity, const char* level,
         const char* event, absl::Span<const LogField> fields) {
  if (!Logger().should_log(severity)) return;
  nlohmann::ordered_json line;
  line["time"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(),
                                  absl::UTCTimeZone());
  line["level"] = level;
  line["process"] = ProcessName();
  line["event"] = event;
  for (const LogField& field : fields) {
    std::visit([&](const auto& value) { line[field.name] = value; },
               field.value);
  }
  Logger().log(severity, "{}",
               line.dump(-1, ' ', true,
                         nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

void SetLogProcess(std::string_view name) { ProcessName() = std::string(name); }

void SetLogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kInfo:
      Logger().set_level(spdlog::level::info);
      return;
    case LogLevel::kWarning:
      Logger().set_level(spdlog::level::warn);
      return;
    case LogLevel::kError:
      Logger().set_level(spdlog::level::err);
      return;
  }
}

void LogInfo(const char* event, const std::vector<LogField>& fields) {
  Log(spdlog::level::info, "info", event, fields);
}
void LogInfo(const char* event, LogFields fields) {
  Log(spdlog::level::info, "info", event, {fields.begin(), fields.size()});
}
void LogWarning(const char* event, const std::vector<LogField>& fields) {
  Log(spdlog::level::warn, "warning", event, fields);
}
void LogWarning(const char* event, LogFields fields) {
  Log(spdlog::level::warn, "warning", event, {fields.begin(), fields.size()});
}
void LogError(const char* event, const std::vector<LogField>& fields) {
  Log(spdlog::level::err, "error", event, fields);
}
void LogError(const char* event, LogFields fields) {
  Log(spdlog::level::err, "error", event, {fields.begin(), fields.size()});
}

}  // namespace apollo
