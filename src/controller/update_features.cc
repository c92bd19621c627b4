// Finalized features: raised, lowered where that is safe, as far as every broker goes along. (KIP-584; Kafka:
// FeatureControlManager, QuorumFeatures)
#include <fmt/format.h>

#include "controller/controller.h"
#include "controller/decision.h"
#include "metadata/features.h"
#include "metadata/records.h"

namespace moldau::controller {
namespace {

enum UpgradeType : std::int8_t { kUpgrade = 1, kSafeDowngrade = 2, kUnsafeDowngrade = 3 };

// Levels of metadata.version that brought new records or fields: below them, something would be lost.
constexpr std::int16_t kMetadataChangedAt[] = {7, 8, 11, 13, 14, 15, 17, 23, 30};

std::string range_text(std::int16_t min, std::int16_t max) {
  return min == max ? std::to_string(min) : fmt::format("{}-{}", min, max);
}

// Why `who` cannot go to `level`; nothing if it can.
std::string unsupported(std::string who, std::int16_t min, std::int16_t max, std::int16_t level) {
  if (level >= min && level <= max) return "";
  if (max == 0) return who + " does not support this feature.";
  return who + " only supports versions " + range_text(min, max);
}

class FeatureUpdate {
 public:
  FeatureUpdate(Decision& decision, const Options& options, const UpdateFeatures::Update& update)
      : decision_(decision), options_(options), update_(update) {}

  // Empty: done, with a record if there is something to write.
  std::string run() {
    if (update_.upgrade_type < kUpgrade || update_.upgrade_type > kUnsafeDowngrade)
      return refusal("The controller does not support the given upgrade type.");
    if (update_.level < 0) return refusal("A feature version cannot be less than 0.");
    if (const std::string why = not_supported(); !why.empty()) return refusal(why);
    const std::int16_t current = current_level();
    if (update_.level < current && update_.upgrade_type == kUpgrade)
      return refusal(
          "Can't downgrade the version of this feature without setting the upgrade type to either safe or "
          "unsafe downgrade.");
    if (update_.level > current && update_.upgrade_type != kUpgrade)
      return refusal("Can't downgrade to a newer version.");
    if (update_.name == metadata::kKraftVersion)
      return update_.level == current ? "" : refusal("Can't downgrade the version of this feature.");
    if (update_.name == metadata::kMetadataVersion)
      if (const std::string why = lost_by_downgrade(current); !why.empty()) return why;
    decision_.records.push_back(metadata::feature_record(update_.name, update_.level));
    return "";
  }

 private:
  std::string refusal(std::string_view why) const {
    return fmt::format("Invalid update version {} for feature {}. {}", update_.level, update_.name, why);
  }

  std::int16_t current_level() const {
    return update_.name == metadata::kKraftVersion ? options_.kraft_version
                                                   : decision_.image.feature(update_.name);
  }

  std::string not_supported() const {
    const metadata::SupportedFeature* ours = metadata::find_feature(update_.name);
    std::string why = unsupported(fmt::format("Local controller {}", options_.node_id.value),
                                  ours != nullptr ? ours->min : std::int16_t{0},
                                  ours != nullptr ? ours->max : std::int16_t{0}, update_.level);
    for (const auto& [id, broker] : decision_.image.brokers()) {
      if (!why.empty()) break;
      FeatureRange theirs;
      for (const FeatureRange& range : broker->features)
        if (range.name == update_.name) theirs = range;
      why = unsupported(fmt::format("Broker {}", id.value), theirs.min, theirs.max, update_.level);
    }
    return why;
  }

  std::string lost_by_downgrade(std::int16_t current) const {
    for (const std::int16_t level : kMetadataChangedAt) {
      if (level <= update_.level || level > current) continue;
      return fmt::format("Unsupported metadata.version downgrade from {} to {}. {}", current, update_.level,
                         update_.upgrade_type == kUnsafeDowngrade
                             ? "Unsafe metadata downgrade is not supported in this version."
                             : "Refusing to perform the requested downgrade because it might delete metadata "
                               "information.");
    }
    return "";
  }

  Decision& decision_;
  const Options& options_;
  const UpdateFeatures::Update& update_;
};

}  // namespace

Outcome<UpdateFeaturesReply> Controller::handle(const UpdateFeatures& request, env::Instant,
                                                env::Random&) const {
  Decision decision(*image_, values_, options_);
  Outcome<UpdateFeaturesReply> outcome;
  for (const UpdateFeatures::Update& update : request.updates) {
    std::string why = FeatureUpdate(decision, options_, update).run();
    if (why.empty()) continue;
    outcome.reply.error =
        api_error(ErrorCode::kInvalidUpdateVersion,
                  "The update failed for all features since the following feature had an error: " + why);
    return outcome;
  }
  for (const UpdateFeatures::Update& update : request.updates)
    outcome.reply.features.push_back({update.name, {}});
  if (!request.validate_only) outcome.records = std::move(decision.records);
  return outcome;
}

}  // namespace moldau::controller
