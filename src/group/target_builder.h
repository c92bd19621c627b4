// The target of a consumer group: what its assignor gives to whom, for one epoch of the group. Pure
// functions. (Kafka: TargetAssignmentBuilder.)
#pragma once

#include <map>
#include <set>
#include <string>

#include "group/assignor.h"
#include "group/consumer_group.h"
#include "metadata/image.h"

namespace moldau::group {

using ResolvedRegexes = ConsumerGroup::ByName<ResolvedRegex>;

// The topics that exist of those that a member wants. A regular expression that is not resolved yet stands
// for none.
std::set<Uuid> subscribed_topics(const ConsumerMember& member, const ResolvedRegexes& resolved,
                                 const metadata::Image& image);

// The targets that are to change, by member. `member` is as it is about to be; if it takes the place of a
// static member, it inherits that one's target.
std::map<std::string, Assignment> build_target(const ConsumerGroup& group, const ConsumerMember& member,
                                               const ResolvedRegexes& resolved, const metadata::Image& image,
                                               Assignor assignor);

}  // namespace moldau::group
