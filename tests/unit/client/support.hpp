// What the command's tests share: calling it as a user does, and a directory that goes away.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/client/command_line.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::client::test {

struct Outcome {
    int exit = 0;
    std::string out;
    std::string err;
};

inline Outcome xinfu(const std::vector<std::string>& arguments) {
    std::vector<const char*> argv{"xinfu"};
    for (const std::string& argument : arguments) {
        argv.push_back(argument.c_str());
    }
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.exit = run_command_line(static_cast<int>(argv.size()), argv.data());
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
}

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "xinfu-client-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

inline void write(const std::string& path, std::string_view content) {
    std::ofstream(path, std::ios::binary) << content;
}

inline const std::string kLogKey = "city.example/log+914b00a3+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
inline const std::string kWitnessKey = "province.example/witness+cbe98e10+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";

}  // namespace xinfu::client::test
