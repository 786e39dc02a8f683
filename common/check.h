#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the process when an invariant of this program's own code is broken.
// Never for input, files or the network: those get an absl::Status. The message
// holds only source text, so no user data can reach it.
#define APOLLO_CHECK(condition)                                       \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, \
                   __LINE__, #condition);                             \
      std::abort();                                                   \
    }                                                                 \
  } while (false)
