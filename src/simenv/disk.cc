#include "simenv/disk.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "simenv/disk_inode.h"

namespace moldau::simenv {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

bool changes_something(DiskOp op) {
  return op == DiskOp::kWrite || op == DiskOp::kTruncate || op == DiskOp::kSync ||
         op == DiskOp::kSyncDirectory || op == DiskOp::kMakeDirectory || op == DiskOp::kRename ||
         op == DiskOp::kRemove;
}

}  // namespace

class Disk::Handle final : public env::File {
 public:
  Handle(Disk& disk, std::string path, std::shared_ptr<Inode> inode, bool writable)
      : disk_(disk),
        path_(std::move(path)),
        inode_(std::move(inode)),
        writable_(writable),
        life_(disk.life_) {}

  Result<std::size_t> read_at(std::uint64_t position, MutableBytes out) const override {
    TRY(alive());
    TRY(disk_.begin(DiskOp::kRead, path_));
    const Bytes& content = inode_->content;
    if (position >= content.size()) return 0;
    const std::size_t n = std::min<std::uint64_t>(out.size(), content.size() - position);
    std::memcpy(out.data(), content.data() + position, n);
    disk_.counters_.bytes_read += n;
    inode_->bring_in(position, position + n);
    return n;
  }

  Result<std::size_t> read_cached(std::uint64_t position, MutableBytes out) const override {
    TRY(alive());
    if (disk_.forgetful_ > 0 && disk_.cache_random_.one_in(disk_.forgetful_)) inode_->forget();
    if (inode_->in_memory(position, position + out.size())) return read_at(position, out);
    ++disk_.counters_.would_block;
    return fail(ErrorKind::kWouldBlock, path_ + ": not in memory");
  }

  Status write_at(std::uint64_t position, std::span<const ByteView> pieces) override {
    TRY(alive());
    CHECK(writable_, path_);
    std::uint64_t left = 0;
    for (const ByteView piece : pieces) left += piece.size();
    bool cut = false;
    const Status begun = disk_.begin(DiskOp::kWrite, path_, &cut);
    if (!begun && !cut && begun.error().kind != ErrorKind::kNoSpace) return begun;
    std::uint64_t allowed = begun ? left : disk_.random_.below(left + 1);
    const std::uint64_t end = std::max<std::uint64_t>(inode_->content.size(), position + allowed);
    const std::uint64_t grown = end - inode_->content.size();
    bool full = false;
    if (disk_.used_ + grown > disk_.capacity_) {
      full = true;
      const std::uint64_t room = disk_.capacity_ > disk_.used_ ? disk_.capacity_ - disk_.used_ : 0;
      allowed = std::min(allowed, allowed + room - grown);
      if (position > inode_->content.size() + room) allowed = 0;
    }
    for (const ByteView piece : pieces) {
      const std::uint64_t n = std::min<std::uint64_t>(piece.size(), allowed);
      put(position, piece.first(n));
      position += n, allowed -= n;
    }
    if (!begun) return begun;
    if (full) return fail(ErrorKind::kNoSpace, path_ + ": cannot write: No space left on device");
    return {};
  }

  Status truncate(std::uint64_t size) override {
    TRY(alive());
    CHECK(writable_, path_);
    TRY(disk_.begin(DiskOp::kTruncate, path_));
    Bytes& content = inode_->content;
    const std::uint64_t old = content.size();
    if (size > old && disk_.used_ + size - old > disk_.capacity_)
      return fail(ErrorKind::kNoSpace, path_ + ": cannot truncate: No space left on device");
    disk_.used_ += size - old;
    content.resize(size);
    if (size != old) inode_->size_dirty = true;
    inode_->touch(std::min(size, old), std::max(size, old));
    stamp();
    return {};
  }

  Status sync() override {
    TRY(alive());
    TRY(disk_.begin(DiskOp::kSync, path_));
    inode_->sync();
    return {};
  }

  Result<std::uint64_t> size() const override {
    TRY(alive());
    return inode_->content.size();
  }

