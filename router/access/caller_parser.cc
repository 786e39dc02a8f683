#include "router/access/caller_parser.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "router/access/policy.h"

namespace apollo {
namespace {

constexpr double kMostPerSecond = 1e9;
constexpr std::int64_t kMost = std::numeric_limits<int>::max();

// Metrics use these as names of callers.
constexpr const char* kReserved[] = {"anonymous", "unknown"};

// Reads NAME_per_second and NAME_burst. Without a burst, it is that of one
// second, but at least `least_burst`.
absl::StatusOr<std::optional<RateLimit>> ReadRate(JsonFields& fields,
                                                  const std::string& name,
                                                  double least_burst) {
  const std::string rate_name = name + "_per_second";
  const std::string burst_name = name + "_burst";
  ASSIGN_OR_RETURN(const auto rate,
                   fields.Number(rate_name.c_str(), 1e-6, kMostPerSecond));
  ASSIGN_OR_RETURN(const auto burst,
                   fields.Number(burst_name.c_str(), 1, kMostPerSecond));
  if (!rate && burst) {
    return WrongField(fields.PathOf(burst_name),
                      absl::StrCat("needs ", rate_name));
  }
  if (!rate) return std::nullopt;
  return RateLimit{*rate, burst.value_or(std::max(*rate, least_burst))};
}

absl::StatusOr<TokenIdentity> ReadToken(const Json& value,
                                        const std::string& path) {
  JsonFields fields(value, path);
  RETURN_IF_ERROR(fields.Check());
  TokenIdentity token;
  for (const auto& [name, member] :
       {std::pair{"issuer", &TokenIdentity::issuer},
        std::pair{"audience", &TokenIdentity::audience}}) {
    ASSIGN_OR_RETURN(const auto text, fields.Text(name));
    if (!text) return WrongField(fields.PathOf(name), "is missing");
    token.*member = *text;
  }
  ASSIGN_OR_RETURN(const auto subject, fields.Text("subject"));
  ASSIGN_OR_RETURN(const auto claim, fields.Text("claim"));
  ASSIGN_OR_RETURN(const auto claim_value, fields.Text("value"));
  RETURN_IF_ERROR(fields.CheckNoOthers());
  if (subject.has_value() == claim.has_value() ||
      claim.has_value() != claim_value.has_value()) {
    return WrongField(path,
                      "must have either \"subject\" or both \"claim\" and "
                      "\"value\"");
  }
  if (claim) token.claim = *claim;
  token.value = subject ? *subject : *claim_value;
  return token;
}

absl::Status CheckHash(const std::string& hash, const std::string& path) {
  const bool hex = hash.size() == 64 &&
                   std::all_of(hash.begin(), hash.end(), [](unsigned char c) {
                     return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
                   });
  if (hex) return absl::OkStatus();
  return WrongField(path,
                    "is not a SHA-256; it must have 64 lower-case hexadecimal "
                    "digits");
}

absl::Status ReadIdentities(const Json& value, const std::string& path,
                            CallerIdentities& out) {
  JsonFields fields(value, path);
  RETURN_IF_ERROR(fields.Check());
  ASSIGN_OR_RETURN(out.uris, fields.Texts("uris"));
  ASSIGN_OR_RETURN(out.dns_names, fields.Texts("dns_names"));
  ASSIGN_OR_RETURN(out.certificates, fields.Texts("certificate_sha256"));
  for (std::size_t i = 0; i < out.certificates.size(); ++i) {
    RETURN_IF_ERROR(CheckHash(
        out.certificates[i],
        absl::StrCat(fields.PathOf("certificate_sha256"), "[", i, "]")));
  }
  RETURN_IF_ERROR(fields.ForEach(
      "tokens",
      [&](const Json& element, const std::string& where) -> absl::Status {
        ASSIGN_OR_RETURN(TokenIdentity token, ReadToken(element, where));
        out.tokens.push_back(std::move(token));
        return absl::OkStatus();
      }));
  ASSIGN_OR_RETURN(const auto anonymous, fields.Flag("anonymous"));
  out.anonymous = anonymous.value_or(false);
  RETURN_IF_ERROR(fields.CheckNoOthers());
  if (out.uris.empty() && out.dns_names.empty() && out.certificates.empty() &&
      out.tokens.empty() && !out.anonymous) {
    return WrongField(path, "is empty; nobody could be this caller");
  }
  return absl::OkStatus();
}

absl::Status ReadRights(JsonFields& fields, const RoleTable& roles,
                        Caller& caller) {
  ASSIGN_OR_RETURN(const auto role, fields.Text("role"));
  if (role) {
    const auto it = roles.find(*role);
    if (it == roles.end()) {
      std::vector<std::string> names;
      for (const auto& [name, methods] : roles) names.push_back(name);
      return WrongField(fields.PathOf("role"),
                        absl::StrCat("is no role; it must be one of ",
                                     absl::StrJoin(names, ", ")));
    }
    caller.methods = it->second;
    caller.edge = *role == kEdgeRole;
  }
  ASSIGN_OR_RETURN(const std::set<RpcMethod> methods,
                   ReadMethods(fields, "methods"));
  caller.methods.insert(methods.begin(), methods.end());
  if (caller.methods.empty() && !caller.edge) {
    return WrongField(fields.path(),
                      "has neither \"role\" nor \"methods\"; it could call "
                      "nothing");
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> models,
                   fields.Texts("models"));
  caller.any_model = fields.Find("models") == nullptr;
  caller.models = {models.begin(), models.end()};
  ASSIGN_OR_RETURN(const auto priority,
                   fields.Integer("max_priority", -kMaxPriority, kMaxPriority));
  caller.max_priority = static_cast<int>(priority.value_or(kMaxPriority));
  return absl::OkStatus();
}

// Finds identities of two callers.
class Owners {
 public:
  // Returns an error if the identity has another owner.
  absl::Status Add(const std::string& kind, const std::string& value,
                   std::size_t caller) {
    const auto [it, added] = owners_.emplace(kind + '\0' + value, caller);
    if (added || it->second == caller) return absl::OkStatus();
    return WrongField(absl::StrCat("callers[", caller, "].", kind),
                      absl::StrCat("has a value of callers[", it->second,
                                   "]; it must belong to one caller"));
  }

