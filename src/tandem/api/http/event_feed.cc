#include "tandem/api/http/event_feed.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tandem/net/server/event_stream.h"

namespace tandem::http {
namespace {

constexpr auto kHeartbeat = std::chrono::seconds(15);  ///< a comment that keeps proxies from closing an idle stream

/// What the log of a job has after some place.
struct Page {
  server::SharedBytes bytes;  ///< null: nothing
  std::uint64_t last = 0;  ///< sequence of the last event in it
  bool more = false;  ///< there may be more behind it
  bool ends = false;  ///< whoever has all of this has all that will come
};

/// Places of those who follow a log: sequence of the last event that they were given, or that they say they have.
using Place = std::uint64_t;

}  // namespace

/// The streams of one job. They belong to the feed's task, of which there is one at a time; what others have to say (a stream is
/// new, or drained, or gone; the log grew) waits for it as mail.
class EventFeed : public std::enable_shared_from_this<EventFeed> {
 public:
  EventFeed(std::shared_ptr<EventFeeds> feeds, JobId job) : feeds_(std::move(feeds)), job_(std::move(job)) {}

  /// Before the first stream, so that no event falls between what is read for it and the subscription.
  void begin() {
    feeds_->engine_->with([&](engine::Engine& engine) {
      const auto on_event = [weak = weak_from_this()](const job::Event&) {
        if (const auto feed = weak.lock()) feed->wake();
      };
      subscription_ = engine.subscribe(job_, on_event, nullptr, nullptr);
    });
    beat_later();
  }
  void follow(Place after, std::unique_ptr<server::Stream> stream) {
    const auto reader = std::make_shared<Reader>(Reader{.stream = std::move(stream), .place = after});
    reader->stream->on_close(
        [self = shared_from_this(), reader] { self->tell([&](Mail& mail) { mail.gone.push_back(reader); }); });
    ready(reader);
  }
  /// The log may have grown, or the streams are wound up.
  void wake() {
    tell([](Mail& mail) { mail.read_again = true; });
  }

 private:
  struct Reader {
    std::unique_ptr<server::Stream> stream;
    Place place = 0;
    bool over = false;  ///< nothing more is written
  };
  using ReaderPtr = std::shared_ptr<Reader>;
  using Readers = std::unordered_set<ReaderPtr>;
  using ByPlace = std::map<Place, Readers>;

  struct Mail {
    std::vector<ReaderPtr> ready;  ///< new, or drained
    std::vector<ReaderPtr> gone;
    bool read_again = false;
    bool beat = false;
    bool empty() const { return ready.empty() && gone.empty() && !read_again && !beat; }
  };

  template <typename Write>
  void tell(const Write& write) {
    {
      const std::lock_guard lock(mutex_);
      write(mail_);
      if (std::exchange(running_, true)) return;
    }
    run_later();
  }
  void ready(const ReaderPtr& reader) {
    tell([&](Mail& mail) { mail.ready.push_back(reader); });
  }
  void run_later() {
    feeds_->executor_.post([self = shared_from_this()] { self->run(); });
  }

  /// The mail, a page for those who had the whole log and one for some who are further back, so that neither wait for the others.
  /// What is left comes after whatever else the pool has to do.
  void run() {
    Mail mail;
    {
      const std::lock_guard lock(mutex_);
      mail = std::exchange(mail_, {});
    }
    for (const ReaderPtr& reader : mail.ready)
      if (!reader->over) behind_[reader->place].insert(reader);
    for (const ReaderPtr& reader : mail.gone) forget(reader);
    if (mail.beat) beat();
    if (mail.beat || mail.read_again) {
      for (auto& [place, readers] : at_end_) put(woken_, place, std::move(readers));
      at_end_.clear();
    }
    if (!woken_.empty()) serve(woken_.extract(woken_.begin()));
    if (!behind_.empty()) {
      auto next = behind_.upper_bound(served_);
      if (next == behind_.end()) next = behind_.begin();
      served_ = next->first;
      serve(behind_.extract(next));
    }
    {
      const std::lock_guard lock(mutex_);
      running_ = !woken_.empty() || !behind_.empty() || !mail_.empty();
      if (!running_) return;
    }
    run_later();
  }

  void serve(ByPlace::node_type group) {
    const Page page = read(group.key());
    Readers& readers = group.mapped();
    server::Handover handover;
    if (page.ends) {
      for (const ReaderPtr& reader : readers) end(*reader, page, handover);
      return;
    }
    if (page.bytes == nullptr) return put(at_end_, group.key(), std::move(readers));
    std::erase_if(readers, [&](const ReaderPtr& reader) { return !give(reader, page, handover); });
    put(page.more ? behind_ : at_end_, page.last, std::move(readers));
  }

