// A virtual administrator: makes the topics, then changes things at random: settings, partitions, log starts,
// topics that come and go. What is acknowledged is written into the ledger, what is only asked for as
// uncertain. One request at a time; asks again until it knows. One thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/client.h"

namespace moldau::sim {

struct TopicWish {
  std::string name;
  std::int32_t partitions = 1;
  std::map<std::string, std::string> configs;
};

class Admin final : public Client {
 public:
  // `ready` runs once, when all of `topics` are there. `deeds` things are done afterwards.
  Admin(World& world, std::vector<TopicWish> topics, int deeds, std::function<void()> ready);

  bool done() const override { return made_ == wishes_.size() && deeds_left_ == 0 && !busy_; }
  void stop_meddling() { deeds_left_ = 0; }

 private:
  void connected() override;
  void disconnected() override;
  void go_on();
  void go_on_soon();
  void create(const TopicWish& wish, std::function<void(bool)> then);
  void do_something();
  void delete_records(Topic& topic);
  void alter_config(Topic& topic);
  void add_partition(Topic& topic);
  void delete_topic(Topic& topic);
  void describe(Topic& topic);
  void move_partition(Topic& topic);
  Topic* some_topic();

  std::vector<TopicWish> wishes_;
  std::size_t made_ = 0;
  int deeds_left_;
  int next_spare_ = 0;
  std::string deleting_;  // asked for, not yet known to be done
  std::function<void()> ready_;
  bool busy_ = false, resting_ = false;
};

}  // namespace moldau::sim
