#include "tandem/base/span.h"

namespace tandem {
namespace {

class NullSpan final : public Span {
 public:
  void set(std::string_view, std::string_view) override {}
  void set(std::string_view, double) override {}
};

}  // namespace

std::unique_ptr<Span> NullTracer::start(std::string_view, std::string_view) { return std::make_unique<NullSpan>(); }

}  // namespace tandem
