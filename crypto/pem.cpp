#include "crypto/pem.hpp"

#include <algorithm>

namespace xinfu::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";
constexpr std::size_t kLabelSizeMax = 64;
constexpr std::size_t kLineSize = 64;  // RFC 7468 section 2

bool is_space(char c) {
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

}  // namespace

std::optional<Result<PemBlock>> next_pem(std::string_view& text) {
    const auto begin = text.find(kBegin);
    if (begin == std::string_view::npos) {
        text = {};
        return std::nullopt;
    }
    text.remove_prefix(begin + kBegin.size());
    const auto label_end = text.find(kDashes);
    if (label_end == std::string_view::npos || label_end > kLabelSizeMax) {
        return Result<PemBlock>(Errc::encoding_malformed);
    }
    PemBlock block{std::string(text.substr(0, label_end)), {}};
    text.remove_prefix(label_end + kDashes.size());
    const auto end_line = std::string(kEnd) + block.label + std::string(kDashes);
    const auto end = text.find(end_line);
    if (end == std::string_view::npos) {
        return Result<PemBlock>(Errc::encoding_malformed);
    }
    std::string base64;
    base64.reserve(end);
    std::ranges::remove_copy_if(text.substr(0, end), std::back_inserter(base64), is_space);
    text.remove_prefix(end + end_line.size());
    auto der = from_base64(base64);
    if (!der) {
        return Result<PemBlock>(Errc::encoding_malformed);
    }
    block.der = std::move(*der);
    return Result<PemBlock>(std::move(block));
}

std::string to_pem(std::string_view label, ByteView der) {
    const auto base64 = to_base64(der);
    std::string text(kBegin);
    text.append(label).append(kDashes).append("\n");
    for (std::size_t at = 0; at < base64.size(); at += kLineSize) {
        text.append(base64, at, kLineSize).append("\n");
    }
    return text.append(kEnd).append(label).append(kDashes).append("\n");
}

Result<Bytes> from_pem(std::string_view label, std::string_view text) {
    while (auto block = next_pem(text)) {
        if (!*block) {
            return block->error();
        }
        if ((*block)->label == label) {
            return std::move((*block)->der);
        }
    }
    return Errc::encoding_malformed;
}

}  // namespace xinfu::crypto
