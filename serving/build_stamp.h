#pragma once

namespace apollo {

// The commit of the build, or "unknown".
extern const char kBuildCommit[];

}  // namespace apollo
