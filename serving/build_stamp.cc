#include "serving/build_stamp.h"

// Defined by the option that tools/stamp.sh prints.
#ifndef APOLLO_COMMIT
#define APOLLO_COMMIT unknown
#endif

#define APOLLO_TEXT(words) #words
#define APOLLO_TEXT_OF(macro) APOLLO_TEXT(macro)

namespace apollo {

extern const char kBuildCommit[] = APOLLO_TEXT_OF(APOLLO_COMMIT);

}  // namespace apollo
