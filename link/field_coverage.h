#pragma once

#include <google/protobuf/message.h>

#include <set>
#include <string>
#include <vector>

namespace apollo {

// Notes which fields some messages set, and names those that none of them does:
// a codec whose encoder forgets a field is found out by its fullest messages.
// For tests of codecs. One thread.
class FieldCoverage {
 public:
  // Notes the fields that are set in the message and in all messages within it.
  void Add(const google::protobuf::Message& message);

  // Returns the full names of the fields of `type`, and of all types within it,
  // that no message has set, in the order of their names.
  std::vector<std::string> Missing(
      const google::protobuf::Descriptor& type) const;

 private:
  std::set<std::string> set_;
};

}  // namespace apollo
