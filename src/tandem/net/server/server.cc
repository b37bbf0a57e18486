#include "tandem/net/server/server.h"

#include <algorithm>
#include <utility>

#include "tandem/net/server/connection.h"
#include "tandem/net/server/core.h"
#include "tandem/net/server/listen_address.h"

namespace tandem::server {
namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::chrono::milliseconds kSweepMin{5};
constexpr std::chrono::milliseconds kSweepMax{250};
constexpr std::chrono::milliseconds kAcceptPause{100};  // when the process is out of file descriptors

Result<tcp::endpoint> resolve(asio::io_context& io, const ListenAddress& address, const std::string& text) {
  if (address.host == "localhost") return tcp::endpoint(asio::ip::address_v4::loopback(), address.port);
  error_code ec;
  const auto literal = asio::ip::make_address(address.host, ec);
  if (!ec) return tcp::endpoint(literal, address.port);
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, ec);
  if (ec || found.empty()) {
    return fail(errors::kBadAddress, "'{}' is not an address to listen on: the host has no address ({})", text,
                ec.message());
  }
  return found.begin()->endpoint();
}

Result<tcp::acceptor> listen(asio::io_context& io, const tcp::endpoint& endpoint, const std::string& text) {
  tcp::acceptor acceptor(io);
  error_code ec;
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);  // a restart need not wait for TIME_WAIT
  if (!ec && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(tcp::acceptor::max_listen_connections, ec);
  if (ec == asio::error::address_in_use) {
    return fail(errors::kAddressInUse, "another process listens on '{}', choose another address or stop it", text);
  }
  if (ec) return fail(errors::kBadAddress, "cannot listen on '{}': {}", text, ec.message());
  return acceptor;
}

/// Null without an identity.
Result<std::shared_ptr<asio::ssl::context>> make_tls(const std::optional<TlsIdentity>& identity) {
  using Context = asio::ssl::context;
  if (!identity) return std::shared_ptr<Context>();
  auto tls = std::make_shared<Context>(Context::tls_server);
  error_code ec;
  tls->set_options(Context::default_workarounds | Context::no_sslv2 | Context::no_sslv3 | Context::no_tlsv1 |
                       Context::no_tlsv1_1 | Context::single_dh_use,
                   ec);
  if (!ec) tls->use_certificate_chain(asio::buffer(identity->certificate_pem), ec);
  if (!ec) tls->use_private_key(asio::buffer(identity->key_pem), Context::pem, ec);
  if (!ec) return tls;
  return fail(errors::kValueOutOfRange,
              "the certificate and its key cannot be used: {}; give them as PEM, the key without a passphrase",
              ec.message());
}

class AsioServer final : public Server {
 public:
  AsioServer(std::shared_ptr<Core> core, tcp::acceptor acceptor, std::string address)
      : core_(std::move(core)),
        acceptor_(std::move(acceptor)),
        accept_pause_(core_->loops.front()->io),
        address_(std::move(address)) {}
  ~AsioServer() override;

  void run();
  const std::string& address() const override { return address_; }
  bool drain(Deadline deadline) override {
    end(Ending::kStreams);
    return core_->wait_for_connections(deadline);
  }
  std::size_t connections() const override { return core_->connections; }

 private:
  void end(Ending ending);
  void accept();
  void sweep_later(Loop& loop);

  std::shared_ptr<Core> core_;
  tcp::acceptor acceptor_;            ///< the first loop's thread only, once run() was called
  asio::steady_timer accept_pause_;   ///< the same
  std::size_t next_loop_ = 0;         ///< the same
  std::string address_;
  std::vector<std::unique_ptr<Timer>> threads_;  ///< joined when destroyed
};

void AsioServer::run() {
  accept();
  for (const auto& loop : core_->loops) {
    threads_.push_back(
        core_->seams.executor.start_loop("http", [core = core_, raw = loop.get()](std::stop_token) { raw->run(); }));
  }
}

