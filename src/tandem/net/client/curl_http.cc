#include "tandem/net/client/curl_http.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/net/client/libcurl.h"
#include "tandem/net/client/redact.h"

namespace tandem::client {
namespace {

struct Free {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, Free>;
using Url = std::unique_ptr<CURLU, Free>;
using HeaderList = std::unique_ptr<curl_slist, Free>;

/// Set by libcurl or by this class; a second value would let two readers of the request disagree about where it ends.
constexpr std::array<std::string_view, 5> kOwnHeaders = {"host", "content-length", "transfer-encoding", "expect",
                                                         "connection"};

struct CheckedUrl {
  Url url;
  Origin origin;
  bool is_private = false;  ///< nobody on the way can read along
};

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

/// Parses with libcurl's own parser and hands the parsed form on, so that what was checked is what is used.
Result<CheckedUrl> check_url(const std::string& text, const AllowList& allow_list) {
  TANDEM_TRY(open_libcurl());
  CheckedUrl checked{.url = Url(curl_url()), .origin = {}, .is_private = false};
  const CURLUcode code = curl_url_set(checked.url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) {
    return fail(errors::kEgressRefused, "'{}' is not a URL ({}), correct it", redact_url(text),
                curl_url_strerror(code));
  }
  const std::string scheme = url_part(checked.url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return fail(errors::kEgressRefused, "the scheme '{}' of '{}' is neither http nor https", scheme, redact_url(text));
  }
  if (!url_part(checked.url.get(), CURLUPART_USER).empty() ||
      !url_part(checked.url.get(), CURLUPART_PASSWORD).empty()) {
    return fail(errors::kEgressRefused, "'{}' carries a user name, use a credential reference instead",
                redact_url(text));
  }
  TANDEM_TRY_ASSIGN(checked.origin, parse_origin(url_part(checked.url.get(), CURLUPART_HOST) + ":" +
                                                 url_part(checked.url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)));
  TANDEM_TRY(allow_list.check_origin(checked.origin));
  checked.is_private = scheme == "https" || checked.origin.is_loopback();
  return checked;
}

/// "http://host[:port]"; nothing else stands in it. Empty text: none. Without libcurl, which is for those who send.
Result<std::optional<Origin>> parse_proxy(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.empty()) return std::optional<Origin>();
  std::string host(text.substr(std::min(text.size(), kScheme.size())));
  if (host.ends_with('/')) host.pop_back();
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || is_digit(c) || std::string_view("-._:[]").find(c) != std::string_view::npos;
  });
  const std::size_t colon = host.rfind(':');
  if (colon == std::string::npos || host.find(']', colon) != std::string::npos) host += ":80";
  const auto origin = parse_origin(host);
  if (!origin || !plain || to_lower(text.substr(0, kScheme.size())) != kScheme) {
    return fail(errors::kEgressRefused, "the proxy '{}' is not http://HOST[:PORT], correct it", redact_url(text));
  }
  return *origin;
}

bool is_read(const HttpRequest& request) {
  return (request.method == "GET" || request.method == "HEAD") && request.body.empty();
}

