#include "tools/simulate/scenario.h"

#include <absl/strings/str_cat.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/status_macros.h"
#include "model/language/families.h"
#include "tools/simulate/fields.h"

namespace apollo::simulate {
namespace {

constexpr double kMostSeconds = 1e6;

absl::StatusOr<Json> ReadJson(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError("cannot open " + path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return ParseJson(text, path);
}

// Reads the object at `key` with `read`, which gets its fields.
template <typename F>
void Part(Fields& fields, const char* key, F read) {
  const Json* const json = fields.Get(key);
  if (json == nullptr) return;
  Fields part(*json, fields.Path(absl::StrCat(key, ".")));
  if (part.ok()) read(part);
  fields.Update(part.Done());
}

void ReadModel(Fields& f, Scenario::Model& model) {
  f.Integer("sparse_layers", 1, 1024, model.sparse_layers);
  f.Integer("experts", 1, 1024, model.experts);
  f.Integer("experts_per_token", 1, 1024, model.experts_per_token);
  f.Integer("hidden", 1, 1 << 20, model.hidden);
  f.Number("affinity", 0, 1, model.affinity);
  f.Flag("hybrid", model.hybrid);
  if (model.experts_per_token > model.experts) {
    f.Fail("experts_per_token",
           absl::StrCat("is ", model.experts_per_token,
                        "; it must be at most the number of experts, ",
                        model.experts));
  }
}

void ReadDense(Fields& f, Scenario::DenseWorkers& dense) {
  f.Integer("count", 1, 1000, dense.count);
  f.Integer("token_budget", 1, 1 << 20, dense.scheduler.token_budget);
  f.Integer("mixed_token_budget", 1, 1 << 20,
            dense.scheduler.mixed_token_budget);
  f.Integer("max_running", 1, 1 << 20, dense.scheduler.max_running);
  f.Integer("max_waiting", 0, 1 << 20, dense.max_waiting);
  f.Integer("steps_in_flight", 1, 64, dense.steps_in_flight);
  f.Integer("cache_tokens", 16, 1 << 28, dense.cache_tokens);
}

void ReadFixed(Fields& f, const Json& json, int experts,
               Scenario::ExpertWorkers& expert) {
  const std::string valid = absl::StrCat(
      "must be \"in_turn\", \"auto\", or for each worker a list of experts "
      "below ",
      experts, ", such as [[0, 3], [1, 2]]");
  if (!json.is_array() || json.empty()) return f.Fail("placement", valid);
  expert.placement = Scenario::Placement::kFixed;
  for (const Json& list : json) {
    if (!list.is_array()) return f.Fail("placement", valid);
    std::set<int>& own = expert.fixed.emplace_back();
    for (const Json& number : list) {
      if (!number.is_number_integer() || number < 0 || number >= experts) {
        return f.Fail("placement", valid);
      }
      own.insert(number.get<int>());
    }
  }
}

void ReadExpert(Fields& f, int experts, Scenario::ExpertWorkers& expert) {
  f.Integer("count", 1, 1000, expert.count);
  f.Integer("replicas", 1, 1000, expert.replicas);
  f.Integer("standby", 0, 1024, expert.standby);
  f.Integer("room", 0, 1024, expert.room);
  f.Number("load_seconds", 0, kMostSeconds, expert.load_seconds);
  f.Integer("max_batch_rows", 1, 1 << 20, expert.max_batch_rows);
  std::string pinning = "prefer";
  f.String("pinning", pinning);
  const auto parsed = ParsePinning(pinning);
  if (parsed.ok()) {
    expert.pinning = *parsed;
  } else {
    f.Fail("pinning", absl::StrCat("is \"", pinning,
                                   "\"; it must be strict, prefer or none"));
  }
  const Json* const placement = f.Get("placement");
  if (placement == nullptr || *placement == "in_turn") return;
  if (*placement == "auto") {
    expert.placement = Scenario::Placement::kAuto;
  } else {
    ReadFixed(f, *placement, experts, expert);
  }
}

void ReadLanguages(Fields& f, int experts, Scenario::Traffic& traffic) {
  const Json* const json = f.Get("languages");
  if (json == nullptr || !json->is_object() || json->empty()) {
    return f.Fail("languages",
                  "must map languages to their shares of the requests, such as "
                  "{\"en\": 0.7, \"sw\": 0.3}");
  }
  double sum = 0;
  for (const auto& [code, share] : json->items()) {
    const auto family = FamilyTable::Paper().ExpertOf(code);
    if (!family) {
      return f.Fail("languages." + code,
                    "is no language of the published families, such as en");
    }
    if (*family >= experts) {
      return f.Fail("languages." + code,
                    absl::StrCat("is of family ", *family, ", but there are ",
                                 experts, " experts"));
    }
    if (!share.is_number() || share < 0) {
      return f.Fail("languages." + code,
                    absl::StrCat("is ", share.dump(), "; it must be from 0"));
    }
    traffic.languages.push_back({code, *family, share.get<double>()});
    sum += share.get<double>();
  }
  if (!(sum > 0)) f.Fail("languages", "has no share above 0");
}

void ReadSurges(Fields& f, Scenario::Traffic& traffic) {
  const Json* const json = f.Get("surges");
  if (json == nullptr) return;
  if (!json->is_array()) return f.Fail("surges", "must be a list");
  for (std::size_t i = 0; i < json->size(); ++i) {
    Fields surge((*json)[i], f.Path(absl::StrCat("surges[", i, "].")));
    Scenario::Surge& own = traffic.surges.emplace_back();
    std::string code;
    surge.String("language", code);
    surge.Number("from", 0, kMostSeconds, own.from);
    surge.Number("to", own.from, kMostSeconds, own.to);
    surge.Number("factor", 0, 1e6, own.factor);
    own.language = -1;
    for (std::size_t l = 0; l < traffic.languages.size(); ++l) {
      if (traffic.languages[l].code == code) own.language = static_cast<int>(l);
    }
    if (own.language < 0) {
      surge.Fail("language", absl::StrCat("is \"", code, "\"; it must be one ",
                                          "of traffic.languages"));
    }
    f.Update(surge.Done());
  }
}

void ReadTraffic(Fields& f, int experts, Scenario::Traffic& traffic) {
  f.Number("requests_per_second", 0, 1e6, traffic.requests_per_second);
  f.Integer("streams", 0, 1 << 20, traffic.streams);
  f.Flag("repeat", traffic.repeat);
  f.Range("prompt_tokens", traffic.prompt_least, traffic.prompt_most);
  f.Range("answer_tokens", traffic.answer_least, traffic.answer_most);
  ReadLanguages(f, experts, traffic);
  ReadSurges(f, traffic);
  if ((traffic.requests_per_second > 0) == (traffic.streams > 0)) {
    f.Fail("requests_per_second",
           "or streams must be above 0, and the other missing");
  }
}

void ReadFailures(Fields& f, int workers,
                  std::vector<Scenario::Failure>& failures) {
  const Json* const json = f.Get("failures");
  if (json == nullptr) return;
  if (!json->is_array()) return f.Fail("failures", "must be a list");
  for (std::size_t i = 0; i < json->size(); ++i) {
    Fields one((*json)[i], f.Path(absl::StrCat("failures[", i, "].")));
    Scenario::Failure& own = failures.emplace_back();
    one.Integer("expert_worker", 0, workers - 1, own.expert_worker);
    one.Number("at", 0, kMostSeconds, own.at);
    one.Number("back_at", own.at, kMostSeconds, own.back_at);
    f.Update(one.Done());
  }
}

void ReadTimes(Fields& f, const std::string& directory, StageTimes& times) {
  const Json* json = f.Get("times");
  if (json == nullptr) {
    return f.Fail("times",
                  "is missing; it must be the name of a file that "
                  "tools/simulate/measure has written, or its content");
  }
  absl::StatusOr<Json> content;
  std::string where = f.Path("times.");
  if (json->is_string()) {
    const std::string path =
        (std::filesystem::path(directory) / json->get<std::string>()).string();
    content = ReadJson(path);
    if (!content.ok()) return f.Update(content.status());
    json = &*content;
    where = path + ": ";
  }
  const absl::StatusOr<StageTimes> read = ReadStageTimes(*json, where);
  f.Update(read.status());
  if (read.ok()) times = *read;
}

void ReadParts(Fields& f, Scenario& s) {
  Part(f, "model", [&](Fields& part) { ReadModel(part, s.model); });
  Part(f, "machines", [&](Fields& part) {
    part.Integer("cores", 0, 4096, s.machines.cores);
    part.Integer("workers_per_machine", 0, 4096,
                 s.machines.workers_per_machine);
  });
  Part(f, "link", [&](Fields& part) {
    part.Number("latency", 0, 100, s.link.latency);
    part.Number("bytes_per_second", 1, 1e15, s.link.bytes_per_second);
  });
  Part(f, "router", [&](Fields& part) {
    part.Number("request_seconds", 0, 100, s.router.request_seconds);
    part.Number("token_seconds", 0, 100, s.router.token_seconds);
  });
  Part(f, "dense_workers", [&](Fields& part) { ReadDense(part, s.dense); });
  Part(f, "expert_workers",
       [&](Fields& part) { ReadExpert(part, s.model.experts, s.expert); });
  if (f.Get("traffic") == nullptr) f.Fail("traffic", "is missing");
  Part(f, "traffic",
       [&](Fields& part) { ReadTraffic(part, s.model.experts, s.traffic); });
}

}  // namespace

absl::StatusOr<Scenario> ReadScenario(const Json& json,
                                      const std::string& directory) {
  Fields fields(json, "");
  Scenario scenario;
  int seed = 1;
  fields.String("name", scenario.name);
  fields.Integer("seed", 0, 1 << 30, seed);
  scenario.seed = static_cast<std::uint64_t>(seed);
  fields.Number("seconds", 0.001, kMostSeconds, scenario.seconds);
  fields.Number("warm_up_seconds", 0, scenario.seconds,
                scenario.warm_up_seconds);
  fields.Number("report_seconds", 0.001, 100, scenario.report_seconds);
  fields.Number("lease_seconds", 0, 1000, scenario.lease_seconds);
  ReadParts(fields, scenario);
  ReadFailures(fields, scenario.expert.count, scenario.failures);
  ReadTimes(fields, directory, scenario.times);
  RETURN_IF_ERROR(fields.Done());
  const int most = scenario.traffic.prompt_most + scenario.traffic.answer_most;
  if (most > scenario.dense.cache_tokens) {
    return absl::InvalidArgumentError(absl::StrCat(
        "dense_workers.cache_tokens is ", scenario.dense.cache_tokens,
        "; the longest prompt and answer of traffic need ", most));
  }
  return scenario;
}

absl::StatusOr<Scenario> LoadScenario(const std::string& path) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(path));
  absl::StatusOr<Scenario> scenario =
      ReadScenario(json, std::filesystem::path(path).parent_path().string());
  if (scenario.ok()) return scenario;
  return absl::Status(scenario.status().code(),
                      absl::StrCat(path, ": ", scenario.status().message()));
}

}  // namespace apollo::simulate
