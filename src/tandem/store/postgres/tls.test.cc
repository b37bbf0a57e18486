// A database on another machine: who it is has to be proved, by a certificate of the authority that the address names.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>

#include "tandem/base/clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/testing/cluster.h"

namespace tandem::postgres {
namespace {

using testing::HasSubstr;

/// One that nobody has at this moment.
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  TANDEM_ASSERT(::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  TANDEM_ASSERT(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

/// Authorities and what they sign, in files.
class Certificates {
 public:
  Certificates() {
    for (const char* authority : {"ours", "others"})
      openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" +
              std::string(authority) + " -keyout " + path(authority) + ".key -out " + path(authority) + ".crt");
    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout " + path("server.key") +
            " -out " + path("server.csr"));
    std::ofstream(path("names")) << "subjectAltName = DNS:" << kName << "\n";
    openssl("x509 -req -in " + path("server.csr") + " -CA " + path("ours.crt") + " -CAkey " + path("ours.key") +
            " -CAcreateserial -days 2 -extfile " + path("names") + " -out " + path("server.crt"));
    // A server takes no key that others may read.
    TANDEM_ASSERT(::chmod(path("server.key").c_str(), 0600) == 0);
    if (geteuid() == 0) run("chown -R postgres:postgres " + folder_.path());
  }
  static constexpr const char* kName = "db.tandem.test";
  std::string path(const std::string& name) const { return folder_ / name; }

 private:
  static void run(const std::string& command) { TANDEM_ASSERT(system(command.c_str()) == 0); }
  static void openssl(const std::string& arguments) { run("openssl " + arguments + " 2>/dev/null"); }
  store::TempFolder folder_;
};

class RemotePostgres : public testing::Test {
 protected:
  static std::string tls(const Certificates& certificates) {
    return "fsync = off\nlisten_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = '" +
           certificates.path("server.crt") + "'\nssl_key_file = '" + certificates.path("server.key") + "'\n";
  }
  /// The name is another machine's; where it leads is a matter of name service, which a test does not change.
  std::string address(const std::string& name, const std::string& more) const {
    return "postgresql://postgres@" + name + ":" + std::to_string(port_) + "/postgres?hostaddr=127.0.0.1" + more;
  }
  std::string verified_by(const std::string& authority) const {
    return "&sslmode=verify-full&sslrootcert=" + certificates_.path(authority);
  }
  Result<std::unique_ptr<PostgresStore>> open(const std::string& address) {
    return PostgresStore::open(address, {}, executor_, clock_, rng_, meter_);
  }

  const Certificates certificates_;
  const std::uint16_t port_ = free_port();
  Cluster cluster_{tls(certificates_), port_};
  ThreadExecutor executor_{1};
  SystemClock clock_;
  SystemRng rng_;
  NullMeter meter_;
};

TEST_F(RemotePostgres, one_that_proves_its_name_is_a_store_and_every_session_is_encrypted) {
  const auto store = open(address(Certificates::kName, verified_by("ours.crt")));
  ASSERT_THAT(store, Succeeds());
  ASSERT_THAT((*store)->commit_and_wait(store::Batch().put(store::Table::kMeta, "key", "value").append("job", "event")),
              Succeeds());
  EXPECT_EQ((*store)->get(store::Table::kMeta, "key").value()->value, "value");
  EXPECT_EQ((*store)->read_log(0, 10).value().size(), 1u);
  const std::string sessions =
      "FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name LIKE 'tandem%'";
  EXPECT_NE(cluster_.sql("SELECT count(*) " + sessions), "0");
  EXPECT_EQ(cluster_.sql("SELECT count(*) " + sessions + " AND NOT ssl"), "0");
}

TEST_F(RemotePostgres, one_whose_certificate_another_authority_signed_is_refused) {
  const auto store = open(address(Certificates::kName, verified_by("others.crt")));
  ASSERT_THAT(store, FailsWith(errors::kStoreUnreachable));
  EXPECT_THAT(store.error().message, HasSubstr("certificate verify failed"));
}

TEST_F(RemotePostgres, one_whose_certificate_names_another_host_is_refused) {
  const auto store = open(address("elsewhere.tandem.test", verified_by("ours.crt")));
  ASSERT_THAT(store, FailsWith(errors::kStoreUnreachable));
  EXPECT_THAT(store.error().message, testing::AllOf(HasSubstr(Certificates::kName), HasSubstr("does not match")));
}

TEST_F(RemotePostgres, one_that_need_not_prove_its_name_is_not_even_asked) {
  for (const char* more : {"", "&sslmode=require", "&sslmode=verify-ca", "&sslmode=disable"}) {
    const auto store = open(address(Certificates::kName, more));
    ASSERT_THAT(store, FailsWith(errors::kBadStoreAddress)) << more;
    EXPECT_THAT(store.error().message, HasSubstr("verify-full")) << more;
  }
  EXPECT_EQ(cluster_.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tandem%'"), "0");
}

TEST_F(RemotePostgres, one_that_speaks_no_tls_is_refused) {
  const std::uint16_t port = free_port();
  const Cluster plain("fsync = off\nlisten_addresses = '127.0.0.1'", port);
  const auto store = open("postgresql://postgres@" + std::string(Certificates::kName) + ":" + std::to_string(port) +
                          "/postgres?hostaddr=127.0.0.1" + verified_by("ours.crt"));
  ASSERT_THAT(store, FailsWith(errors::kStoreUnreachable));
  EXPECT_THAT(store.error().message, HasSubstr("does not support SSL"));
}

}  // namespace
}  // namespace tandem::postgres
