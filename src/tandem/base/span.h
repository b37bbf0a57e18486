// tandem/base/span.h - the Span seam: named, timed stretches of a job's walk, with attributes.
//
// Room: base. evidence/telemetry keeps them; NullTracer forgets. (std::span is <span>; this is tracing.)
#pragma once

#include <memory>
#include <string_view>

namespace tandem {

/// One stretch of work; it ends when destroyed. One thread.
class Span {
 public:
  virtual ~Span() = default;
  virtual void set(std::string_view key, std::string_view value) = 0;
  virtual void set(std::string_view key, double value) = 0;
};

/// Threads: safe to call concurrently.
class Tracer {
 public:
  virtual ~Tracer() = default;
  [[nodiscard]] virtual std::unique_ptr<Span> start(std::string_view name, std::string_view job_id) = 0;
};

class NullTracer final : public Tracer {
 public:
  std::unique_ptr<Span> start(std::string_view name, std::string_view job_id) override;
};

}  // namespace tandem