Result<HeaderList> make_headers(const HttpRequest& request) {
  HeaderList list;
  const auto append = [&](const std::string& line) { list.reset(curl_slist_append(list.release(), line.c_str())); };
  bool has_content_type = false;
  for (const auto& [name, value] : request.headers) {
    const std::string lower = to_lower(name);
    const bool control = std::any_of(value.begin(), value.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
    if (!is_http_token(name) || control) {
      return fail(errors::kValueOutOfRange, "header '{}' has a character that cannot stand in a header, remove it",
                  is_http_token(name) ? name : "?");
    }
    if (std::find(kOwnHeaders.begin(), kOwnHeaders.end(), lower) != kOwnHeaders.end()) {
      return fail(errors::kValueOutOfRange, "header '{}' is set by the HTTP client, remove it", name);
    }
    has_content_type = has_content_type || lower == "content-type";
    append(value.empty() ? name + ";" : name + ": " + value);  // "name;" is libcurl's spelling of an empty value
  }
  append("Expect:");  // no pause for 100-continue
  if (!has_content_type) append("Content-Type:");
  return list;
}

/// What carries a secret does not go where others can read it.
Result<void> check_privacy(const CheckedUrl& url, const HttpRequest& request) {
  if (url.is_private) return {};
  for (const auto& [name, value] : request.headers) {
    if (is_secret_name(name))
      return fail(errors::kEgressRefused, "header '{}' would go to {} in clear text; use https", name,
                  url.origin.to_string());
  }
  return {};
}

/// One request on its way. What the callbacks see belongs to the driver's thread from submission to `done`.
struct Exchange {
  const AllowList* allow_list = nullptr;
  Origin origin;
  std::uint64_t body_bytes_max = 0;
  std::uint32_t header_bytes_max = 0;
  const Origin* proxy = nullptr;  ///< that the way leads through
  bool may_repeat = false;  ///< GET and HEAD: nobody is billed for a second one

  HttpResponse response = {};
  std::uint64_t header_bytes = 0;
  bool head_complete = false;
  bool began_to_send = false;
  bool address_refused = false;
  bool body_too_large = false;
  bool headers_too_large = false;
  std::array<char, CURL_ERROR_SIZE> detail = {};
  CURLcode code = CURLE_OK;
};

std::size_t on_body(char* data, std::size_t, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (count > exchange.body_bytes_max - exchange.response.body.size()) {
    exchange.body_too_large = true;
    return 0;
  }
  exchange.response.body.append(data, count);
  return count;
}

std::size_t on_header(char* data, std::size_t, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.header_bytes += count;
  if (exchange.header_bytes > exchange.header_bytes_max) {
    exchange.headers_too_large = true;
    return 0;
  }
  const std::string_view line(data, count);
  if (line.starts_with("HTTP/")) {
    exchange.response.headers.clear();  // a final status after an interim one
    exchange.head_complete = false;
  } else if (line == "\r\n" || line == "\n") {
    exchange.head_complete = true;
  } else if (const std::size_t colon = line.find(':');
             colon != std::string_view::npos && exchange.response.body.empty()) {
    exchange.response.headers.emplace_back(std::string(line.substr(0, colon)),
                                           std::string(trim(line.substr(colon + 1))));
  }
  return count;
}

/// libcurl calls this when the connection stands, right before the first byte of the request, and again should it want
/// to repeat it.
int on_before_request(void* user, char*, char*, int, int) {
  auto& exchange = *static_cast<Exchange*>(user);
  const bool again = std::exchange(exchange.began_to_send, true);
  return again && !exchange.may_repeat ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/// The second check of the allow-list: after DNS, on the address itself.
curl_socket_t on_open_socket(void* user, curlsocktype purpose, curl_sockaddr* address) {
  auto& exchange = *static_cast<Exchange*>(user);
  const bool may = exchange.proxy != nullptr ? may_be_proxy(*exchange.proxy, address->addr)
                                             : exchange.allow_list->may_connect(exchange.origin, address->addr);
  const bool allowed = purpose == CURLSOCKTYPE_IPCXN && may;
  if (!allowed) {
    exchange.address_refused = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

ErrorNumber number_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return errors::kPeerUnreachable;
    case CURLE_OPERATION_TIMEDOUT:
      return errors::kPeerTimeout;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return errors::kTlsFailed;
    default:
      return errors::kConnectionLost;
  }
}

long whole_milliseconds(std::chrono::nanoseconds duration) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<long>(std::clamp<std::int64_t>(ms, 1, std::numeric_limits<std::int32_t>::max()));
}

void set_policy(CURL* curl, const ClientOptions& options, const Origin* proxy) {
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  const std::string through = proxy == nullptr ? "" : "http://" + proxy->to_string();
  curl_easy_setopt(curl, CURLOPT_PROXY, through.c_str());  // "" also switches the environment's proxy off
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
  curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "tandem");
  // A look-up of a name that hangs is left to itself at the deadline; waiting for its thread would hold up all exchanges.
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
  if (options.ca_file.empty()) return;
  curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);  // else the system's are trusted beside it
}

void set_request(CURL* curl, const HttpRequest& request, CURLU* url, curl_slist* headers) {
  curl_easy_setopt(curl, CURLOPT_CURLU, url);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  if (is_read(request)) {
    curl_easy_setopt(curl, CURLOPT_NOBODY, request.method == "HEAD" ? 1L : 0L);
  } else {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    // libcurl quietly repeats a request when a kept connection turns out dead. For a paid submission that may be a
    // second bill.
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  }
}

void set_callbacks(CURL* curl, Exchange& exchange) {
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange.detail.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, &on_before_request);
  curl_easy_setopt(curl, CURLOPT_PREREQDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &on_open_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &exchange);
}

