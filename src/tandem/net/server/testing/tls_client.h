// tandem/net/server/testing/tls_client.h - an identity that signs itself, and a client that speaks TLS to whoever has it.
//
// Room: net, tests only.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/base/assert.h"
#include "tandem/net/server/asio.h"
#include "tandem/net/server/server.h"

namespace tandem::server {

/// Valid for an hour; a key on P-256.
inline TlsIdentity self_signed_identity() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  TANDEM_ASSERT(key != nullptr && certificate != nullptr);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  TANDEM_ASSERT(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  const auto text = [](const auto& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    TANDEM_ASSERT(write(out.get()) == 1);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return std::string(bytes, static_cast<std::size_t>(size));
  };
  return {.certificate_pem = text([&](BIO* out) { return PEM_write_bio_X509(out, certificate.get()); }),
          .key_pem = text([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

/// Blocks, and trusts everybody.
class TlsClient {
 public:
  explicit TlsClient(std::string_view address) {
    const auto port = static_cast<std::uint16_t>(std::stoi(std::string(address.substr(address.rfind(':') + 1))));
    stream_.next_layer().connect({asio::ip::address_v4::loopback(), port});
    stream_.handshake(asio::ssl::stream_base::client);
  }

  void send(std::string_view bytes) { asio::write(stream_, asio::buffer(bytes.data(), bytes.size())); }
  std::string read(std::size_t count) {
    std::string out(count, '\0');
    asio::read(stream_, asio::buffer(out));
    return out;
  }
  std::string read_until(std::string_view mark) {
    std::string out;
    while (!out.ends_with(mark)) out += read(1);
    return out;
  }
  /// Until the server ends it. True with a farewell: nobody on the way cut it short.
  std::pair<std::string, bool> read_to_end() {
    std::string out;
    boost::system::error_code ec;
    asio::read(stream_, asio::dynamic_buffer(out), ec);
    return {std::move(out), ec == asio::error::eof};
  }

 private:
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_client};
  asio::ssl::stream<asio::ip::tcp::socket> stream_{io_, context_};
};

}  // namespace tandem::server
