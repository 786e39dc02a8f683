#include "router/access/policy.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/json.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "router/access/caller_parser.h"
#include "router/access/json_fields.h"

namespace apollo {
namespace {

constexpr int kVersion = 1;

absl::Status ReadWeights(JsonFields& fields, Policy& policy) {
  const Json* weights = fields.Find("language_weights");
  if (weights == nullptr) return absl::OkStatus();
  JsonFields by_language(*weights, fields.PathOf("language_weights"));
  RETURN_IF_ERROR(by_language.Check());
  for (const auto& [language, value] : weights->items()) {
    ASSIGN_OR_RETURN(
        const std::optional<double> weight,
        by_language.Number(language.c_str(), Policy::kLeastWeight, 1));
    policy.language_weights[language] = *weight;
  }
  return absl::OkStatus();
}

absl::StatusOr<RoleTable> ReadRoles(JsonFields& fields) {
  RoleTable roles = BuiltInRoles();
  const Json* own = fields.Find("roles");
  if (own == nullptr) return roles;
  JsonFields by_name(*own, fields.PathOf("roles"));
  RETURN_IF_ERROR(by_name.Check());
  for (const auto& [name, value] : own->items()) {
    const std::string path = by_name.PathOf(name);
    if (!IsCallerName(name)) {
      return WrongField(path, "must have 1 to 64 characters of [a-z0-9_.-]");
    }
    if (roles.contains(name)) {
      return WrongField(path, "is a built-in role; choose another name");
    }
    ASSIGN_OR_RETURN(roles[name], ReadMethods(by_name, name.c_str()));
  }
  return roles;
}

absl::Status ReadPolicy(const Json& json, Policy& policy) {
  JsonFields fields(json, "");
  RETURN_IF_ERROR(fields.Check());
  ASSIGN_OR_RETURN(const auto version,
                   fields.Integer("version", kVersion, kVersion));
  if (!version) return WrongField("version", "is missing; it must be 1");
  RETURN_IF_ERROR(ReadWeights(fields, policy));
  ASSIGN_OR_RETURN(const RoleTable roles, ReadRoles(fields));
  if (const Json* overall = fields.Find("overall")) {
    ASSIGN_OR_RETURN(policy.overall, ReadLimits(*overall, "overall"));
  }
  RETURN_IF_ERROR(fields.ForEach(
      "callers",
      [&](const Json& element, const std::string& path) -> absl::Status {
        if (policy.callers.size() == Policy::kMaxCallers) {
          return WrongField(
              "callers",
              absl::StrCat("has more than ", Policy::kMaxCallers, " callers"));
        }
        ASSIGN_OR_RETURN(Caller caller, ReadCaller(element, path, roles));
        policy.callers.push_back(std::move(caller));
        return absl::OkStatus();
      }));
  if (policy.callers.empty()) {
    return WrongField("callers", "is empty; nobody could call");
  }
  RETURN_IF_ERROR(fields.CheckNoOthers());
  return CheckDistinct(policy.callers);
}

}  // namespace

double Policy::WeightOf(const std::string& language) const {
  const auto it = language_weights.find(language);
  return it == language_weights.end() ? 1 : it->second;
}

bool IsCallerName(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) ||
                  c == '_' || c == '.' || c == '-';
         });
}

absl::StatusOr<Policy> ParsePolicy(std::string_view text,
                                   std::string_view source) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, source));
  Policy policy;
  if (const absl::Status status = ReadPolicy(json, policy); !status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat(ToAbsl(source), ": ", status.message()));
  }
  return policy;
}

}  // namespace apollo
