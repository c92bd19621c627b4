#include "quorum/quorum_state.h"

#include <boost/json.hpp>

namespace moldau::quorum {
namespace json = boost::json;

std::string format_quorum_state(const QuorumStateFile& state) {
  const std::string who = "\"leaderId\":" + std::to_string(state.leader.value) +
                          ",\"leaderEpoch\":" + std::to_string(state.epoch.value) + ",\"votedId\":-1,";
  if (state.version >= 1)
    return "{" + who + R"("votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})";
  std::string voters;
  for (const BrokerId voter : state.voters)
    voters += (voters.empty() ? "" : ",") + ("{\"voterId\":" + std::to_string(voter.value)) + "}";
  return "{\"clusterId\":\"\"," + who + "\"appliedOffset\":0,\"currentVoters\":[" + voters +
         "],\"data_version\":0}";
}

Result<QuorumStateFile> parse_quorum_state(std::string_view text, const std::string& path) {
  const auto corrupt = [&](const std::string& why) { return fail(ErrorKind::kCorrupt, path + ": " + why); };
  boost::system::error_code error;
  const json::value parsed = json::parse({text.data(), text.size()}, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  if (object == nullptr)
    return corrupt("expected a JSON object, found '" + std::string(text.substr(0, 40)) + "'");
  const auto number = [](const json::object& of, const char* key) -> std::optional<std::int64_t> {
    const json::value* value = of.if_contains(key);
    if (value == nullptr || !value->is_int64()) return std::nullopt;
    return value->as_int64();
  };
  QuorumStateFile state;
  state.version = static_cast<int>(number(*object, "data_version").value_or(0));
  if (state.version < 0 || state.version > 1)
    return fail(ErrorKind::kUnsupported,
                path + ": expected data_version 0 or 1, found " + std::to_string(state.version));
  const auto leader = number(*object, "leaderId"), epoch = number(*object, "leaderEpoch");
  if (!leader || !epoch) return corrupt("expected numbers leaderId and leaderEpoch");
  state.leader = BrokerId{static_cast<std::int32_t>(*leader)};
  state.epoch = LeaderEpoch{static_cast<std::int32_t>(*epoch)};
  if (const json::value* voters = object->if_contains("currentVoters");
      voters != nullptr && voters->is_array())
    for (const json::value& voter : voters->as_array())
      if (voter.is_object())
        if (const auto id = number(voter.as_object(), "voterId"))
          state.voters.emplace_back(static_cast<std::int32_t>(*id));
  return state;
}

}  // namespace moldau::quorum
