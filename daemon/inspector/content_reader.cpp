#include "daemon/inspector/content_reader.hpp"

#include <algorithm>

namespace xinfu::inspector {
namespace {

constexpr std::size_t kSignatureSizeBytes = 8;  // of the containers told apart here
// Blank lines before the first character of a text are let be up to this many octets.
constexpr std::size_t kBlankSizeBytesMax = 4096;
constexpr std::size_t kTagSizeBytes = 16;  // "<!DOCTYPE html"

Refusal looks_like(const char* what) {
    return {"XF-3029", {what}};
}

bool begins_html(std::string_view text) {
    std::string lower{text.substr(0, kTagSizeBytes)};
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower.starts_with("<html") || lower.starts_with("<!doctype html") || lower.starts_with("<table") ||
           lower.starts_with("<meta") || lower.starts_with("<head") || lower.starts_with("<style");
}

}  // namespace

ContentReader::ContentReader(Sheet& sheet)
    : sheet_(sheet),
      decoder_([this](std::string_view text) { return take_text(text); }),
      rows_([&sheet](const Row& row) { return sheet.take(row); }) {}

std::optional<Refusal> ContentReader::feed(std::string_view piece) {
    if (!failure_ && !piece.empty()) {
        failure_ = take(piece);
    }
    return failure_;
}

std::optional<Refusal> ContentReader::take(std::string_view piece) {
    if (format_ == Format::workbook) {
        return workbook_->feed(piece);
    }
    if (format_ != Format::unknown) {
        return decoder_.feed(piece);
    }
    beginning_ += piece;
    return beginning_.size() < kSignatureSizeBytes ? std::nullopt : look_at_beginning();
}

std::optional<Refusal> ContentReader::look_at_beginning() {
    const auto beginning = std::move(beginning_);
    beginning_.clear();
    if (beginning.starts_with("PK\x03\x04")) {
        format_ = Format::workbook;
        workbook_.emplace([this](const Row& row) { return sheet_.take(row); });
        return workbook_->feed(beginning);
    }
    if (beginning.starts_with("\xD0\xCF\x11\xE0")) {
        return looks_like("XLS");
    }
    if (beginning.starts_with("%PDF-")) {
        return looks_like("PDF");
    }
    format_ = Format::text;
    return decoder_.feed(beginning);
}

std::optional<Refusal> ContentReader::take_text(std::string_view text) {
    if (format_ != Format::text) {
        return take_records(text);
    }
    beginning_ += text;
    const auto first = beginning_.find_first_not_of(" \t\r\n");
    const bool known =
        first != std::string::npos && (beginning_[first] != '<' || beginning_.size() - first >= kTagSizeBytes);
    return known || beginning_.size() > kBlankSizeBytesMax ? look_at_text() : std::nullopt;
}

std::optional<Refusal> ContentReader::look_at_text() {
    const auto beginning = std::move(beginning_);
    beginning_.clear();
    const auto first = std::min(beginning.find_first_not_of(" \t\r\n"), beginning.size());
    const auto text = std::string_view{beginning}.substr(first);
    if (begins_html(text)) {
        return looks_like("HTML");
    }
    if (text.starts_with('<')) {
        format_ = Format::xml;
        xml_.emplace(sheet_);
        return take_records(text);  // a declaration must be the first of a document
    }
    if (text.starts_with('{') || text.starts_with('[')) {
        format_ = Format::json;
        json_.emplace(sheet_);
    } else {
        format_ = Format::separated;
    }
    return take_records(beginning);  // with the blank lines: lines are counted from the file's first
}

std::optional<Refusal> ContentReader::take_records(std::string_view text) {
    switch (format_) {
        case Format::json: return json_->feed(text);
        case Format::xml: return xml_->feed(text);
        default: return rows_.feed(text);
    }
}

std::optional<Refusal> ContentReader::finish() {
    if (!failure_ && format_ == Format::unknown && !beginning_.empty()) {
        failure_ = look_at_beginning();
    }
    if (!failure_ && format_ == Format::workbook) {
        return failure_ = workbook_->finish();
    }
    if (!failure_) {
        failure_ = decoder_.finish();
    }
    if (!failure_ && format_ == Format::text && !beginning_.empty()) {
        failure_ = look_at_text();
    }
    if (!failure_) {
        failure_ = format_ == Format::json ? json_->finish() : format_ == Format::xml ? xml_->finish() : rows_.finish();
    }
    return failure_;
}

}  // namespace xinfu::inspector
