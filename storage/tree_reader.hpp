// The durable tree: proofs, tiles and entries from what is committed. The right edge and recently used full
// tiles stay in memory; everything else comes from a snapshot.
//
// Threads: internally locked; publish() is the ledger's.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/ledger.hpp"
#include "storage/log_tree.hpp"

namespace xinfu::storage {

struct FullTile {
    unsigned level;
    std::uint64_t index;
    std::shared_ptr<const TileNodes> nodes;
};

class DurableTree final : public TreeReader {
public:
    explicit DurableTree(const Engine& engine);

    // Once the transaction that holds it is synced.
    void publish(std::shared_ptr<const RightEdge> edge, const std::vector<FullTile>& completed);

    Result<std::vector<crypto::Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size) const override;
    Result<std::vector<crypto::Digest>> consistency_proof(std::uint64_t old_size, std::uint64_t size) const override;
    Result<crypto::Digest> root(std::uint64_t size) const override;
    Result<Bytes> tile(unsigned level, std::uint64_t index, unsigned width) const override;
    Result<Bytes> entries(std::uint64_t index, unsigned width) const override;
    Result<Bytes> entry(std::uint64_t index) const override;

private:
    class Walk;
    using TilePosition = std::pair<unsigned, std::uint64_t>;  // level, index

    std::shared_ptr<const RightEdge> edge() const;
    std::shared_ptr<const TileNodes> cached(const TilePosition& position) const;
    void keep(const TilePosition& position, std::shared_ptr<const TileNodes> nodes) const;

    const Engine& engine_;
    mutable std::mutex mutex_;  // of all that follows
    std::shared_ptr<const RightEdge> edge_;
    using Recent = std::list<std::pair<TilePosition, std::shared_ptr<const TileNodes>>>;
    mutable Recent recent_;  // last used first
    mutable std::map<TilePosition, Recent::iterator> by_position_;
};

}  // namespace xinfu::storage
