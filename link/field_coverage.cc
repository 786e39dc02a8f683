#include "link/field_coverage.h"

#include <google/protobuf/descriptor.h>

namespace apollo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Adds the names of all fields of a type and of its nested types.
void AddFields(const Descriptor& type, std::set<std::string>& names) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!names.insert(std::string(field.full_name())).second) continue;
    if (field.message_type() != nullptr)
      AddFields(*field.message_type(), names);
  }
}

}  // namespace

void FieldCoverage::Add(const Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    set_.insert(std::string(field->full_name()));
    if (field->message_type() == nullptr) continue;
    if (field->is_map()) {
      // Each entry has both fields. Its reflection crashes in programs built
      // for ThreadSanitizer, because Debian's Protobuf is not.
      AddFields(*field->message_type(), set_);
      continue;
    }
    if (!field->is_repeated()) {
      Add(reflection.GetMessage(message, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      Add(reflection.GetRepeatedMessage(message, field, i));
    }
  }
}

std::vector<std::string> FieldCoverage::Missing(const Descriptor& type) const {
  std::set<std::string> names;
  AddFields(type, names);
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    if (!set_.contains(name)) missing.push_back(name);
  }
  return missing;
}

}  // namespace apollo