  Page read(Place after) {
    Page page{.last = after, .ends = true};
    feeds_->engine_->with([&](engine::Engine& engine) {
      // Asked before the log is read: the event that ends a job is in the log when its row says so.
      const bool winding_up = feeds_->winding_up_;
      const auto view = engine.job(job_);
      const auto events = engine.events(job_, after, EventFeeds::kPageEvents);
      if (!view || !events) return;
      Bytes text;
      std::size_t written = 0;
      for (; written < events->size() && text.size() < EventFeeds::kPageBytes; ++written) {
        const job::Event& event = (*events)[written];
        text +=
            server::format_event({.id = std::to_string(event.sequence), .type = event.type, .data = event.numbered()});
        page.last = event.sequence;
      }
      page.more = written < events->size() || written == EventFeeds::kPageEvents;
      // What comes after the end of the job belongs to it too: an orphan.
      page.ends = !page.more && (winding_up || job::is_final(view->state));
      if (!text.empty()) page.bytes = std::make_shared<const Bytes>(std::move(text));
    });
    return page;
  }

  void end(Reader& reader, const Page& page, server::Handover& handover) {
    if (page.bytes != nullptr)
      reader.stream->write_last(page.bytes, handover);
    else
      reader.stream->close();
    leave(reader);
  }
  /// Whether the reader stands at the end of the page now and takes more; one that has much to take first will come back.
  bool give(const ReaderPtr& reader, const Page& page, server::Handover& handover) {
    server::Stream& stream = *reader->stream;
    if (!stream.write(page.bytes, handover)) {
      leave(*reader);
      return false;
    }
    reader->place = page.last;
    if (stream.unsent() <= EventFeeds::kUnsentBytes) return true;
    stream.on_drained([self = shared_from_this(), reader] { self->ready(reader); });
    return false;
  }

  /// The stream of `reader` is gone.
  void forget(const ReaderPtr& reader) {
    for (ByPlace* groups : {&at_end_, &woken_, &behind_}) {
      const auto group = groups->find(reader->place);
      if (group == groups->end()) continue;
      group->second.erase(reader);
      if (group->second.empty()) groups->erase(group);
    }
    leave(*reader);
  }
  void leave(Reader& reader) {
    if (std::exchange(reader.over, true) || !feeds_->leave(job_)) return;
    subscription_.reset();
    timer_.reset();
    retired_ = true;
  }

  void beat_later() {
    timer_ = feeds_->executor_.post_after(kHeartbeat, [weak = weak_from_this()] {
      if (const auto feed = weak.lock()) feed->tell([](Mail& mail) { mail.beat = true; });
    });
  }
  void beat() {
    if (retired_) return;
    server::Handover handover;
    for (const ByPlace* groups : {&at_end_, &woken_, &behind_})
      for (const auto& [place, readers] : *groups)
        for (const ReaderPtr& reader : readers)
          if (reader->stream->unsent() == 0) reader->stream->write(feeds_->heartbeat_, handover);
    beat_later();
  }

  static void put(ByPlace& groups, Place place, Readers readers) {
    if (readers.empty()) return;
    Readers& there = groups[place];
    if (there.empty())
      there = std::move(readers);
    else
      there.merge(readers);
  }

  const std::shared_ptr<EventFeeds> feeds_;
  const JobId job_;
  std::mutex mutex_;
  Mail mail_;  ///< guarded by mutex_
  bool running_ = false;  ///< the task waits or runs; guarded by mutex_

  // The task's. A reader is in the group of its place, or waits to be drained, or is over.
  ByPlace at_end_;  ///< the log had nothing more for them
  ByPlace woken_;  ///< it had not, and may have grown
  ByPlace behind_;  ///< it may have more for them
  Place served_ = 0;  ///< those behind have their turns upwards from here, then from the lowest
  bool retired_ = false;
  std::unique_ptr<Timer> subscription_;
  std::unique_ptr<Timer> timer_;
};

EventFeeds::EventFeeds(std::shared_ptr<ServedEngine> engine, Executor& executor)
    : engine_(std::move(engine)),
      executor_(executor),
      heartbeat_(std::make_shared<const Bytes>(server::format_heartbeat())) {}

void EventFeeds::follow(const JobId& job, std::uint64_t after, std::unique_ptr<server::Stream> stream) {
  std::shared_ptr<EventFeed> feed;
  {
    const std::lock_guard lock(mutex_);
    Member& member = feeds_[job];
    if (member.feed == nullptr) {
      member.feed = std::make_shared<EventFeed>(shared_from_this(), job);
      member.feed->begin();
    }
    ++member.streams;
    feed = member.feed;
  }
  feed->follow(after, std::move(stream));
}

bool EventFeeds::leave(const JobId& job) {
  const std::lock_guard lock(mutex_);
  const auto member = feeds_.find(job);
  if (--member->second.streams > 0) return false;
  feeds_.erase(member);  // it is alive: its task has called
  changed_.notify_all();
  return true;
}

void EventFeeds::wind_up(Deadline deadline, const Clock& clock) {
  winding_up_ = true;
  std::unique_lock lock(mutex_);
  for (const auto& [job, member] : feeds_) member.feed->wake();
  while (!feeds_.empty()) {
    const auto left = deadline.left(clock);
    if (left <= std::chrono::nanoseconds::zero()) return;
    changed_.wait_for(lock, std::min<std::chrono::nanoseconds>(left, std::chrono::hours(1)));
  }
}

}  // namespace tandem::http
