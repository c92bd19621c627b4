// For requests about several groups: which coordinator each name belongs to, and their answers put together.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "broker/group/ask.h"
#include "wire/reader.h"

namespace moldau::broker {

// The response of one part. Views into the outcome.
template <typename Response>
Response decode_outcome(const GroupOutcome& outcome, std::int16_t version) {
  Response response;
  wire::Reader reader(outcome.body);
  CHECK(decode(reader, version, response), reader.reason());
  return response;
}

// Groups by coordinator; those without one stand under nullptr. In the order of the first of each.
struct NamesOfCoordinator {
  GroupCoordinatorRef coordinator;
  std::vector<std::string_view> names;
};
inline std::vector<NamesOfCoordinator> by_coordinator(const GroupCoordinators& groups,
                                                      const std::vector<std::string_view>& names) {
  std::vector<NamesOfCoordinator> sorted;
  std::map<const GroupCoordinator*, std::size_t> places;
  for (const std::string_view name : names) {
    GroupCoordinatorRef coordinator = groups.find(name);
    const auto [place, fresh] = places.try_emplace(coordinator.get(), sorted.size());
    if (fresh) sorted.push_back({std::move(coordinator), {}});
    sorted[place->second].names.push_back(name);
  }
  return sorted;
}

// Asks each coordinator for its groups. `make(names)` is the request of a part, `add(response)` takes what a
// part says, `refuse(name, error)` what nobody said; then the reply is sent by `done()`. Each runs on the
// loop, and may use the request.
template <typename Response, typename Make, typename Add, typename Refuse, typename Done>
void ask_by_name(const CallPtr& call, const std::vector<std::string_view>& names, Make make, Add add,
                 Refuse refuse, Done done) {
  using Request = decltype(make(names));
  std::vector<GroupPart<Request>> parts;
  std::vector<std::vector<std::string_view>> names_of;
  for (NamesOfCoordinator& part : by_coordinator(*call->services().groups, names)) {
    parts.push_back({std::move(part.coordinator), make(part.names)});
    names_of.push_back(std::move(part.names));
  }
  ask_groups(call, call->version(), std::move(parts),
             [=, names_of = std::move(names_of)](std::vector<GroupOutcome>& outcomes) mutable {
               for (std::size_t i = 0; i < outcomes.size(); ++i) {
                 if (outcomes[i].failure != wire::ErrorCode::kNone || outcomes[i].error) call->count_error();
                 if (outcomes[i].failure == wire::ErrorCode::kNone) {
                   add(decode_outcome<Response>(outcomes[i], call->version()));
                   continue;
                 }
                 for (const std::string_view name : names_of[i]) refuse(name, outcomes[i].failure);
               }
               done();
             });
}

}  // namespace moldau::broker
