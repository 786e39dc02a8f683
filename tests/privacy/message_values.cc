#include "tests/privacy/message_values.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <vector>

namespace apollo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

// The index of the value of a field that is not repeated.
constexpr int kOnly = -1;

std::string TextOf(const Message& message, const FieldDescriptor& field,
                   int index) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return ValuesOf(
        index == kOnly ? reflection.GetMessage(message, &field)
                       : reflection.GetRepeatedMessage(message, &field, index));
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return index == kOnly
               ? reflection.GetString(message, &field)
               : reflection.GetRepeatedString(message, &field, index);
  }
  std::string text;
  TextFormat::PrintFieldValueToString(message, &field, index, &text);
  return text;
}

}  // namespace

std::string ValuesOf(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  std::string values;
  for (const FieldDescriptor* field : fields) {
    const bool repeated = field->is_repeated();
    const int count = repeated ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      values += TextOf(message, *field, repeated ? i : kOnly);
      if (values.back() != '\n') values += '\n';
    }
  }
  return values;
}

}  // namespace apollo