  bool is_hole(std::uint64_t position) const override {
    const Bytes& content = inode_->content;
    return position >= content.size() || std::all_of(content.begin() + static_cast<std::ptrdiff_t>(position),
                                                     content.end(), [](auto byte) { return byte == 0; });
  }

 private:
  Status alive() const {
    if (life_ == disk_.life_) return {};
    return fail(ErrorKind::kIo, path_ + ": a handle from before the crash");
  }
  void stamp() {
    if (disk_.clock_ != nullptr) inode_->modified_ms = disk_.clock_->wall_ms();
  }
  void put(std::uint64_t position, ByteView bytes) {
    if (bytes.empty()) return;
    Bytes& content = inode_->content;
    if (position + bytes.size() > content.size()) {
      disk_.used_ += position + bytes.size() - content.size();
      inode_->touch(content.size(), position + bytes.size());
      content.resize(position + bytes.size());
      inode_->size_dirty = true;
    }
    std::memcpy(content.data() + position, bytes.data(), bytes.size());
    inode_->touch(position, position + bytes.size());
    disk_.counters_.bytes_written += bytes.size();
    stamp();
  }

  Disk& disk_;
  const std::string path_;
  const std::shared_ptr<Inode> inode_;
  const bool writable_;
  const std::uint64_t life_;
};

namespace {

class DiskLock final : public env::FileLock {
 public:
  DiskLock(std::set<std::string>& locks, std::string path, const std::uint64_t& life)
      : locks_(locks), path_(std::move(path)), life_(life), born_(life) {}
  ~DiskLock() override {
    if (life_ == born_) locks_.erase(path_);
  }

 private:
  std::set<std::string>& locks_;
  const std::string path_;
  const std::uint64_t& life_;
  const std::uint64_t born_;
};

}  // namespace

Disk::Disk(std::uint64_t seed, Clock* clock) : random_(seed), cache_random_(seed ^ 0xc01d), clock_(clock) {
  names_["/"] = platter_["/"] = nullptr;
  names_["."] = platter_["."] = nullptr;
}
Disk::~Disk() = default;

Status Disk::begin(DiskOp op, const std::string& path, bool* cut) {
  ++counters_.of[static_cast<std::size_t>(op)];
  const auto power_gone = [&] { return fail(ErrorKind::kIo, path + ": the power is gone"); };
  if (down_) return power_gone();
  const env::Duration latency = latency_[static_cast<std::size_t>(op)];
  if (clock_ != nullptr && latency > env::Duration::zero()) clock_->advance(latency);
  const bool on_cut_path =
      op == DiskOp::kWrite && !cut_path_.empty() && path.find(cut_path_) != std::string::npos;
  if ((changes_something(op) && cut_at_ && changes_++ >= *cut_at_) ||
      (on_cut_path && writes_until_cut_-- == 0)) {
    down_ = true;
    if (cut != nullptr) *cut = true;
    return power_gone();
  }
  if (changes_something(op) && !cut_at_) ++changes_;
  for (DiskFault& fault : faults_) {
    if (fault.op != op || fault.times == 0 || path.find(fault.path) == std::string::npos) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    --fault.times;
    return fail(fault.kind, path + ": a fault put in on purpose");
  }
  return {};
}

void Disk::apply(Names& names, const Change& change) {
  if (!change.from.empty()) {
    names.erase(change.from);
    if (change.is_directory) {  // what lies in it moves along, or goes
      const std::string prefix = change.from + "/";
      std::vector<std::pair<std::string, std::shared_ptr<Inode>>> inside;
      for (auto at = names.lower_bound(prefix); at != names.end() && at->first.starts_with(prefix);) {
        inside.emplace_back(change.to + "/" + at->first.substr(prefix.size()), at->second);
        at = names.erase(at);
      }
      if (!change.to.empty())
        for (auto& [path, inode] : inside) names[path] = inode;
    }
  }
  if (!change.to.empty()) names[change.to] = change.inode;
}

