#pragma once

#include <google/protobuf/message.h>

#include <set>
#include <string>
#include <vector>

namespace apollo {

// Finds fields that are set in none of some messages, such as fields that an
// encoder forgets. For tests of codecs. Single-threaded.
class FieldCoverage {
 public:
  // Notes the fields set in the message and in all nested messages.
  void Add(const google::protobuf::Message& message);

  // Returns the full names of the fields of `type`, and of all nested types,
  // that are set in no message, sorted by name.
  std::vector<std::string> Missing(
      const google::protobuf::Descriptor& type) const;

 private:
  std::set<std::string> set_;
};

}  // namespace apollo
