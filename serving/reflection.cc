#include "serving/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>

namespace apollo {
namespace {

namespace pb = grpc::reflection::v1;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

// Answers the requests of one call, one at a time.
class ReflectionCall final
    : public grpc::ServerBidiReactor<pb::ServerReflectionRequest,
                                     pb::ServerReflectionResponse> {
 public:
  ReflectionCall(const ReflectionService& service, const grpc::Status& admitted)
      : service_(service) {
    if (admitted.ok()) {
      StartRead(&request_);
    } else {
      Finish(admitted);
    }
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {  // The client has no more questions, or has left.
      Finish(grpc::Status::OK);
      return;
    }
    response_ = service_.Answer(request_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      StartRead(&request_);
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

  const ReflectionService& service_;
  pb::ServerReflectionRequest request_;
  pb::ServerReflectionResponse response_;
};

void SetNotFound(const std::string& name, pb::ServerReflectionResponse& out) {
  out.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
  out.mutable_error_response()->set_error_message("unknown: " + name);
}

// Adds a file, then its imports, each once.
void AddFile(const FileDescriptor& file, std::set<std::string>& added,
             pb::FileDescriptorResponse& out) {
  if (!added.insert(std::string(file.name())).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  out.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i), added, out);
  }
}

void SetFile(const FileDescriptor* file, const std::string& wanted,
             pb::ServerReflectionResponse& out) {
  if (file == nullptr) {
    SetNotFound(wanted, out);
    return;
  }
  std::set<std::string> added;
  AddFile(*file, added, *out.mutable_file_descriptor_response());
}

void SetExtensions(const DescriptorPool& pool, const std::string& type,
                   pb::ServerReflectionResponse& out) {
  const Descriptor* message = pool.FindMessageTypeByName(type);
  if (message == nullptr) {
    SetNotFound(type, out);
    return;
  }
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(message, &extensions);
  auto* found = out.mutable_all_extension_numbers_response();
  found->set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    found->add_extension_number(extension->number());
  }
}

const FileDescriptor* FileOfExtension(const DescriptorPool& pool,
                                      const pb::ExtensionRequest& request) {
  const Descriptor* message =
      pool.FindMessageTypeByName(request.containing_type());
  if (message == nullptr) return nullptr;
  const FieldDescriptor* extension =
      pool.FindExtensionByNumber(message, request.extension_number());
  return extension == nullptr ? nullptr : extension->file();
}

}  // namespace

grpc::ServerBidiReactor<pb::ServerReflectionRequest,
                        pb::ServerReflectionResponse>*
ReflectionService::ServerReflectionInfo(grpc::CallbackServerContext* context) {
  constexpr char kPath[] =
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const grpc::Status admitted =
      gate_ ? gate_(*context, kPath) : grpc::Status::OK;
  return new ReflectionCall(*this, admitted);  // Deletes itself.
}

pb::ServerReflectionResponse ReflectionService::Answer(
    const pb::ServerReflectionRequest& request) const {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  pb::ServerReflectionResponse out;
  out.set_valid_host(request.host());
  *out.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case pb::ServerReflectionRequest::kFileByFilename:
      SetFile(pool.FindFileByName(request.file_by_filename()),
              request.file_by_filename(), out);
      break;
    case pb::ServerReflectionRequest::kFileContainingSymbol:
      SetFile(pool.FindFileContainingSymbol(request.file_containing_symbol()),
              request.file_containing_symbol(), out);
      break;
    case pb::ServerReflectionRequest::kFileContainingExtension:
      SetFile(FileOfExtension(pool, request.file_containing_extension()),
              request.file_containing_extension().containing_type(), out);
      break;
    case pb::ServerReflectionRequest::kAllExtensionNumbersOfType:
      SetExtensions(pool, request.all_extension_numbers_of_type(), out);
      break;
    case pb::ServerReflectionRequest::kListServices:
      for (const std::string& name : services_) {
        out.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    case pb::ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      out.mutable_error_response()->set_error_code(
          grpc::StatusCode::INVALID_ARGUMENT);
      out.mutable_error_response()->set_error_message("nothing is asked for");
      break;
  }
  return out;
}

}  // namespace apollo
