#include "serving/test_certificates.h"

#include <absl/time/clock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/check.h"

namespace apollo {
namespace {

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string PemOf(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  APOLLO_CHECK(PEM_write_bio_X509(bio, certificate) == 1);
  return TextOf(bio);
}

std::string PemOf(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  APOLLO_CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0,
                                             nullptr, nullptr) == 1);
  return TextOf(bio);
}

void AddExtension(X509* certificate, X509* issuer, int kind,
                  const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  APOLLO_CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Returns a certificate of `key`, not signed yet.
X509* NewCertificate(EVP_PKEY* key, const char* name, absl::Time from,
                     absl::Time to) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  BIGNUM* serial = BN_new();
  BN_rand(serial, 120, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate));
  BN_free(serial);
  ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(from));
  ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(to));
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  return certificate;
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  APOLLO_CHECK(file.flush().good());
}

}  // namespace

struct TestAuthority::State {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
};

TestAuthority::TestAuthority() : state_(std::make_unique<State>()) {
  const absl::Time now = absl::Now();
  state_->key = EVP_EC_gen("P-256");
  X509* own = NewCertificate(state_->key, "authority", now - absl::Hours(96),
                             now + absl::Hours(24 * 365));
  X509_set_issuer_name(own, X509_get_subject_name(own));
  AddExtension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(own, own, NID_key_usage, "critical,keyCertSign");
  // Authorities of one name are told apart by their keys.
  AddExtension(own, own, NID_subject_key_identifier, "hash");
  APOLLO_CHECK(X509_sign(own, state_->key, EVP_sha256()) > 0);
  state_->certificate = own;
  certificate_ = PemOf(own);
}

TestAuthority::~TestAuthority() {
  X509_free(state_->certificate);
  EVP_PKEY_free(state_->key);
}

TestIdentity TestAuthority::Sign(const TestCertificate& wanted) {
  const absl::Time now = absl::Now();
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = NewCertificate(
      key, "somebody",
      wanted.not_before == absl::InfinitePast() ? now - absl::Hours(48)
                                                : wanted.not_before,
      wanted.not_after == absl::InfiniteFuture() ? now + absl::Hours(24 * 60)
                                                 : wanted.not_after);
  X509_set_issuer_name(certificate, X509_get_subject_name(state_->certificate));
  AddExtension(certificate, state_->certificate, NID_authority_key_identifier,
               "keyid:always");
  std::string names;
  for (const std::string& name : wanted.names) {
    names += (names.empty() ? "" : ",") + name;
  }
  if (!names.empty()) {
    AddExtension(certificate, state_->certificate, NID_subject_alt_name, names);
  }
  APOLLO_CHECK(X509_sign(certificate, state_->key, EVP_sha256()) > 0);
  TestIdentity identity{PemOf(certificate), PemOf(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return identity;
}

TestIdentity TestAuthority::SignFor(const std::string& role_and_name) {
  TestCertificate wanted;
  wanted.names.push_back("URI:spiffe://apollo/" + role_and_name);
  return Sign(wanted);
}

TestFiles::TestFiles(const TestIdentity& identity,
                     const std::string& authorities) {
  std::string folder = testing::TempDir() + "/tls-XXXXXX";
  APOLLO_CHECK(mkdtemp(folder.data()) != nullptr);
  folder_ = folder;
  files_ = {folder + "/cert.pem", folder + "/key.pem", folder + "/ca.pem"};
  Write(identity);
  WriteAuthorities(authorities);
}

TestFiles::~TestFiles() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void TestFiles::WriteCertificate(const std::string& text) {
  WriteFile(files_.certificate, text);
}

void TestFiles::WriteKey(const std::string& text) {
  WriteFile(files_.key, text);
  APOLLO_CHECK(chmod(files_.key.c_str(), 0600) == 0);
}

void TestFiles::WriteAuthorities(const std::string& text) {
  WriteFile(files_.authorities, text);
}

void TestFiles::Write(const TestIdentity& identity) {
  WriteCertificate(identity.certificate);
  WriteKey(identity.key);
}

}  // namespace apollo