 private:
  std::map<std::string, std::size_t> owners_;
};

}  // namespace

RoleTable BuiltInRoles() {
  const std::set<RpcMethod> client = {
      RpcMethod::kGenerate, RpcMethod::kComplete, RpcMethod::kScore,
      RpcMethod::kTokenize, RpcMethod::kGetModel, RpcMethod::kDetectLanguage};
  std::set<RpcMethod> all = client;
  all.insert(
      {RpcMethod::kGetStatus, RpcMethod::kGetRouting, RpcMethod::kReflection});
  return {{"client", client}, {"operator", all}, {kEdgeRole, {}}};
}

absl::StatusOr<std::set<RpcMethod>> ReadMethods(JsonFields& fields,
                                                const char* name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fields.Texts(name));
  std::set<RpcMethod> methods;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::optional<RpcMethod> method = RpcMethodNamed(names[i]);
    if (!method) {
      return WrongField(absl::StrCat(fields.PathOf(name), "[", i, "]"),
                        absl::StrCat("is no method; it must be one of ",
                                     absl::StrJoin(RpcMethodNames(), ", ")));
    }
    methods.insert(*method);
  }
  return methods;
}

absl::StatusOr<CallerLimits> ReadLimits(const Json& value,
                                        const std::string& path) {
  JsonFields fields(value, path);
  RETURN_IF_ERROR(fields.Check());
  CallerLimits limits;
  ASSIGN_OR_RETURN(limits.requests, ReadRate(fields, "requests", 1));
  ASSIGN_OR_RETURN(limits.tokens, ReadRate(fields, "tokens", 1));
  ASSIGN_OR_RETURN(const auto streams, fields.Integer("streams", 1, kMost));
  if (streams) limits.streams = static_cast<int>(*streams);
  ASSIGN_OR_RETURN(limits.prompt_tokens,
                   fields.Integer("prompt_tokens", 1, kMost));
  ASSIGN_OR_RETURN(limits.message_bytes,
                   fields.Integer("message_bytes", 1, kMost));
  ASSIGN_OR_RETURN(limits.metadata_bytes,
                   fields.Integer("metadata_bytes", 1, kMost));
  RETURN_IF_ERROR(fields.CheckNoOthers());
  return limits;
}

