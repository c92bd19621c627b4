// What happens in one run: draws the topics, the clients and the faults from the seed, lets the faults
// happen, and says when all is over. Used by run.cc only; one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/admin.h"
#include "sim/consumer.h"
#include "sim/member.h"
#include "sim/owner.h"
#include "sim/producer.h"
#include "sim/vandal.h"
#include "sim/world.h"

namespace moldau::sim {

class Scenario {
 public:
  explicit Scenario(World& world);
  // Runs it. What was wrong stands in the world.
  void run();

 private:
  static constexpr env::Duration kTroubled = milliseconds(4000);

  enum class Mishap : std::uint8_t {
    kKill,
    kPowerCut,
    kKillInWrite,
    kPowerInWrite,
    kCleanRestart,
    kDiskFull,
    kSlowDisk,
    kBadDirectory,
    kRot,
    kWallJump,
    kCutConnection,
    kHalfOpen,
    kCount
  };

  void make_topics();
  TopicWish wish(int number);
  void compact(TopicWish& topic);
  void make_clients();
  void make_producer(int number, const std::vector<Partition*>& all);
  void make_consumer(int number, const std::vector<Partition*>& all);
  void make_group();
  void make_owners();
  OwnerSpec owner_spec(simenv::Random& lot, int number, bool migrates);
  void plan_death_in_commit(simenv::Random& lot);
  void open_transaction(Partition& p);
  std::vector<Partition*> some_of(const std::vector<Partition*>& all);
  void plan_mishaps();
  void happen(Mishap mishap);
  void fall_ill(const char* what, env::Duration duration, std::function<void()> recover);
  void rot();
  void start_again_soon();
  void boot();
  // One event and what must hold behind it. False: nothing happens any more, or it is over.
  bool step();
  bool step_until(env::Instant limit, const std::function<bool()>& reached);
  bool everyone_done() const;
  bool group_is_stable() const;
  bool owners_agree() const;
  std::string who_is_not_done() const;
  void calm_down();
  void finish();

  World& world_;
  std::unique_ptr<Admin> admin_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Member*> members_;  // of one group; among clients_
  std::vector<Owner*> owners_;    // of another
  std::unique_ptr<Vandal> vandal_;
  std::vector<TopicWish> wishes_;
  Death death_in_write_ = Death::kKill;
  int illnesses_ = 0;
  bool starting_ = false;
  bool zstd_ = false;  // somewhere in this world
};

}  // namespace moldau::sim
