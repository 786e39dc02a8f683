#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/json.h"
#include "router/access/caller.h"
#include "router/access/json_fields.h"

namespace apollo {

// The methods of each role, by its name.
using RoleTable = std::map<std::string, std::set<RpcMethod>>;

// The role of edge proxies, which may call nothing themselves.
inline constexpr char kEdgeRole[] = "edge";

// Returns the roles of every policy: "client", "operator" and "edge".
RoleTable BuiltInRoles();

// Read parts of a policy. Errors are INVALID_ARGUMENT and start with the path
// of the field; `path` is that of the value.
absl::StatusOr<std::set<RpcMethod>> ReadMethods(JsonFields& fields,
                                                const char* name);
absl::StatusOr<CallerLimits> ReadLimits(const Json& value,
                                        const std::string& path);
absl::StatusOr<Caller> ReadCaller(const Json& value, const std::string& path,
                                  const RoleTable& roles);

// Returns an error if two callers have the same name or an identity in common.
absl::Status CheckDistinct(const std::vector<Caller>& callers);

}  // namespace apollo
