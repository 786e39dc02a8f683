#include "serving/certificate.h"

#include <absl/strings/str_cat.h>
#include <absl/time/civil_time.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "common/sha256.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

// Frees an object of OpenSSL.
template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
void FreeStack(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }

using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), Freer<FreeStack>>;
using StorePtr = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using ContextPtr = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;

BioPtr Reader(const std::string& text) {
  const std::size_t most = std::numeric_limits<int>::max();
  return BioPtr(BIO_new_mem_buf(
      text.data(), static_cast<int>(text.size() < most ? text.size() : 0)));
}

// Must not ask at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

X509Ptr NextCertificate(BIO* from) {
  X509Ptr certificate(PEM_read_bio_X509(from, nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  return certificate;
}

absl::StatusOr<X509Ptr> FirstCertificate(const std::string& pem) {
  X509Ptr certificate = NextCertificate(Reader(pem).get());
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(
        "it has no certificate; it must be in PEM form");
  }
  return certificate;
}

absl::StatusOr<absl::Time> ToTime(const ASN1_TIME* time) {
  std::tm utc = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) {
    return absl::InvalidArgumentError("its certificate has a malformed time");
  }
  return absl::FromCivil(
      absl::CivilSecond(utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                        utc.tm_hour, utc.tm_min, utc.tm_sec),
      absl::UTCTimeZone());
}

std::string DerOf(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size < 0) return "";
  std::string der(reinterpret_cast<const char*>(bytes),
                  static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

void ReadNames(X509* certificate, Certificate& result) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI && name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    std::string value(
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
        static_cast<std::size_t>(ASN1_STRING_length(text)));
    // A zero byte could hide the rest of a name from other programs.
    if (value.find('\0') != std::string::npos) continue;
    (name->type == GEN_URI ? result.uris : result.dns_names)
        .push_back(std::move(value));
  }
}

// Says why OpenSSL refused a chain, and until or from when it is valid.
absl::Status ChainError(X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  return absl::FailedPreconditionError(absl::StrCat(
      "its certificate is not valid: ", X509_verify_cert_error_string(error)));
}

}  // namespace

absl::StatusOr<Certificate> ParseCertificate(const std::string& pem) {
  ASSIGN_OR_RETURN(const X509Ptr certificate, FirstCertificate(pem));
  Certificate result;
  ASSIGN_OR_RETURN(result.not_before,
                   ToTime(X509_get0_notBefore(certificate.get())));
  ASSIGN_OR_RETURN(result.not_after,
                   ToTime(X509_get0_notAfter(certificate.get())));
  ReadNames(certificate.get(), result);
  result.sha256 = Sha256Hex(DerOf(certificate.get()));
  return result;
}

absl::Status CheckKey(const std::string& certificate_pem,
                      const std::string& key_pem) {
  ASSIGN_OR_RETURN(const X509Ptr certificate,
                   FirstCertificate(certificate_pem));
  const KeyPtr key(PEM_read_bio_PrivateKey(Reader(key_pem).get(), nullptr,
                                           NoPassphrase, nullptr));
  const bool fits = key != nullptr &&
                    X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        "it has no private key; it must be in PEM form, without a passphrase");
  }
  if (!fits) {
    return absl::InvalidArgumentError("it is not the key of the certificate");
  }
  return absl::OkStatus();
}

absl::Status CheckIssuer(const std::string& certificate_pem,
                         const std::string& ca_pem, absl::Time now) {
  ASSIGN_OR_RETURN(const X509Ptr certificate,
                   FirstCertificate(certificate_pem));
  const X509StackPtr chain(sk_X509_new_null());
  const BioPtr own = Reader(certificate_pem);
  while (X509Ptr next = NextCertificate(own.get())) {
    sk_X509_push(chain.get(), next.release());
  }
  const StorePtr store(X509_STORE_new());
  const BioPtr authorities = Reader(ca_pem);
  int trusted = 0;
  while (const X509Ptr next = NextCertificate(authorities.get())) {
    X509_STORE_add_cert(store.get(), next.get());
    ++trusted;
  }
  if (trusted == 0) {
    return absl::InvalidArgumentError(
        "the file of authorities has no certificate; it must be in PEM form");
  }
  const ContextPtr context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), certificate.get(),
                          chain.get()) != 1) {
    return absl::InternalError("the certificate cannot be checked");
  }
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()),
                             absl::ToTimeT(now));
  const bool valid = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  return valid ? absl::OkStatus() : ChainError(context.get());
}

bool NamesHost(const std::string& certificate_pem, const std::string& host) {
  const auto certificate = FirstCertificate(certificate_pem);
  if (!certificate.ok() || host.empty()) return false;
  const bool named =
      X509_check_ip_asc(certificate->get(), host.c_str(), 0) == 1 ||
      X509_check_host(certificate->get(), host.data(), host.size(),
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
  ERR_clear_error();
  return named;
}

}  // namespace apollo
