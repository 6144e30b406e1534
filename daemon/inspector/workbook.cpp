#include "daemon/inspector/workbook.hpp"

#include "daemon/inspector/workbook_parts.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

// Reads one part through its handler. `what` is how people are told of it.
std::optional<Refusal> read_part(const ZipArchive& archive, const std::string& name, const std::string& what,
                                 std::uint64_t size_max, XmlHandler& handler) {
    XmlParser parser(handler, false);
    const auto outcome = archive.read(name, size_max, [&](std::string_view piece) { return parser.feed(piece); });
    switch (outcome) {
        case ZipArchive::Outcome::good:
            if (parser.finish()) {
                return std::nullopt;
            }
            break;
        case ZipArchive::Outcome::stopped: break;
        case ZipArchive::Outcome::encrypted: return Refusal{"XF-3094", {}};
        case ZipArchive::Outcome::too_large: return Refusal{"XF-3092", {what, std::to_string(size_max / kMebibyte)}};
        case ZipArchive::Outcome::absent: return Refusal{"XF-3090", {what + " is missing"}};
        case ZipArchive::Outcome::ambiguous: return Refusal{"XF-3090", {what + " comes twice"}};
        case ZipArchive::Outcome::damaged: return Refusal{"XF-3090", {what + " cannot be unpacked"}};
    }
    if (parser.error() == XmlParser::Error::document_type) {
        return Refusal{"XF-3084", {}};
    }
    return Refusal{"XF-3090", {what + " at line " + std::to_string(parser.line())}};
}

// A target as written in a part inside `folder`, as a part's name: "/xl/a.xml", "a.xml", "../a.xml".
std::string resolved(const std::string& folder, std::string_view target) {
    std::string path{target.starts_with('/') ? std::string_view{} : std::string_view{folder}};
    while (!target.empty()) {
        const auto slash = std::min(target.find('/'), target.size());
        const auto step = target.substr(0, slash);
        target.remove_prefix(std::min(target.size(), slash + 1));
        if (step == "..") {
            const auto parent = path.rfind('/');
            path.resize(parent == std::string::npos ? 0 : parent);
        } else if (!step.empty() && step != ".") {
            path += (path.empty() ? "" : "/") + std::string{step};
        }
    }
    return path;
}

std::string folder_of(const std::string& part) {
    const auto slash = part.rfind('/');
    return slash == std::string::npos ? std::string{} : part.substr(0, slash);
}

std::string relations_of(const std::string& part) {
    const auto folder = folder_of(part);
    return (folder.empty() ? "" : folder + "/") + "_rels/" + part.substr(folder.empty() ? 0 : folder.size() + 1) +
           ".rels";
}

std::optional<Refusal> find_parts(const ZipArchive& archive, WorkbookParts& parts) {
    constexpr auto kSmall = Workbook::kSmallPartSizeBytesMax;
    RelationsHandler package;
    if (auto refusal = read_part(archive, "_rels/.rels", "the list of parts", kSmall, package)) {
        return refusal;
    }
    const auto workbook = resolved("", package.target_of("officeDocument"));
    SheetsHandler sheets;
    if (auto refusal = read_part(archive, workbook, "the list of sheets", kSmall, sheets)) {
        return refusal;
    }
    RelationsHandler relations;
    if (auto refusal = read_part(archive, relations_of(workbook), "the list of parts", kSmall, relations)) {
        return refusal;
    }
    parts.from_1904 = sheets.from_1904;
    const auto folder = folder_of(workbook);
    for (const auto& id : sheets.visible) {
        const auto found = relations.relations.find(id);
        if (found != relations.relations.end() && found->second.type == "worksheet") {
            parts.sheet = resolved(folder, found->second.target);
            break;
        }
    }
    const auto part = [&](std::string_view type) {
        const auto target = relations.target_of(type);
        return target.empty() ? std::string{} : resolved(folder, target);
    };
    parts.shared_strings = part("sharedStrings");
    parts.styles = part("styles");
    return parts.sheet.empty() ? std::optional{Refusal{"XF-3093", {}}} : std::nullopt;
}

}  // namespace

std::optional<Refusal> Workbook::feed(std::string_view piece) {
    if (!failure_ && octets_.size() + piece.size() > kSizeBytesMax) {
        failure_ = Refusal{"XF-3091", {std::to_string(kSizeBytesMax / kMebibyte)}};
        octets_ = {};
    }
    if (!failure_) {
        octets_ += piece;
    }
    return failure_;
}

std::optional<Refusal> Workbook::read() {
    const ZipArchive archive(octets_);
    if (!archive.valid()) {
        return Refusal{"XF-3090", {"no list of contents"}};
    }
    WorkbookParts parts;
    if (auto refusal = find_parts(archive, parts)) {
        return refusal;
    }
    if (!parts.shared_strings.empty()) {
        StringsHandler strings(parts);
        if (auto refusal =
                read_part(archive, parts.shared_strings, "sharedStrings.xml", kSharedStringsSizeBytesMax, strings)) {
            return refusal;
        }
    }
    if (!parts.styles.empty()) {
        StylesHandler styles;
        if (auto refusal = read_part(archive, parts.styles, "styles.xml", kSmallPartSizeBytesMax, styles)) {
            return refusal;
        }
        parts.date_styles = std::move(styles.date_styles);
    }
    SheetHandler sheet(parts, sink_, kValuesSizeBytesMax + kValuesPerOctetMax * octets_.size());
    auto refusal = read_part(archive, parts.sheet, "the sheet", kSheetSizeBytesMax, sheet);
    return sheet.refusal ? sheet.refusal : refusal;
}

std::optional<Refusal> Workbook::finish() {
    if (!failure_) {
        failure_ = read();
    }
    octets_ = {};
    return failure_;
}

}  // namespace xinfu::inspector
