#include "tandem/orchestrate/resilience/shared_calls.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "tandem/base/json.h"

namespace tandem::resilience {
namespace {

struct Place {
  std::size_t held = 0;
  std::optional<std::int64_t> turn = std::nullopt;  ///< it waits, behind those with a lower one
};

constexpr std::int64_t kHeldMax = 1'000'000;

Result<std::map<std::string, Place>> places_in(const Json& document, std::int64_t& next_turn) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY_ASSIGN(next_turn, reader.integer("next_turn", 0, INT64_MAX - 1));
  std::map<std::string, Place> out;
  const Json nodes = document.value("nodes", Json::object());
  for (const auto& [node, value] : nodes.items()) {
    TANDEM_TRY_ASSIGN(const ObjectReader one, ObjectReader::create(value, node));
    TANDEM_TRY_ASSIGN(const std::int64_t held, one.integer("held", 0, kHeldMax));
    Place place{.held = static_cast<std::size_t>(held)};
    if (value.contains("turn")) {
      TANDEM_TRY_ASSIGN(place.turn, one.integer("turn", 0, INT64_MAX));
    }
    out.emplace(node, place);
  }
  return out;
}

}  // namespace

struct SharedCalls::Places {
  std::string key;
  std::optional<store::Row> row;
  std::int64_t next_turn = 0;
  std::map<std::string, Place> nodes;

  /// With so many of its own, or so that each who waits before it still gets one place.
  bool has_room(const std::string& node, std::size_t held, std::size_t calls_max) const {
    const auto own = nodes.find(node);
    const std::int64_t turn = own != nodes.end() && own->second.turn ? *own->second.turn : next_turn;
    std::size_t taken = held;
    for (const auto& [name, place] : nodes) {
      if (name == node) continue;
      taken += place.held + (place.turn && *place.turn < turn ? 1 : 0);
    }
    return taken <= calls_max;
  }
};

Result<SharedCalls::Places> SharedCalls::read(const std::string& gate) {
  Places out{.key = "calls/" + gate};
  TANDEM_TRY_ASSIGN(out.row, store_.get(store::Table::kMeta, out.key));
  if (!out.row) return out;
  auto nodes = parse_json(out.row->value, out.key).and_then([&](const Json& document) {
    return places_in(document, out.next_turn);
  });
  if (nodes) {
    out.nodes = *std::move(nodes);
  } else {  // each process writes again what it has, with its next call
    log_.write(LogLevel::kError, "gate.calls_damaged", {{"gate", gate}, {"error", nodes.error().to_string()}});
    out.next_turn = 0;
  }
  return out;
}

Result<bool> SharedCalls::write(const Places& places) {
  Json nodes = Json::object();
  for (const auto& [name, place] : places.nodes) {
    if (place.held == 0 && !place.turn) continue;
    nodes[name] = {{"held", place.held}};
    if (place.turn) nodes[name]["turn"] = *place.turn;
  }
  const auto done = store_.commit_and_wait(store::Batch().put(
      store::Table::kMeta, places.key, Json{{"next_turn", places.next_turn}, {"nodes", std::move(nodes)}}.dump(),
      places.row ? store::Expect::at(places.row->version) : store::Expect::absent()));
  if (done) return true;
  if (done.error().number == errors::kPreconditionFailed) return false;
  return tl::unexpected(done.error());
}

Result<void> SharedCalls::drop_dead(Places& places) {
  for (auto at = places.nodes.begin(); at != places.nodes.end();) {
    bool lives = at->first == among_.node;
    if (!lives) {
      TANDEM_TRY_ASSIGN(lives, among_.has_lease(at->first));
    }
    at = lives ? std::next(at) : places.nodes.erase(at);
  }
  return {};
}

Result<bool> SharedCalls::take(const std::string& gate, std::size_t calls_max, const Count& held) {
  while (true) {
    TANDEM_TRY_ASSIGN(Places places, read(gate));
    const std::size_t with_it = held();  // read after the row: whoever writes last knows the last count
    if (!places.has_room(among_.node, with_it, calls_max)) TANDEM_TRY(drop_dead(places));
    const bool begins = places.has_room(among_.node, with_it, calls_max);
    Place& own = places.nodes[among_.node];
    if (begins) {
      own = {.held = with_it};
    } else {
      // Somebody who left meanwhile may have counted the call that asks.
      if (own.turn && own.held == with_it - 1) return false;
      own = {.held = with_it - 1, .turn = own.turn ? *own.turn : places.next_turn++};
    }
    TANDEM_TRY_ASSIGN(const bool written, write(places));
    if (written) return begins;
  }
}

Result<void> SharedCalls::note(const std::string& gate, const Count& held, const std::function<bool()>& waits) {
  while (true) {
    TANDEM_TRY_ASSIGN(Places places, read(gate));
    Place& own = places.nodes[among_.node];
    Place now{.held = held()};
    if (waits()) now.turn = own.turn;
    if (now.held == own.held && now.turn == own.turn) return {};
    own = now;
    TANDEM_TRY_ASSIGN(const bool written, write(places));
    if (written) return {};
  }
}

}  // namespace tandem::resilience
