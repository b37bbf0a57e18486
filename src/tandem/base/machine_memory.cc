#include "tandem/base/machine_memory.h"

#include <algorithm>
#include <limits>
#include <string>

#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr std::uint64_t kFileMax = 1u << 20;  ///< of what the kernel tells
constexpr std::uint64_t kUnknown = std::uint64_t{4} << 30;  ///< where it tells nothing

std::optional<std::uint64_t> number_in(std::string_view text) {
  const auto number = parse_int64(trim(text));
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<std::uint64_t> number_at(Fs& fs, const std::string& path) {
  const auto text = fs.read_file(path, kFileMax);
  return text ? number_in(*text) : std::nullopt;
}

/// The number of the line that begins with `name`.
std::optional<std::uint64_t> number_of(std::string_view text, std::string_view name) {
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with(name)) continue;
    const std::string_view rest = trim(line.substr(name.size()));
    return number_in(rest.substr(0, rest.find(' ')));
  }
  return std::nullopt;
}

/// The files of one version of control groups.
struct Version {
  const char* folder;
  const char* limit;
  const char* used;
  const char* droppable;  ///< the line of memory.stat with the pages of files that nobody has used lately
};
constexpr Version kSecond{"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "};
constexpr Version kFirst{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                         "total_inactive_file "};

/// Takes into account the group `path`, which is "/a/b" or "/", and those above it. In a container the path may be the one outside: then the
/// folders that are there are those of the root alone.
void look_at_groups(Fs& fs, const Version& version, std::string path, MemoryReading& reading) {
  for (;;) {
    if (path.ends_with('/')) path.pop_back();
    const std::string folder = fmt::format("{}{}/", version.folder, path);
    if (const auto limit = number_at(fs, folder + version.limit)) {
      reading.total = std::min(reading.total, *limit);
      const std::uint64_t used = number_at(fs, folder + version.used).value_or(0);
      const auto stat = fs.read_file(folder + "memory.stat", kFileMax);
      const std::uint64_t droppable = stat ? number_of(*stat, version.droppable).value_or(0) : 0;
      const std::uint64_t needed = used - std::min(used, droppable);
      reading.available = std::min(reading.available, *limit - std::min(*limit, needed));
    }
    if (path.empty()) return;
    path.resize(path.rfind('/'));
  }
}

}  // namespace

MemoryReading read_memory(Fs& fs) {
  MemoryReading out{.total = kUnknown, .available = kUnknown};
  if (const auto text = fs.read_file("/proc/meminfo", kFileMax)) {
    const auto bytes = [&](std::string_view name) {  // "MemTotal:       24684092 kB"
      const auto kilobytes = number_of(*text, name);
      return kilobytes ? std::optional(*kilobytes * 1024) : std::nullopt;
    };
    out.total = bytes("MemTotal:").value_or(kUnknown);
    out.available = std::min(bytes("MemAvailable:").value_or(out.total), out.total);
  }
  const auto groups = fs.read_file("/proc/self/cgroup", kFileMax);
  if (!groups) return out;
  for (const std::string_view line : split(*groups, '\n')) {  // "4:memory:/a/b" of version 1, "0::/a/b" of version 2
    const std::vector<std::string_view> parts = split(line, ':');
    if (parts.size() < 3) continue;
    const std::string path(line.substr(parts[0].size() + parts[1].size() + 2));
    const std::vector<std::string_view> controllers = split(parts[1], ',');
    if (!path.starts_with('/')) continue;
    if (parts[1].empty())
      look_at_groups(fs, kSecond, path, out);
    else if (std::ranges::find(controllers, "memory") != controllers.end())
      look_at_groups(fs, kFirst, path, out);
  }
  return out;
}

std::optional<std::uint64_t> read_own_memory(Fs& fs) {
  const auto text = fs.read_file("/proc/self/status", kFileMax);
  const auto kilobytes = text ? number_of(*text, "RssAnon:") : std::nullopt;
  return kilobytes ? std::optional(*kilobytes * 1024) : std::nullopt;
}

std::uint64_t MachineMemory::limit_of(std::uint64_t available) const {
  if (bytes_max_ != 0) return std::min(bytes_max_, available);
  return static_cast<std::uint64_t>(kShare * static_cast<double>(available));
}

std::uint64_t MachineMemory::room_locked() {
  // What the running steps have touched is no longer available, what they have not still is: either bound holds.
  const std::uint64_t now = limit_of(read_memory(fs_).available);
  if (held_ == 0) limit_ = now;
  return std::min(limit_ - std::min(limit_, held_), now);
}

std::uint64_t MachineMemory::room() {
  const std::lock_guard lock(mutex_);
  return room_locked();
}

bool MachineMemory::never_fits_locked(std::uint64_t bytes) {
  // What it has touched is not available, and would be; what is reserved and untouched is available now, and counts once.
  const std::uint64_t own = read_own_memory(fs_).value_or(held_);
  return bytes > limit_of(read_memory(fs_).available + own);
}

Result<MachineMemory::Reservation> MachineMemory::reserve(std::uint64_t bytes, std::string_view what,
                                                          const std::stop_token& stop, const Aside& aside) {
  std::unique_lock lock(mutex_);
  const std::uint64_t number = next_++;
  if (bytes < kSmallBytes) {
    small_.insert(number);
    return Reservation(*this, 0, number);
  }
  waiting_.insert(number);
  std::uint64_t room = 0;
  const auto decided = [&] {
    const bool first = *waiting_.begin() == number;
    const bool alone = held_ == 0 && (small_.empty() || *small_.begin() > number);
    if (!first && alone) return false;  // whoever is first sees to it
    room = room_locked();
    return (first && (bytes <= room || alone)) || never_fits_locked(bytes);
  };
  const auto wait = [&] { return changed_->wait(lock, stop, decided); };
  bool answered = decided();
  while (!answered && !stop.stop_requested()) {
    if (!aside) {
      answered = wait();
      continue;
    }
    lock.unlock();
    aside([&] {
      lock.lock();
      (void)wait();
      // Whoever it has to wait for on its way back may stand behind it here.
      waiting_.erase(number);
      changed_->notify_all();
      lock.unlock();
    });
    lock.lock();
    waiting_.insert(number);
    answered = decided();
  }
  waiting_.erase(number);
  changed_->notify_all();
  if (!answered) return fail(errors::kCancelled, "stopped while {} waited for {} bytes of memory", what, bytes);
  if (bytes > room) {
    return fail(errors::kOutOfMemory,
                "{} needs {} bytes and {} are available beside {} of running steps; use a smaller problem, end other "
                "programs, or raise compute.memory_bytes_max if the machine has more",
                what, bytes, room, held_);
  }
  held_ += bytes;
  return Reservation(*this, bytes, number);
}

void MachineMemory::release(std::uint64_t bytes, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  held_ -= bytes;
  small_.erase(number);
  if (!waiting_.empty()) changed_->notify_all();
}

}  // namespace tandem
