#!/bin/bash
# Fails if a session depends on gRPC, protobuf or generated messages, directly or
# indirectly.
set -euo pipefail
forbidden='^//(proto|link|router/grpc)[/:]|^//third_party/system:(grpc|protobuf)'

# The front does depend on them; otherwise the pattern or the query is wrong.
for what in //proto/ //third_party/system:grpc //third_party/system:protobuf; do
  grep -E "$forbidden" router/session/front_deps | grep -q "^$what" || {
    echo "the front does not depend on $what: this test would find nothing" >&2
    exit 1
  }
done
grep -q '^//router/session:session$' router/session/deps
if grep -E "$forbidden" router/session/deps; then
  echo "the sessions must not depend on these" >&2
  exit 1
fi
