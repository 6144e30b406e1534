#include "daemon/supervisor/pids_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "daemon/boundary/descriptor.hpp"

namespace xinfu::supervisor {

Result<void> PidsFile::write(const std::vector<std::pair<std::string, pid_t>>& processes) const {
    if (path_.empty()) {
        return {};
    }
    std::string text;
    for (const auto& [role, pid] : processes) {
        text += role + " " + std::to_string(pid) + "\n";
    }
    const std::string fresh = path_ + ".new";
    const boundary::Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    const bool written = file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!written || std::rename(fresh.c_str(), path_.c_str()) != 0) {
        return boost::system::error_code(errno, boost::system::system_category());
    }
    return {};
}

void PidsFile::remove() const {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

}  // namespace xinfu::supervisor
