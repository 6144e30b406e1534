// ZipArchive: parts of a ZIP archive that lies in memory, by libzip, which opens nothing.
//
// Threads: one strand.
// Trust:   hostile. What is unpacked is counted as it comes; sizes that the archive states are not believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct zip;

namespace xinfu::inspector {

class ZipArchive {
public:
    static constexpr std::size_t kEntriesMax = 4096;

    enum class Outcome { good, absent, ambiguous, encrypted, damaged, too_large, stopped };

    // The view must outlive the object. False afterwards from valid(): no archive, or too many entries.
    explicit ZipArchive(std::string_view octets);
    ~ZipArchive();
    ZipArchive(const ZipArchive&) = delete;
    ZipArchive& operator=(const ZipArchive&) = delete;

    bool valid() const { return archive_ != nullptr; }

    // Unpacks a part into `take`, which answers false to stop. Two entries of one name, in whatever case, are
    // ambiguous: programs differ in which they read.
    Outcome read(const std::string& name, std::uint64_t size_max,
                 const std::function<bool(std::string_view)>& take) const;

private:
    struct Closer {
        void operator()(zip* archive) const;
    };
    std::unique_ptr<zip, Closer> archive_;
};

}  // namespace xinfu::inspector
