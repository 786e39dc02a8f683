#pragma once

#include <google/protobuf/descriptor.h>

#include <map>
#include <string>

namespace apollo {

// All methods of all services in proto/, by their paths, such as
// "apollo.v1.InferenceService/Generate". A new method is among them by itself,
// one of a new file once rpc_methods.cc names a message of the file.
const std::map<std::string, const google::protobuf::MethodDescriptor*>&
RpcMethods();

}  // namespace apollo
