// One request on its way to the coordinators of the groups that it names, and back:
//
//   ask_groups(call, parts, then): each part is asked of its coordinator; when all have answered,
//   then(outcomes) runs once, on the connection's loop.
//
// An outcome is a whole response of that part, or the error that kept it from being decided. A request that
// waits (for members to join, say) is answered when the broker stops, too. It keeps itself alive until the
// last part has been told of, and dies on the connection's loop.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "broker/call.h"
#include "broker/fanout.h"
#include "broker/group/coordinators.h"

namespace moldau::broker {

struct GroupOutcome {
  wire::ErrorCode failure = wire::ErrorCode::kNone;  // nobody has decided; there is no body
  Bytes body;
  bool error = false;
};

template <typename Request>
struct GroupPart {
  GroupCoordinatorRef coordinator;  // nullptr: NOT_COORDINATOR
  Request request;
};

template <typename Request>
class GroupAsk final : public Fanout, public GroupAsker {
 public:
  using Then = std::move_only_function<void(std::vector<GroupOutcome>&)>;

  GroupAsk(CallPtr call, std::int16_t version, std::vector<GroupPart<Request>> parts, Then then)
      : call_(std::move(call)), version_(version), then_(std::move(then)), outcomes_(parts.size()) {
    for (GroupPart<Request>& part : parts) jobs_.emplace_back(this, jobs_.size(), std::move(part));
  }

  void launch() {
    const auto ran = ran_;
    const CallPtr call = call_;
    launching(call->loop(), jobs_.size());
    for (Job& job : jobs_) {
      if (job.part.coordinator)
        job.part.coordinator->execute(job);
      else
        failed(job.index, wire::ErrorCode::kNotCoordinator);
    }
    launched();
    if (ran && ran->load(std::memory_order_acquire)) call->release_frame();
  }
  // For members to join, say: the receive memory goes back as soon as the request was understood, so `then`
  // may not use it. REQUIRES: one part.
  void may_wait_long() { ran_ = std::make_shared<std::atomic<bool>>(false); }

  void answered(std::size_t part, Bytes body, bool error) override {
    outcomes_[part] = {wire::ErrorCode::kNone, std::move(body), error};
    part_done();
  }
  void failed(std::size_t part, wire::ErrorCode error) override {
    outcomes_[part].failure = error;
    part_done();
  }

 private:
  struct Job final : GroupCoordinator::Shared::Job {
    Job(GroupAsk* the_owner, std::size_t the_index, GroupPart<Request> the_part)
        : owner(the_owner), index(the_index), part(std::move(the_part)) {}
    void run(GroupDriver& inside) override {
      const auto ran = owner->ran_;  // the owner may be gone as soon as it has its answer
      inside.ask({.asker = owner,
                  .part = index,
                  .version = owner->version_,
                  .client_id = owner->call_->client_id(),
                  .client_host = owner->call_->connection().info().client_host},
                 part.request);
      if (ran) ran->store(true, std::memory_order_release);
    }
    GroupAsk* owner;
    std::size_t index;
    GroupPart<Request> part;
  };

  void finished() override { then_(outcomes_); }

  const CallPtr call_;
  const std::int16_t version_;
  Then then_;  // loop thread only
  std::deque<Job> jobs_;
  std::vector<GroupOutcome> outcomes_;
  std::shared_ptr<std::atomic<bool>> ran_;  // whether the job has; for long waits only
};

// Several groups: `version` is that in which the parts are answered, for whoever puts them together.
template <typename Request, typename Then>
void ask_groups(const CallPtr& call, std::int16_t version, std::vector<GroupPart<Request>> parts, Then then) {
  std::make_shared<GroupAsk<Request>>(call, version, std::move(parts), std::move(then))->launch();
}

enum class GroupWait : std::uint8_t { kShort, kLong };

// One group: its coordinator's answer is the reply. `refuse(ErrorCode)` replies where nobody has decided;
// where the wait may be long it must not use the request, whose memory has gone back.
template <typename Request, typename Refuse>
void ask_group(const CallPtr& call, std::string_view group, Request request, Refuse refuse,
               GroupWait wait = GroupWait::kShort) {
  std::vector<GroupPart<Request>> parts;
  parts.push_back({call->services().groups->find(group), std::move(request)});
  auto then = [call, refuse = std::move(refuse)](std::vector<GroupOutcome>& outcomes) mutable {
    GroupOutcome& outcome = outcomes.front();
    if (outcome.failure != wire::ErrorCode::kNone) {
      call->count_error();
      return refuse(outcome.failure);
    }
    if (outcome.error) call->count_error();
    call->reply_body(outcome.body);
  };
  const auto ask =
      std::make_shared<GroupAsk<Request>>(call, call->version(), std::move(parts), std::move(then));
  if (wait == GroupWait::kLong) ask->may_wait_long();
  ask->launch();
}

}  // namespace moldau::broker
