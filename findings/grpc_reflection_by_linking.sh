#!/bin/bash
# gRPC 1.51.1 (C++): a library on the command line of the linker adds a public service to every server.
#
# A program starts a server that knows no method and calls nothing of libgrpc++_reflection. The guess
# is that linking the library changes nothing until InitProtoReflectionServerBuilderPlugin() is
# called, as the tutorial shows it. But the library registers itself when it is loaded: each server
# that the program builds then serves grpc.reflection.v1alpha, which lists all services and
# messages. The same object file, linked without the library, serves nothing. No flag of the server
# and no line of its code shows the difference.
#
# For those who limit who may see what: the service passes no check of the program's own. A test
# that asks every port for reflection finds it, and a ServerBuilderOption that removes the plugin
# switches it off.
#
# Usage: findings/grpc_reflection_by_linking.sh  (needs Debian 12, g++ and its package mirror; 8 MB; loopback only)
# Exits with 0 if the behaviour is as described, 1 if it has changed, 2 if nothing could be run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
apt-get --quiet=2 download libgrpc++-dev=1.51.1-3+b1 libgrpc-dev=1.51.1-3+b1 libgrpc++1.51=1.51.1-3+b1 \
  libgrpc29=1.51.1-3+b1 libabsl-dev=20220623.1-1+deb12u2 libabsl20220623=20220623.1-1+deb12u2 \
  libprotobuf-dev=3.21.12-3+deb12u1 libprotobuf32=3.21.12-3+deb12u1 libre2-9=20220601+dfsg-1+b1 \
  libc-ares2=1.18.1-3 2> /dev/null || exit 2
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
lib=$work/root/usr/lib/$(uname -m)-linux-gnu

cat > program.cc << 'CPP'
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <iostream>
#include <string>

// Asks for the list of services, and prints how many bytes the answer has, or the error.
int main() {
  int port = 0;
  grpc::CallbackGenericService service;  // Answers UNIMPLEMENTED.
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const auto server = builder.BuildAndStart();
  const auto channel =
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto call =
      stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  queue.Next(&tag, &ok);
  const grpc::Slice question("\x3a\x00", 2);  // list_services
  call->Write(grpc::ByteBuffer(&question, 1), nullptr);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  queue.Next(&tag, &ok);
  const std::size_t bytes = ok ? answer.Length() : 0;
  call->WritesDone(nullptr);
  queue.Next(&tag, &ok);
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  std::cout << "code " << status.error_code() << ", an answer of " << bytes << " bytes" << std::endl;
  server->Shutdown();
  return status.error_code() == grpc::StatusCode::UNIMPLEMENTED ? 10 : bytes > 0 ? 11 : 12;
}
CPP
g++ -std=c++17 -O0 -Iroot/usr/include -c program.cc || exit 2
link() {
  g++ program.o -o "$1" -L"$lib" -Wl,-rpath,"$lib" -Wl,-rpath-link,"$lib" -Wl,--no-as-needed "${@:2}" -lgrpc++ -lgrpc \
    -lgpr -labsl_synchronization -labsl_time -labsl_strings -labsl_base -pthread || exit 2
}
link without
link with -lgrpc++_reflection -lprotobuf
run() { env --unset=http_proxy --unset=https_proxy LD_LIBRARY_PATH="$lib" "./$1"; }

echo "gRPC 1.51.1-3+b1; one object file, asked for reflection"
echo "a good guess: code 12 (UNIMPLEMENTED) both times"
without=0 with=0
echo "without the library: $(run without)" || true
run without > /dev/null || without=$?
echo "with the library:    $(run with)" || true
run with > /dev/null || with=$?
if ((without == 10 && with == 11)); then
  echo "As described: linking a library has added a service."
else
  echo "The behaviour has changed."
  exit 1
fi
