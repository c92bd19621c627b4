// Incremental fetch sessions (KIP-227, kafka.server.FetchSession): the broker remembers which partitions a
// fetcher wants and what it was last told, so that requests and replies carry only what changed.
//
//   request (id, epoch)         outcome
//   (0, -1)                     no session wanted                              → sessionless
//   (0 or id, 0)                forgets `id`, remembers the request's set      → a new id, told in the reply
//   (id, -1)                    forgets `id`                                   → sessionless
//   (id, n) n = expected        adds, changes, forgets; empty afterwards → closed, sessionless
//   (id, n) otherwise           INVALID_FETCH_SESSION_EPOCH; unknown id: FETCH_SESSION_ID_NOT_FOUND
//
// Single-threaded: guarded by an env::Serial outside. At most `slots` sessions; when full, one that has not
// been used for 2 minutes gives way, else the fetcher gets no session and sends whole requests.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/uuid.h"
#include "env/clock.h"
#include "env/random.h"
#include "wire/errors.h"

namespace moldau::replica {

inline constexpr std::int32_t kNoSession = 0;
inline constexpr std::int32_t kInitialEpoch = 0;
inline constexpr std::int32_t kFinalEpoch = -1;

// One partition that a fetcher wants. Named by id from Fetch 13 on, by name before.
struct FetchWish {
  std::string topic;
  Uuid topic_id;
  std::int32_t partition = 0;
  std::int32_t current_leader_epoch = -1;
  std::int64_t fetch_offset = 0;
  std::int32_t last_fetched_epoch = -1;
  std::int64_t log_start_offset = -1;  // of the follower that fetches; -1 from consumers
  std::int32_t max_bytes = 0;

  bool same_partition(const FetchWish& o) const {
    return partition == o.partition && topic_id == o.topic_id && topic == o.topic;
  }
};

// What the reply says of a partition besides its records: what an incremental reply leaves out if unchanged.
struct FetchNews {
  std::int64_t high_watermark = -1;
  std::int64_t log_start_offset = -1;
  bool has_records = false;
  bool must_tell = false;  // an error, a diverging epoch, a preferred replica
};

class FetchSession {
 public:
  // Insertion order; what delivered records moves to the end, so that no partition starves the others.
  struct Entry {
    FetchWish wish;
    std::int64_t told_high_watermark = -1;
    std::int64_t told_log_start_offset = -1;
  };

  explicit FetchSession(std::int32_t id, bool by_topic_id) : id_(id), by_topic_id_(by_topic_id) {}

  std::int32_t id() const { return id_; }
  bool by_topic_id() const { return by_topic_id_; }
  std::size_t size() const { return entries_.size(); }

  void put(FetchWish wish);  // adds or changes
  void forget(const FetchWish& key);
  std::vector<FetchWish> wishes() const;

  // Whether `news` of this partition belongs in an incremental reply; remembers what is told.
  bool tell(const FetchWish& key, const FetchNews& news);

 private:
  friend class FetchSessions;
  struct Hash {
    std::size_t operator()(const FetchWish& w) const;
  };
  struct Same {
    bool operator()(const FetchWish& a, const FetchWish& b) const { return a.same_partition(b); }
  };

  std::int32_t id_;
  bool by_topic_id_;
  std::int32_t next_epoch_ = 1;
  env::Instant last_used_{};
  std::list<Entry> entries_;
  std::unordered_map<FetchWish, std::list<Entry>::iterator, Hash, Same> index_;
};

// What a request resolved to.
struct FetchPlan {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::vector<FetchWish> wishes;
  std::int32_t session_id = kNoSession;  // to say in the reply; also when a new session is to be made
  bool incremental = false;              // reply only with what changed
};

class FetchSessions {
 public:
  explicit FetchSessions(std::size_t slots) : slots_(slots) {}

  // Resolves a request. `wishes` are its partitions, `forgotten` its forgotten ones. A full request gets a
  // new session right away if there is room (its id goes into the reply).
  FetchPlan plan(std::int32_t session_id, std::int32_t epoch, bool by_topic_id, std::vector<FetchWish> wishes,
                 const std::vector<FetchWish>& forgotten, env::Instant now, env::Random& random);

  // Filters an incremental reply: told[i] says whether partition i goes into it.
  std::vector<bool> tell(std::int32_t session_id, const std::vector<FetchWish>& wishes,
                         const std::vector<FetchNews>& news);

  std::size_t size() const { return sessions_.size(); }
  std::size_t partitions()
      const;  // kafka.server:type=FetchSessionCache,name=NumIncrementalFetchPartitionsCached
  std::uint64_t evictions() const { return evictions_; }

 private:
  FetchPlan plan_full(std::int32_t session_id, std::int32_t epoch, bool by_topic_id,
                      std::vector<FetchWish> wishes, env::Instant now, env::Random& random);
  FetchSession* make(bool by_topic_id, env::Instant now, env::Random& random);

  std::size_t slots_;
  std::uint64_t evictions_ = 0;
  std::unordered_map<std::int32_t, std::unique_ptr<FetchSession>> sessions_;
};

}  // namespace moldau::replica
