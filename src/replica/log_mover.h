// Moves the log of one partition to another log directory, in the background, while it is read and written:
//
//   copying ──caught up──▶ settled ──held, nothing new, or little──▶ the copy is the log
//      ▲  │                   │
//      │  └── resting ◀── no room, or the throttle     (the next tick tries again)
//      └────── much was appended
//
// Each step copies batches as they stand, at most one chunk; it reads them without holding the partition. The
// copy follows the log's start and its truncations. The last step holds the partition: it copies what is
// left, and puts the copy in the log's place (log::LogManager::promote). Producers' state, epochs, the high
// watermark and whoever waits for an acknowledgement or for records are the partition's and go on.
//
// It ends by itself, and its copy is thrown away, when it meets a batch that does not match its checksum; and
// when a directory fails; the copy's folder then stays, and a later start goes on with it.
// (Kafka: kafka.server.ReplicaAlterLogDirsThread.)
//
// Any thread; the steps run one after the other in env::Background.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "env/event_log.h"
#include "env/loop.h"
#include "log/future_log.h"
#include "log/log_manager.h"
#include "replica/move_throttle.h"
#include "replica/partition.h"

namespace moldau::replica {

class LogMover : public std::enable_shared_from_this<LogMover> {
 public:
  // What a partition needs to live on a log: who keeps it, who guards it, where it lies.
  struct Home {
    std::shared_ptr<LogKeeper> keeper;
    std::shared_ptr<log::Exclusion> exclusion;
    Uuid directory;
  };
  struct World {
    log::LogManager& logs;
    env::Background& background;
    env::EventLog& events;
    std::function<Home(const log::LogManager::Handle&, const std::shared_ptr<SharedPartition>&)> home_of;
    std::function<void()> moved;
    std::uint64_t chunk_bytes = 1 << 20;                                        // replica.fetch.max.bytes
    std::shared_ptr<MoveThrottle> throttle = std::make_shared<MoveThrottle>();  // one for all moves
  };
  LogMover(const World& world, std::shared_ptr<SharedPartition> partition, log::LogManager::Handle current,
           log::LogManager::Handle future);

  // Once. `resumed`: the copy was begun before this start; what it has too much is cut off before this
  // returns, and before anything may be appended to the log.
  void start(bool resumed);
  // Goes on where there was no room, no place in the queue, or a throttle in the way.
  void tick();
  // When it returns nothing of this mover touches a log any more. Never from within the partition.
  void cancel();
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  const log::LogManager::Handle& future() const { return future_; }

 private:
  enum class Next : std::uint8_t { kMore, kRest, kEnd };
  // What a step found to do, or why there is nothing.
  struct Plan {
    std::optional<Next> next{};
    env::FileSlice slice{};
    Offset from, start;
    Offset skip_to{0};  // nothing lies between `from` and this
    std::uint64_t truncations = 0;
    bool last = false;  // behind the slice is nothing more
  };
  // What has gone wrong with a disk, told once the logs are let go.
  struct Trouble {
    std::optional<Error> current{}, future{};
    std::optional<std::string> odd{};  // not the disk's fault: the copy is given up
  };

  void submit();
  void step();
  Next advance();
  Plan make_plan(Partition& partition);
  Next copy(const Plan& plan);
  Next settle();
  Next finish(Partition& partition, const Plan& plan);
  Status align(log::Log& source);
  Result<bool> read(const env::FileSlice& slice);
  Status add(const Plan& plan);
  Status allow_holes();
  Status append_batches(log::Log& copy);
  Result<bool> inspect(Offset next) const;
  bool tell(const Trouble& trouble);
  Next after(const Error& error, std::optional<Error> Trouble::* whose);
  void give_up(const std::string& why);

  World world_;
  const std::shared_ptr<SharedPartition> partition_;
  const log::LogManager::Handle current_, future_;
  const std::shared_ptr<log::FutureGuard> guard_;
  const log::TopicPartition name_;
  std::atomic<bool> ended_{false}, resting_{false};

  // Of the steps alone.
  Bytes buffer_;
  std::uint64_t truncations_ = 0;  // of the log, as far as the copy has followed them
  bool settled_ = false;           // flushed since it last caught up
  bool holes_allowed_ = false;
  Trouble trouble_;
};

}  // namespace moldau::replica
