// ExternalSort: rows of one size, more of them than memory holds, in ascending order. What is held is sorted and
// written to a scratch file as a run whenever it becomes too much; at the end the runs are merged as they are read.
//
// Memory:  `held_max` rows while rows come, one piece of each run while they are read: of N rows about
//          kRunsMergedAt + N / (held_max * kRunsMergedAt) pieces.
// Threads: one at a time.
// Errors:  those of the scratch file, after which nothing more can be had.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "storage/scratch_file.hpp"

namespace xinfu::storage {

template <class Row>
class ExternalSort {
    // Rows are written as they lie in memory, to be read by this process alone.
    static_assert(std::is_trivially_copyable_v<Row> && std::has_unique_object_representations_v<Row>);

public:
    using CreateScratch = std::function<Result<std::unique_ptr<ScratchFile>>()>;
    static constexpr std::size_t kPieceSizeBytes = 8 * 1024;
    static constexpr std::size_t kRowsPerPiece = kPieceSizeBytes / sizeof(Row);
    static constexpr std::size_t kRunsMergedAt = 64;

    ExternalSort(CreateScratch create, std::size_t held_max) : create_(std::move(create)), held_max_(held_max) {}

    void add(const Row& row) {
        if (held_.empty()) {
            held_.reserve(held_max_);
        }
        held_.push_back(row);
        ++size_;
    }
    bool full() const { return held_.size() >= held_max_; }
    std::uint64_t size() const { return size_; }

    // Writes what is held as a run. Takes some milliseconds: not for a thread that others wait for.
    Result<void> spill() {
        if (held_.empty()) {
            return {};
        }
        if (!scratch_) {
            auto created = create_();
            if (!created) {
                return created.error();
            }
            scratch_ = std::move(*created);
        }
        std::sort(held_.begin(), held_.end());
        Run run{scratch_->size_bytes(), held_.size(), 0};
        for (std::size_t at = 0; at < held_.size(); at += kRowsPerPiece) {
            const std::size_t count = std::min(kRowsPerPiece, held_.size() - at);
            const auto written = scratch_->append(bytes_of(&held_[at], count));
            if (!written) {
                return written.error();
            }
        }
        held_.clear();
        runs_.push_back(run);
        const auto same_level =
            static_cast<std::size_t>(std::ranges::count_if(runs_, [](const Run& each) { return each.level == 0; }));
        return same_level < kRunsMergedAt ? Result<void>{} : merge_first_level();
    }

    // After the last add() and before the first next().
    Result<void> finish() {
        std::sort(held_.begin(), held_.end());
        std::vector<Source> sources;
        for (const Run& run : runs_) {
            sources.push_back(Source(run, scratch_.get()));
        }
        sources.push_back(Source(held_));
        return merged_.open(std::move(sources));
    }

    // The next row. False: there is none.
    Result<bool> next(Row& row) { return merged_.next(row); }

private:
    struct Run {
        std::uint64_t offset = 0;
        std::uint64_t rows = 0;
        unsigned level = 0;  // 1: merged
    };

    static ByteView bytes_of(const Row* rows, std::size_t count) {
        return {reinterpret_cast<const std::uint8_t*>(rows), count * sizeof(Row)};
    }

    // The rows of one run, or of what is held.
    class Source {
    public:
        Source(const Run& run, const ScratchFile* scratch) : scratch_(scratch), offset_(run.offset), left_(run.rows) {}
        explicit Source(const std::vector<Row>& held) : held_(held.data()), end_(held.size()) {}

        Result<bool> advance() {
            ++at_;
            if (at_ < end_) {
                return true;
            }
            if (left_ == 0) {
                return false;
            }
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kRowsPerPiece, left_));
            const auto piece = scratch_->read(offset_, count * sizeof(Row));
            if (!piece) {
                return {boost::system::in_place_error, piece.error()};
            }
            piece_.resize(count);
            std::memcpy(piece_.data(), piece->data(), piece->size());
            offset_ += ScratchFile::stride(count * sizeof(Row));
            left_ -= count;
            at_ = 0;
            end_ = count;
            return true;
        }
        const Row& row() const { return held_ != nullptr ? held_[at_] : piece_[at_]; }

    private:
        const ScratchFile* scratch_ = nullptr;
        const Row* held_ = nullptr;
        std::uint64_t offset_ = 0;
        std::uint64_t left_ = 0;  // rows behind this piece
        std::vector<Row> piece_;
        std::size_t at_ = static_cast<std::size_t>(-1);
        std::size_t end_ = 0;
    };

    class Merged {
    public:
        Result<void> open(std::vector<Source> sources) {
            sources_ = std::move(sources);
            heap_.clear();
            for (std::size_t i = 0; i < sources_.size(); ++i) {
                const auto more = sources_[i].advance();
                if (!more) {
                    return more.error();
                }
                if (*more) {
                    heap_.push_back(i);
                }
            }
            std::make_heap(heap_.begin(), heap_.end(), later());
            return {};
        }
        Result<bool> next(Row& row) {
            if (heap_.empty()) {
                return false;
            }
            std::pop_heap(heap_.begin(), heap_.end(), later());
            Source& source = sources_[heap_.back()];
            row = source.row();
            auto more = source.advance();
            if (!more) {
                return more;
            }
            if (*more) {
                std::push_heap(heap_.begin(), heap_.end(), later());
            } else {
                heap_.pop_back();
            }
            return true;
        }

    private:
        auto later() const {
            return [this](std::size_t a, std::size_t b) { return sources_[b].row() < sources_[a].row(); };
        }
        std::vector<Source> sources_;
        std::vector<std::size_t> heap_;
    };

    // Keeps the number of runs, and so of pieces in memory, small however many rows there are.
    Result<void> merge_first_level() {
        std::vector<Source> sources;
        Run run{scratch_->size_bytes(), 0, 1};
        for (const Run& each : runs_) {
            if (each.level == 0) {
                sources.push_back(Source(each, scratch_.get()));
                run.rows += each.rows;
            }
        }
        Merged merged;
        if (const auto opened = merged.open(std::move(sources)); !opened) {
            return opened.error();
        }
        std::vector<Row> piece;
        piece.reserve(kRowsPerPiece);
        for (std::uint64_t done = 0; done < run.rows; ++done) {
            Row row;
            const auto more = merged.next(row);
            if (!more) {
                return more.error();
            }
            piece.push_back(row);
            if (piece.size() == kRowsPerPiece || done + 1 == run.rows) {
                const auto written = scratch_->append(bytes_of(piece.data(), piece.size()));
                if (!written) {
                    return written.error();
                }
                piece.clear();
            }
        }
        std::erase_if(runs_, [](const Run& each) { return each.level == 0; });
        runs_.push_back(run);
        return {};
    }

    CreateScratch create_;
    std::size_t held_max_;
    std::uint64_t size_ = 0;
    std::unique_ptr<ScratchFile> scratch_;
    std::vector<Row> held_;
    std::vector<Run> runs_;
    Merged merged_;
};

}  // namespace xinfu::storage
