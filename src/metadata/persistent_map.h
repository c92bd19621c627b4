// PersistentMap: a hash map whose copies share what they have in common. Copying is one pointer; a change
// copies only the path to its entry (a handful of nodes of 16), so an image of 10,000 topics changes at the
// price of one.
//
//   interior ─ 4 bits of the hash a level ─▶ interior … ─▶ leaf: up to kLeafEntries entries, scanned in order
//
// Always holds: a node is changed in place only by the edit that made it; every other holder sees it frozen.
// A map is a value: any thread may read a copy that nobody writes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moldau::metadata {

// Says which nodes are fresh and may be changed in place. An edit of a map must be greater than every edit
// that made a node of it.
using Edit = std::uint64_t;

// Text hashed the same, owned or viewed.
struct TextHash {
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

template <typename Key, typename Value, typename Hash = std::hash<Key>>
class PersistentMap {
 public:
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Valid while this copy of the map lives unchanged.
  template <typename K>
  const Value* find(const K& key) const {
    std::size_t hash = Hash{}(key);
    const Node* node = root_.get();
    for (; node != nullptr && !node->leaf; hash >>= kBits) node = node->children[hash & kMask].get();
    if (node == nullptr) return nullptr;
    for (const auto& entry : node->entries)
      if (entry.first == key) return &entry.second;
    return nullptr;
  }

  // Inserts or replaces.
  void set(Edit edit, Key key, Value value) {
    const std::size_t hash = Hash{}(key);
    set_in(root_, edit, hash, 0, std::move(key), std::move(value));
  }

  template <typename K>
  void erase(Edit edit, const K& key) {
    if (find(key) == nullptr) return;
    erase_in(root_, edit, Hash{}(key), key);
    --size_;
  }

  // Every entry once, in no particular order.
  template <typename F>
  void for_each(F&& visit) const {
    visit_node(root_.get(), visit);
  }

 private:
  static constexpr std::size_t kBits = 4, kMask = 15, kLeafEntries = 8, kDeepest = 64 / kBits;

  struct Node {
    Edit edit = 0;
    bool leaf = true;
    std::vector<std::pair<Key, Value>> entries;                             // leaf
    std::array<std::shared_ptr<Node>, std::size_t{1} << kBits> children{};  // interior
  };
  using Link = std::shared_ptr<Node>;

  static Node& own(Link& link, Edit edit) {
    if (!link) {
      link = std::make_shared<Node>();
    } else if (link->edit != edit) {
      link = std::make_shared<Node>(*link);
    }
    link->edit = edit;
    return *link;
  }

  // `hash` has lost the bits of the levels above.
  void set_in(Link& link, Edit edit, std::size_t hash, std::size_t depth, Key key, Value value) {
    Node& node = own(link, edit);
    if (!node.leaf) {
      set_in(node.children[hash & kMask], edit, hash >> kBits, depth + 1, std::move(key), std::move(value));
      return;
    }
    for (auto& entry : node.entries) {
      if (!(entry.first == key)) continue;
      entry.second = std::move(value);
      return;
    }
    node.entries.emplace_back(std::move(key), std::move(value));
    ++size_;
    if (node.entries.size() > kLeafEntries && depth < kDeepest) split(node, edit, depth);
  }

  void split(Node& node, Edit edit, std::size_t depth) {
    auto entries = std::exchange(node.entries, {});
    node.leaf = false;
    size_ -= entries.size();
    for (auto& [key, value] : entries) {
      const std::size_t hash = Hash{}(key) >> (depth * kBits);
      set_in(node.children[hash & kMask], edit, hash >> kBits, depth + 1, std::move(key), std::move(value));
    }
  }

  // REQUIRES: the key is there.
  template <typename K>
  void erase_in(Link& link, Edit edit, std::size_t hash, const K& key) {
    Node& node = own(link, edit);
    if (!node.leaf) return erase_in(node.children[hash & kMask], edit, hash >> kBits, key);
    std::erase_if(node.entries, [&](const auto& entry) { return entry.first == key; });
    if (node.entries.empty()) link.reset();
  }

  template <typename F>
  static void visit_node(const Node* node, F& visit) {
    if (node == nullptr) return;
    for (const auto& [key, value] : node->entries) visit(key, value);
    if (node->leaf) return;
    for (const Link& child : node->children) visit_node(child.get(), visit);
  }

  Link root_;
  std::size_t size_ = 0;
};

}  // namespace moldau::metadata
