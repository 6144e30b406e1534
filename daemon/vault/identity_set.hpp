// IdentitySet: the identities of a file that is only checked, so that two records of one identity are told apart
// however far they stand from each other. Half of each keyed digest is kept: for a check, which stores nothing, that is
// enough.
//
// Threads: one strand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "crypto/digest.hpp"

namespace xinfu::vault {

class IdentitySet {
public:
    // 16 octets each, in a table of which at most three quarters are taken: 16 MiB. Further ones are not remembered.
    static constexpr std::size_t kIdentitiesMax = std::size_t{3} << 18;

    struct Earlier {
        std::uint64_t line = 0;
        bool same = false;  // as the record that is asked about
    };
    // The earlier record of this identity; none: it is remembered now.
    std::optional<Earlier> insert(const crypto::Digest& identity, const crypto::Digest& record, std::uint64_t line) {
        if (slots_.empty() || (size_ + 1) * 4 > slots_.size() * 3) {
            if (size_ >= kIdentitiesMax) {
                return find(key_of(identity), digest_of(record));
            }
            grow();
        }
        const Slot added{key_of(identity), digest_of(record), static_cast<std::uint32_t>(line)};
        if (auto earlier = find(added.key, added.digest)) {
            return earlier;
        }
        place(added);
        ++size_;
        return std::nullopt;
    }
    bool empty() const { return size_ == 0; }

private:
    struct Slot {
        std::uint64_t key = 0;  // 0: free
        std::uint32_t digest = 0;
        std::uint32_t line = 0;
    };
    static std::uint64_t key_of(const crypto::Digest& identity) {
        std::uint64_t key = 0;
        std::memcpy(&key, identity.data(), sizeof key);
        return key | 1;
    }
    static std::uint32_t digest_of(const crypto::Digest& record) {
        std::uint32_t digest = 0;
        std::memcpy(&digest, record.data(), sizeof digest);
        return digest;
    }
    std::size_t start(std::uint64_t key) const { return static_cast<std::size_t>(key >> 1) & (slots_.size() - 1); }
    std::optional<Earlier> find(std::uint64_t key, std::uint32_t digest) const {
        for (std::size_t at = start(key); slots_[at].key != 0; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at].key == key) {
                return Earlier{slots_[at].line, slots_[at].digest == digest};
            }
        }
        return std::nullopt;
    }
    void place(const Slot& slot) {
        std::size_t at = start(slot.key);
        while (slots_[at].key != 0) {
            at = (at + 1) & (slots_.size() - 1);
        }
        slots_[at] = slot;
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 4096 : slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.key != 0) {
                place(slot);
            }
        }
    }

    std::vector<Slot> slots_;  // a power of two
    std::size_t size_ = 0;
};

}  // namespace xinfu::vault