absl::StatusOr<Caller> ReadCaller(const Json& value, const std::string& path,
                                  const RoleTable& roles) {
  JsonFields fields(value, path);
  RETURN_IF_ERROR(fields.Check());
  Caller caller;
  ASSIGN_OR_RETURN(const auto name, fields.Text("name"));
  if (!name) return WrongField(fields.PathOf("name"), "is missing");
  ASSIGN_OR_RETURN(const auto tenant, fields.Text("tenant"));
  caller.name = *name;
  caller.tenant = tenant.value_or(*name);
  for (const auto& [field, text] :
       {std::pair{"name", &caller.name}, std::pair{"tenant", &caller.tenant}}) {
    if (!IsCallerName(*text)) {
      return WrongField(fields.PathOf(field),
                        "must have 1 to 64 characters of [a-z0-9_.-]");
    }
  }
  for (const char* reserved : kReserved) {
    if (caller.name != reserved) continue;
    return WrongField(fields.PathOf("name"),
                      absl::StrCat("is \"", reserved,
                                   "\", which metrics use; choose another"));
  }
  const Json* identities = fields.Find("identities");
  if (identities == nullptr) {
    return WrongField(fields.PathOf("identities"), "is missing");
  }
  RETURN_IF_ERROR(ReadIdentities(*identities, fields.PathOf("identities"),
                                 caller.identities));
  RETURN_IF_ERROR(ReadRights(fields, roles, caller));
  if (const Json* limits = fields.Find("limits")) {
    ASSIGN_OR_RETURN(caller.limits,
                     ReadLimits(*limits, fields.PathOf("limits")));
  }
  RETURN_IF_ERROR(fields.CheckNoOthers());
  if (caller.edge &&
      (!caller.identities.tokens.empty() || caller.identities.anonymous)) {
    return WrongField(fields.PathOf("identities"),
                      "of an edge must be names or hashes of certificates");
  }
  return caller;
}

absl::Status CheckDistinct(const std::vector<Caller>& callers) {
  Owners owners;
  for (std::size_t i = 0; i < callers.size(); ++i) {
    const CallerIdentities& own = callers[i].identities;
    RETURN_IF_ERROR(owners.Add("name", callers[i].name, i));
    for (const std::string& uri : own.uris) {
      RETURN_IF_ERROR(owners.Add("identities.uris", uri, i));
    }
    for (const std::string& name : own.dns_names) {
      RETURN_IF_ERROR(owners.Add("identities.dns_names", name, i));
    }
    for (const std::string& hash : own.certificates) {
      RETURN_IF_ERROR(owners.Add("identities.certificate_sha256", hash, i));
    }
    for (const TokenIdentity& token : own.tokens) {
      RETURN_IF_ERROR(owners.Add(
          "identities.tokens",
          absl::StrCat(token.issuer, absl::string_view("\0", 1), token.audience,
                       absl::string_view("\0", 1), token.claim,
                       absl::string_view("\0", 1), token.value),
          i));
    }
    if (own.anonymous) {
      RETURN_IF_ERROR(owners.Add("identities.anonymous", "", i));
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo
