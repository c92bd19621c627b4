// A virtual consumer of some partitions: fetches in one version of Fetch 0 to 18, with or without a session,
// waiting or not, in small bites or large ones, and looks offsets up between, on the same connection.
// Everything that it gets goes through a Reader. Besides: data that may be read are told within their time;
// offsets looked up are right. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/client.h"
#include "wire/gen/fetch.h"
#include "wire/gen/list_offsets.h"

namespace moldau::sim {

struct ConsumerSpec {
  std::int16_t version = 12;
  std::int16_t list_version = 5;
  bool committed = false;
  bool session = false;
  std::int32_t max_wait_ms = 500, min_bytes = 1, max_bytes = 1 << 20, partition_max_bytes = 1 << 16;
  std::string to_string() const;
};

class Consumer final : public Client {
 public:
  Consumer(World& world, std::string name, ConsumerSpec spec, std::vector<Partition*> targets);

  bool done() const override;  // everything that it may read has been read

 private:
  struct Target {
    Partition* partition;
    std::int64_t position = 0;
    std::int64_t in_session = kNowhere;  // the position that the session knows
    std::int64_t end_when_asked = 0;
    std::int32_t max_bytes = 0;  // grows where an old fetch cannot get a whole batch
    bool lost_place = false;     // out of range: ask where the log begins
  };

  void connected() override;
  void disconnected() override;
  void go_on();
  void fetch();
  void add(wire::FetchRequest& request, Target& target);
  void fetched(const wire::FetchResponse& response, const RequestNote::Times& times);
  void take(Target& target, const wire::FetchResponse::PartitionData& data);
  void refused(Target& target, wire::ErrorCode error);
  void check_promptness(const RequestNote::Times& times) const;
  void find_place(Target& target);
  void look_up();
  void check_look_up(Partition& p, std::int64_t timestamp, std::int64_t end_when_asked,
                     std::int64_t acked_when_asked, const wire::ListOffsetsResponse& response);
  Target* find(std::string_view topic, const Uuid& id, std::int32_t index);
  std::int64_t last_readable(const Partition& p) const;

  const ConsumerSpec spec_;
  std::vector<Target> targets_;
  bool busy_ = false;
  std::int16_t asked_version_ = 0;
  std::int32_t session_id_ = 0, session_epoch_ = 0;
  bool in_session_ = false;
};

}  // namespace moldau::sim