void Disk::record(Change change) {
  apply(names_, change);
  journal_.push_back(std::move(change));
}

bool Disk::is_directory(const std::string& path) const {
  const auto found = names_.find(path);
  return found != names_.end() && found->second == nullptr;
}

Status Disk::missing(const std::string& path) const {
  return fail(ErrorKind::kNotFound, path + ": No such file or directory");
}

Result<std::shared_ptr<env::File>> Disk::open(const std::string& path, env::OpenMode mode) {
  TRY(begin(DiskOp::kOpen, path));
  if (is_directory(path)) return fail(ErrorKind::kIo, path + ": cannot open: Is a directory");
  const auto found = names_.find(path);
  if (found == names_.end()) {
    if (mode == env::OpenMode::kRead || mode == env::OpenMode::kReadWrite || !is_directory(folder_of(path)))
      TRY(missing(path));
    auto inode = std::make_shared<Inode>();
    inode->modified_ms = clock_ != nullptr ? clock_->wall_ms() : 0;
    record({.to = path, .inode = inode});
    return std::make_shared<Handle>(*this, path, inode, true);
  }
  auto handle = std::make_shared<Handle>(*this, path, found->second, mode != env::OpenMode::kRead);
  if (mode == env::OpenMode::kTruncate && !found->second->content.empty()) TRY(handle->truncate(0));
  return handle;
}

Result<std::vector<env::DirEntry>> Disk::list(const std::string& directory) {
  TRY(begin(DiskOp::kList, directory));
  if (!is_directory(directory)) TRY(missing(directory));
  std::vector<env::DirEntry> entries;
  const std::string prefix = directory == "/" ? "/" : directory + "/";
  for (auto at = names_.lower_bound(prefix); at != names_.end() && at->first.starts_with(prefix);) {
    const std::string name = at->first.substr(prefix.size());
    if (const std::size_t slash = name.find('/'); slash != std::string::npos) {
      at = names_.lower_bound(prefix + name.substr(0, slash) + "0");  // '0' follows '/'
      continue;
    }
    if (!name.empty()) {
      entries.push_back({.name = name,
                         .is_directory = at->second == nullptr,
                         .size = at->second ? at->second->content.size() : 0,
                         .modified_ms = at->second ? at->second->modified_ms : 0});
    }
    ++at;
  }
  std::ranges::sort(entries, {}, &env::DirEntry::name);
  return entries;
}

bool Disk::exists(const std::string& path) { return !down_ && names_.contains(path); }

Status Disk::create_directories(const std::string& path) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    const auto found = names_.find(part);
    if (found != names_.end() && found->second != nullptr)
      return fail(ErrorKind::kNotFound, part + ": cannot create the directory: Not a directory");
    if (found != names_.end()) continue;
    TRY(begin(DiskOp::kMakeDirectory, part));
    record({.to = part, .is_directory = true});
  }
  return {};
}

Status Disk::rename(const std::string& from, const std::string& to) {
  TRY(begin(DiskOp::kRename, from));
  const auto found = names_.find(from);
  if (found == names_.end() || !is_directory(folder_of(to))) TRY(missing(from));
  if (from == to) return {};
  const auto replaced = names_.find(to);
  if (replaced != names_.end() && replaced->second) used_ -= replaced->second->content.size();
  record({.from = from, .to = to, .inode = found->second, .is_directory = found->second == nullptr});
  return {};
}

Status Disk::remove(const std::string& path) {
  TRY(begin(DiskOp::kRemove, path));
  const auto found = names_.find(path);
  if (found == names_.end()) TRY(missing(path));
  if (found->second == nullptr) {
    const auto next = names_.lower_bound(path + "/");
    if (next != names_.end() && next->first.starts_with(path + "/"))
      return fail(ErrorKind::kIo, path + ": cannot remove: Directory not empty");
  } else {
    used_ -= found->second->content.size();
  }
  record({.from = path});
  return {};
}

