#include "serving/version.h"

#include "serving/build_stamp.h"

namespace apollo {

std::string VersionText() {
#ifdef NDEBUG
  constexpr char kBuild[] = "optimized build";
#else
  constexpr char kBuild[] = "build with assertions";
#endif
  return std::string(kVersion) + " (commit " + kBuildCommit + ", " + kBuild +
         ")";
}

}  // namespace apollo
