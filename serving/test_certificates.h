#pragma once

#include <absl/time/time.h>

#include <memory>
#include <string>
#include <vector>

#include "serving/tls_material.h"

namespace apollo {

// What a certificate of a test says.
struct TestCertificate {
  std::vector<std::string> names = {"IP:127.0.0.1", "DNS:localhost"};
  absl::Time not_before = absl::InfinitePast();   // Two days ago.
  absl::Time not_after = absl::InfiniteFuture();  // In 60 days.
};

// A certificate and its key, in PEM form.
struct TestIdentity {
  std::string certificate;
  std::string key;
};

// An authority for tests, which signs certificates. Checks that its own calls
// of OpenSSL succeed. Not thread-safe.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();

  const std::string& certificate() const { return certificate_; }
  TestIdentity Sign(const TestCertificate& wanted);
  // The same with the URI of a role and a name of the trust domain "apollo",
  // such as "router/r0".
  TestIdentity SignFor(const std::string& role_and_name);

 private:
  struct State;
  const std::unique_ptr<State> state_;
  std::string certificate_;
};

// Files of one process in the folder of temporary files of the test, removed
// with the object.
class TestFiles {
 public:
  TestFiles(const TestIdentity& identity, const std::string& authorities);
  ~TestFiles();
  TestFiles(const TestFiles&) = delete;
  TestFiles& operator=(const TestFiles&) = delete;

  const TlsFiles& files() const { return files_; }
  void WriteCertificate(const std::string& text);
  void WriteKey(const std::string& text);
  void WriteAuthorities(const std::string& text);
  void Write(const TestIdentity& identity);

 private:
  std::string folder_;
  TlsFiles files_;
};

}  // namespace apollo
