#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the process if an invariant of this program is broken. Never use it for
// input, files or the network: those get an absl::Status. The message contains
// only source text, so it cannot leak user data.
#define APOLLO_CHECK(condition)                                       \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, \
                   __LINE__, #condition);                             \
      std::abort();                                                   \
    }                                                                 \
  } while (false)
