// tandem/net/server/collected_body.h - CollectedBody: a request body as Beast's parser collects it. Internal to this part.
//
// Room: net.
#pragma once

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/message.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tandem/base/bytes.h"

namespace tandem::server {

/// Collects a body into a string. Unlike http::string_body it sets aside no memory for bytes that are only announced.
struct CollectedBody {
  static constexpr std::size_t kReserveBytes = 64u << 10;  ///< what a client announces is no reason to set memory aside
  using value_type = Bytes;
  static std::uint64_t size(const value_type& body) { return body.size(); }
  class reader {
   public:
    template <bool is_request, class Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>& length, boost::system::error_code& ec) {
      ec = {};
      if (length) body_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kReserveBytes)));
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& ec) {
      ec = {};
      const std::size_t before = body_.size();
      for (auto buffer : boost::beast::buffers_range_ref(buffers))
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
      return body_.size() - before;
    }
    void finish(boost::system::error_code& ec) { ec = {}; }

   private:
    value_type& body_;
  };
};

}  // namespace tandem::server