Error error_of(const Exchange& exchange) {
  const std::string peer = exchange.origin.to_string();
  if (exchange.body_too_large) {
    return make_error(errors::kResponseTooLarge, "{} answered with more than {} bytes, raise the limit if it is right",
                      peer, exchange.body_bytes_max);
  }
  if (exchange.headers_too_large) {
    return make_error(errors::kResponseTooLarge, "{} answered with more than {} bytes of headers", peer,
                      exchange.header_bytes_max);
  }
  if (exchange.address_refused && !exchange.began_to_send && exchange.proxy != nullptr) {
    return make_error(errors::kEgressRefused,
                      "{}: the proxy {} resolves to this machine or to an address that no proxy has; write the address "
                      "itself where it is right",
                      peer, exchange.proxy->to_string());
  }
  if (exchange.address_refused && !exchange.began_to_send) {
    return make_error(
        errors::kEgressRefused,
        "{} resolves to an address that is not allowed for it, list it as private if it is in the own network", peer);
  }
  const char* const detail = exchange.detail.data();
  return make_error(number_of(exchange.code), "{}: {}", peer,
                    *detail != '\0' ? detail : curl_easy_strerror(exchange.code));
}

}  // namespace

Result<void> open_libcurl() {
  // What an older one does not know of set_policy() and set_callbacks() would be left out without a word.
  constexpr unsigned kOldest = 0x07'57'00;
  TANDEM_TRY(libcurl.open());
  const curl_version_info_data* const found = curl_version_info(CURLVERSION_NOW);
  if (found->version_num >= kOldest) return {};
  return fail(errors::kLibraryMissing, "libcurl {} is too old: install 7.87 or newer", found->version);
}

/// The thread that has all connections. Exchanges are handed to it and waited for.
class CurlHttp::Driver {
 public:
  Driver(std::size_t idle_connections_max, Executor& executor)
      : executor_(executor), idle_connections_max_(static_cast<long>(idle_connections_max)) {}
  ~Driver() {
    loop_.reset();
    if (multi_ == nullptr) return;
    curl_multi_cleanup(multi_);
    curl_global_cleanup();  // counted by libcurl
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// Before the first exchange, and not before: libcurl and what it brings along take memory that most processes never need. Errors:
  /// 1004 out_of_memory - there is no thread for it.
  Result<void> begin() {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) return {};
    if (multi_ == nullptr) {
      TANDEM_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
      multi_ = curl_multi_init();
      TANDEM_ASSERT(multi_ != nullptr);
      curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, idle_connections_max_);
    }
    try {
      loop_ = executor_.start_loop("http-client", [this](const std::stop_token& stop) { drive(stop); });
    } catch (const std::exception& error) {
      return fail(errors::kOutOfMemory, "no thread for connections: {}", error.what());
    }
    return {};
  }

  /// Returns when the exchange of `handle` has ended one way or the other.
  void carry(CURL* handle, Exchange& exchange) {
    const auto ended = executor_.make_condition();
    Waiting waiting{.handle = handle, .exchange = &exchange, .ended = ended.get()};
    std::unique_lock lock(mutex_);
    arriving_.push_back(&waiting);
    curl_multi_wakeup(multi_);
    ended->wait(lock, [&] { return waiting.done; });
  }

 private:
  struct Waiting {
    CURL* handle = nullptr;
    Exchange* exchange = nullptr;
    Condition* ended = nullptr;
    bool done = false;  ///< guarded by mutex_
  };

  void drive(const std::stop_token& stop) {
    constexpr int kLookAgainMs =
        10'000;  // libcurl wakes earlier for its own timers, and whoever hands something over wakes it
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
    std::vector<Waiting*> under_way;
    while (!stop.stop_requested()) {
      begin_arrived(under_way);
      int running = 0;
      curl_multi_perform(multi_, &running);
      end_finished(under_way);
      curl_multi_poll(multi_, nullptr, 0, kLookAgainMs, nullptr);
    }
  }

  void begin_arrived(std::vector<Waiting*>& under_way) {
    std::vector<Waiting*> arrived;
    {
      const std::lock_guard lock(mutex_);
      arrived.swap(arriving_);
    }
    for (Waiting* one : arrived) {
      if (curl_multi_add_handle(multi_, one->handle) != CURLM_OK) {
        one->exchange->code = CURLE_OUT_OF_MEMORY;
        end(*one);
        continue;
      }
      under_way.push_back(one);
    }
  }

  void end_finished(std::vector<Waiting*>& under_way) {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const handle = message->easy_handle;
      const CURLcode code = message->data.result;  // the message does not outlive what follows
      curl_multi_remove_handle(multi_, handle);
      const auto found =
          std::find_if(under_way.begin(), under_way.end(), [&](const Waiting* one) { return one->handle == handle; });
      TANDEM_ASSERT(found != under_way.end());
      Waiting& one = **found;
      under_way.erase(found);
      one.exchange->code = code;
      end(one);
    }
  }

  /// The one who waits may be gone as soon as the mutex is free.
  void end(Waiting& one) {
    const std::lock_guard lock(mutex_);
    one.done = true;
    one.ended->notify_one();
  }

  Executor& executor_;
  const long idle_connections_max_;
  CURLM* multi_ = nullptr;  ///< set before the thread that drives it starts
  std::mutex mutex_;
  std::vector<Waiting*> arriving_;  ///< guarded by mutex_
  std::unique_ptr<Timer> loop_;
};

