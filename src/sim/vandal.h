// A client that sends what nobody should: noise, headers of unknown APIs, counts of two billion, requests cut
// short. It expects nothing; that others are served meanwhile and nothing stored is lost is everybody else's
// affair. One thread.
#pragma once

#include "sim/client.h"

namespace moldau::sim {

class Vandal final : public Client {
 public:
  Vandal(World& world, int deeds) : Client(world, "vandal"), deeds_(deeds) {}
  bool done() const override { return true; }

 private:
  void connected() override { go_on(); }
  void disconnected() override {}
  void go_on() {
    if (deeds_ <= 0 || left()) return;
    after(milliseconds(world_.random.between(10, 700)), [this] {
      if (deeds_-- <= 0 || !is_connected()) return;
      send_raw(nonsense());
      if (one_in(2)) after(milliseconds(20), [this] { drop_connection(); });
      go_on();
    });
  }

  Bytes nonsense() {
    Bytes frame(below(6) == 0 ? below(12) : 14 + below(80));
    for (std::uint8_t& byte : frame) byte = static_cast<std::uint8_t>(world_.random.next());
    if (frame.size() < 14) return frame;
    static constexpr std::int16_t kKeys[] = {0, 1, 2, 3, 18, 19, 20, 21, 22, 32, 37, 44, 57, 60, 75, 300, -5};
    const std::int16_t key = kKeys[below(std::size(kKeys))];
    store_be(frame.data(), key);
    store_be(frame.data() + 2, static_cast<std::int16_t>(below(14)));
    store_be(frame.data() + 8, std::int16_t{0});  // an empty client id
    if (one_in(2)) store_be(frame.data() + 10, std::int32_t{0x7fffffff});
    return frame;
  }

  int deeds_;
};

}  // namespace moldau::sim