Status Disk::remove_all(const std::string& path) {
  std::vector<std::string> doomed;
  for (auto at = names_.lower_bound(path + "/"); at != names_.end() && at->first.starts_with(path + "/");
       ++at)
    doomed.push_back(at->first);
  if (names_.contains(path)) doomed.insert(doomed.begin(), path);
  std::ranges::reverse(doomed);  // what lies deeper first
  for (const std::string& one : doomed) TRY(remove(one));
  return {};
}

Status Disk::set_modified(const std::string& path, std::int64_t wall_ms) {
  TRY(begin(DiskOp::kOpen, path));
  const auto found = names_.find(path);
  if (found == names_.end() || found->second == nullptr) TRY(missing(path));
  found->second->modified_ms = wall_ms;
  return {};
}

Status Disk::sync_directory(const std::string& path) {
  TRY(begin(DiskOp::kSyncDirectory, path));
  if (!is_directory(path)) TRY(missing(path));
  // A journal: whatever came before the newest change in this directory is durable with it.
  std::size_t count = 0;
  for (std::size_t i = 0; i < journal_.size(); ++i) {
    const Change& change = journal_[i];
    if ((!change.from.empty() && folder_of(change.from) == path) ||
        (!change.to.empty() && folder_of(change.to) == path))
      count = i + 1;
  }
  for (std::size_t i = 0; i < count; ++i) apply(platter_, journal_[i]);
  journal_.erase(journal_.begin(), journal_.begin() + static_cast<std::ptrdiff_t>(count));
  return {};
}

Status Disk::sync_all(const std::string& path) {
  TRY(begin(DiskOp::kSync, path));
  for (auto& [name, inode] : names_)
    if (inode != nullptr) inode->sync();
  platter_ = names_;
  journal_.clear();
  return {};
}

std::uint64_t Disk::used_bytes() const { return used_; }

Result<std::uint64_t> Disk::free_bytes(const std::string&) {
  return capacity_ > used_ ? capacity_ - used_ : 0;
}

Result<std::uint64_t> Disk::total_bytes(const std::string&) { return capacity_; }

Result<std::unique_ptr<env::FileLock>> Disk::lock(const std::string& path) {
  TRY(begin(DiskOp::kOpen, path));
  if (!is_directory(folder_of(path))) TRY(missing(path));
  if (!names_.contains(path)) record({.to = path, .inode = std::make_shared<Inode>()});
  if (!locks_.insert(path).second)
    return fail(ErrorKind::kBusy,
                path + ": expected a directory that no other process uses, found it locked");
  return std::make_unique<DiskLock>(locks_, path, life_);
}

void Disk::lose_power() {
  const std::size_t kept = random_.below(journal_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) apply(platter_, journal_[i]);
  names_ = platter_;
  used_ = 0;
  std::set<Inode*> seen;
  for (auto& [path, inode] : names_) {
    if (inode == nullptr || !seen.insert(inode.get()).second) continue;
    inode->lose_power(random_);
    used_ += inode->content.size();
  }
}

void Disk::crash(Crash kind) {
  if (kind == Crash::kPower) {
    lose_power();
    journal_.clear();
  }
  locks_.clear();
  ++life_;
  down_ = false;
  cut_at_.reset();
  cut_path_.clear();
}

bool Disk::flip_bit(const std::string& path, std::uint64_t position, int bit) {
  const auto found = names_.find(path);
  if (found == names_.end() || found->second == nullptr || position >= found->second->content.size())
    return false;
  const auto mask = static_cast<std::uint8_t>(1 << bit);
  found->second->content[position] ^= mask;
  if (position < found->second->platter.size()) found->second->platter[position] ^= mask;
  return true;
}

void Disk::forget_cache() {
  for (const auto& [path, inode] : names_)
    if (inode != nullptr) inode->forget();
}

std::vector<std::string> Disk::files() const {
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_)
    if (inode != nullptr) paths.push_back(path);
  return paths;
}

}  // namespace moldau::simenv