void AsioServer::accept() {
  Loop& loop = *core_->loops[next_loop_];
  next_loop_ = (next_loop_ + 1) % core_->loops.size();
  acceptor_.async_accept(loop.io, [this, &loop](error_code ec, tcp::socket socket) {
    if (ec == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (!ec) {
      auto shared = std::make_shared<tcp::socket>(std::move(socket));
      loop.post([this, &loop, shared] {
        serve(core_, loop, std::move(*shared));
        if (loop.sweeping && !loop.sweep_awaited && !loop.connections.empty()) sweep_later(loop);
      });
      return accept();
    }
    if (ec == asio::error::connection_aborted) return accept();
    core_->seams.log.write(LogLevel::kWarning, "http.accept_failed", {{"reason", ec.message()}});
    accept_pause_.expires_after(kAcceptPause);
    accept_pause_.async_wait([this](error_code cancelled) {
      if (!cancelled && acceptor_.is_open()) accept();
    });
  });
}

void AsioServer::sweep_later(Loop& loop) {
  const auto shortest = std::min(core_->options.request_timeout, core_->options.idle_timeout);
  loop.sweep_timer.expires_after(std::clamp(shortest / 4, kSweepMin, kSweepMax));
  loop.sweep_awaited = true;
  loop.sweep_timer.async_wait([this, &loop](error_code cancelled) {
    loop.sweep_awaited = false;
    ++loop.sweeps;
    if (cancelled || !loop.sweeping) return;
    sweep(loop, core_->seams.clock.monotonic());
    if (!loop.connections.empty()) sweep_later(loop);  // who comes into an empty loop begins anew
  });
}

void AsioServer::end(Ending ending) {
  core_->stopping = true;
  core_->loops.front()->post([this] {
    error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
  });
  for (const auto& loop : core_->loops) {
    loop->post([raw = loop.get(), ending] { end_connections(*raw, ending); });
  }
}

AsioServer::~AsioServer() {
  end(Ending::kEverything);
  for (const auto& loop : core_->loops) {
    loop->post([raw = loop.get()] {
      raw->sweeping = false;  // cancel() alone misses a timer that has just fired
      raw->sweep_timer.cancel();
    });
    loop->finish();
  }
  threads_.clear();
  core_->close();
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler, ErrorBody error_body,
                                              ServerSeams seams) {
  TANDEM_TRY_ASSIGN(const ListenAddress wanted, parse_listen_address(options.listen));
  std::vector<std::unique_ptr<Loop>> loops;
  for (std::size_t i = 0; i < std::max<std::size_t>(options.threads, 1); ++i) loops.push_back(std::make_unique<Loop>());
  asio::io_context& io = loops.front()->io;

  TANDEM_TRY_ASSIGN(const tcp::endpoint endpoint, resolve(io, wanted, options.listen));
  if (!endpoint.address().is_loopback() && !options.allow_remote) {
    return fail(errors::kAddressNotLoopback, "'{}' is not a loopback address, listen on 127.0.0.1", options.listen);
  }
  TANDEM_TRY_ASSIGN(tcp::acceptor acceptor, listen(io, endpoint, options.listen));
  error_code ec;
  const tcp::endpoint bound = acceptor.local_endpoint(ec);
  if (ec) return fail(errors::kBadAddress, "cannot listen on '{}': {}", options.listen, ec.message());

  const std::string host = bound.address().to_string();
  HostSet hosts = allowed_hosts(host, bound.port(), options.allowed_hosts);
  TANDEM_TRY_ASSIGN(auto tls, make_tls(options.tls));
  auto core = std::make_shared<Core>(std::move(options), std::move(hosts), std::move(handler), std::move(error_body),
                                     seams, std::move(loops), std::move(tls));
  auto server = std::make_unique<AsioServer>(std::move(core), std::move(acceptor), format_address(host, bound.port()));
  server->run();
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace tandem::server