CurlHttp::CurlHttp(std::unique_ptr<Driver> driver, ClientOptions options, AllowList allow_list,
                   std::optional<Origin> proxy, const Clock& clock)
    : options_(std::move(options)),
      allow_list_(std::move(allow_list)),
      proxy_(std::move(proxy)),
      clock_(clock),
      driver_(std::move(driver)) {}

CurlHttp::~CurlHttp() = default;

Result<std::unique_ptr<CurlHttp>> CurlHttp::create(ClientOptions options, const Clock& clock, Executor& executor) {
  TANDEM_TRY_ASSIGN(AllowList allow_list, AllowList::create(options.allow, options.allow_private));
  TANDEM_TRY_ASSIGN(std::optional<Origin> proxy, parse_proxy(options.proxy));
  auto driver = std::make_unique<Driver>(options.idle_connections_max, executor);
  return std::unique_ptr<CurlHttp>(
      new CurlHttp(std::move(driver), std::move(options), std::move(allow_list), std::move(proxy), clock));
}

tl::expected<HttpResponse, HttpFailure> CurlHttp::send(const HttpRequest& request, Deadline deadline) {
  const auto unsent = [](Error error) {
    return tl::make_unexpected(HttpFailure{.error = std::move(error), .sent = Sent::kNo});
  };

  auto url = check_url(request.url, allow_list_);
  if (!url) return unsent(std::move(url).error());
  if (auto hidden = check_privacy(*url, request); !hidden) return unsent(std::move(hidden).error());
  auto headers = make_headers(request);
  if (!headers) return unsent(std::move(headers).error());
  if (!is_http_token(request.method))
    return unsent(make_error(errors::kValueOutOfRange, "'{}' is not a method", request.method));
  const auto left = deadline.left(clock_);
  if (left <= std::chrono::nanoseconds::zero()) {
    return unsent(make_error(errors::kPeerTimeout, "{}: the deadline had passed before anything was sent",
                             url->origin.to_string()));
  }

  if (auto begun = driver_->begin(); !begun) return unsent(std::move(begun).error());
  const Origin* const proxy = proxy_ && !url->origin.is_loopback() ? &*proxy_ : nullptr;
  Exchange exchange{.allow_list = &allow_list_,
                    .origin = url->origin,
                    .body_bytes_max = options_.response_bytes_max,
                    .header_bytes_max = options_.response_header_bytes_max,
                    .proxy = proxy,
                    .may_repeat = is_read(request)};
  const Handle handle(curl_easy_init());
  CURL* const curl = handle.get();
  if (curl == nullptr)
    return unsent(make_error(errors::kOutOfMemory, "no memory for a connection to {}", exchange.origin.to_string()));

  set_policy(curl, options_, proxy);
  set_request(curl, request, url->url.get(), headers->get());
  set_callbacks(curl, exchange);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, whole_milliseconds(left));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   whole_milliseconds(std::min<std::chrono::nanoseconds>(left, options_.connect_timeout)));

  driver_->carry(curl, exchange);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (exchange.code == CURLE_OK && !exchange.head_complete)
    exchange.code = CURLE_RECV_ERROR;  // libcurl takes a head cut short for a whole one
  if (exchange.code != CURLE_OK) {
    return tl::make_unexpected(
        HttpFailure{.error = error_of(exchange), .sent = exchange.began_to_send ? Sent::kMaybe : Sent::kNo});
  }
  exchange.response.status = static_cast<int>(status);
  return std::move(exchange.response);
}

}  // namespace tandem::client
