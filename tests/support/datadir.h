// Data directories that real Kafka versions wrote (golden "datadirs"): unpacked into any file system, with
// what their own consumers read from them.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "env/filesystem.h"

namespace moldau::golden {

// "kafka-0.8.2.2-a", … in order.
std::vector<std::string> datadir_names();

// What is expected of `name`: README of the golden data, "Data directories".
boost::json::object datadir_expectation(const std::string& name);

// Unpacks `name` so that its partition folders lie in `to`, which is made.
void unpack_datadir(const std::string& name, env::FileSystem& fs, const std::string& to);

}  // namespace moldau::golden
