// A collector of spans for the canary tests: prints its address, receives until
// its input ends, then prints everything received, as values
// (message_values.h) and as the bytes that came.

#include <cstdio>
#include <iostream>

#include "serving/fake_collector.h"
#include "tests/privacy/message_values.h"

int main() {
  apollo::FakeCollector collector;
  std::cout << collector.address() << std::endl;
  while (std::getchar() != EOF) {
  }
  for (const auto& request : collector.requests()) {
    std::cout << apollo::ValuesOf(request) << request.SerializeAsString()
              << '\n';
  }
  return std::cout.flush() ? 0 : 1;
}
