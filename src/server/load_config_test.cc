#include "server/load_config.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

namespace moldau::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(CommandLine, PropertiesAndOverrides) {
  const std::vector<std::string> arguments = {"/etc/a b.properties", "--override", "log.retention.ms=-1",
                                              "--override=node.id=7"};
  const auto line = parse_command_line(arguments);
  ASSERT_TRUE(line.has_value()) << line.error().message;
  EXPECT_EQ(line->action, CommandLine::Action::kRun);
  EXPECT_EQ(line->properties, "/etc/a b.properties");
  EXPECT_THAT(line->overrides, testing::ElementsAre("log.retention.ms=-1", "node.id=7"));
}

TEST(CommandLine, OverridesMayStandFirst) {
  const std::vector<std::string> arguments = {"--override", "a=b", "server.properties"};
  EXPECT_EQ(parse_command_line(arguments).value().properties, "server.properties");
}

TEST(CommandLine, HelpAndVersionNeedNoFile) {
  const std::vector<std::string> help = {"--help"}, version = {"--version"};
  EXPECT_EQ(parse_command_line(help).value().action, CommandLine::Action::kTell);
  EXPECT_THAT(parse_command_line(help).value().text, HasSubstr("--override"));
  EXPECT_EQ(parse_command_line(version).value().action, CommandLine::Action::kTell);
  EXPECT_EQ(parse_command_line(version).value().text, MOLDAU_VERSION "\n");
}

TEST(CommandLine, Refused) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{},
                                                    {"a.properties", "--nonsense"},
                                                    {"a.properties", "--override"},
                                                    {"a.properties", "b.properties"}}) {
    const auto line = parse_command_line(arguments);
    ASSERT_FALSE(line.has_value());
    EXPECT_THAT(line.error().message, HasSubstr("\nusage: moldau-server server.properties"));
  }
}

// A folder of this test's own, gone with it.
class StartUp : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(std::string_view text) {
    const std::string path = folder_ + "/server.properties";
    std::ofstream(path) << text;
    return path;
  }
  std::expected<config::Loaded, Exit> run(const std::vector<std::string>& arguments) {
    return start_up(arguments, out_, err_);
  }

  std::string folder_ = testing::TempDir() + "load_config." + std::to_string(::getpid());
  std::ostringstream out_, err_;
};

TEST_F(StartUp, LoadsAFileWithOverrides) {
  const auto loaded = run({write("node.id=3\nnum.partitions=4\n"), "--override", "num.partitions=9"});
  ASSERT_TRUE(loaded.has_value()) << err_.str();
  EXPECT_EQ(loaded->config.node_id, 3);
  EXPECT_EQ(loaded->config.num_partitions, 9);
  EXPECT_EQ(out_.str() + err_.str(), "");
}

TEST_F(StartUp, NamesFileLineAndKey) {
  const std::string path = write("# one\nnum.partitions=many\n");
  const auto loaded = run({path});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error(), Exit{1});
  EXPECT_EQ(err_.str(),
            path + ":2: Invalid value many for configuration num.partitions: Not a number of type INT\n");
}

TEST_F(StartUp, MissingFile) {
  const auto loaded = run({folder_ + "/none.properties"});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error(), Exit{1});
  EXPECT_EQ(err_.str(),
            "cannot read the properties file " + folder_ + "/none.properties: No such file or directory\n");
}

TEST_F(StartUp, AFolderAndABinaryFileAreNoProperties) {
  EXPECT_FALSE(run({folder_}).has_value());
  EXPECT_THAT(err_.str(), HasSubstr("Is a directory"));
  EXPECT_FALSE(run({write(std::string_view("a\0b", 3))}).has_value());
  EXPECT_THAT(err_.str(), HasSubstr("it is not text"));
}

TEST_F(StartUp, CheckTellsWithoutRunning) {
  const auto good = run({write("node.id=1\nnum.partition=3\n"), "--check"});
  ASSERT_FALSE(good.has_value());
  EXPECT_EQ(good.error(), Exit{0});
  EXPECT_THAT(out_.str(),
              AllOf(StartsWith("WARN "),
                    HasSubstr(":2: unknown configuration num.partition, did you mean num.partitions?")));
  const auto bad = run({write("listeners=nowhere\n"), "--check"});
  EXPECT_EQ(bad.error(), Exit{1});
}

TEST_F(StartUp, HelpAndMistakesOnTheCommandLine) {
  EXPECT_EQ(run({"--help"}).error(), Exit{0});
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(run({}).error(), Exit{1});
  EXPECT_THAT(err_.str(), HasSubstr("usage:"));
}

}  // namespace
}  // namespace moldau::server
