// tandem/base/either_stop.h - EitherStop: one stop token of two.
//
// Room: base.
#pragma once

#include <functional>
#include <stop_token>

namespace tandem {

/// Requested when either of two is, as long as this lives.
class EitherStop {
 public:
  EitherStop(const std::stop_token& one, const std::stop_token& other)
      : one_(one, [this] { source_.request_stop(); }), other_(other, [this] { source_.request_stop(); }) {}
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::stop_callback<std::function<void()>> one_;
  std::stop_callback<std::function<void()>> other_;
};

}  // namespace tandem
