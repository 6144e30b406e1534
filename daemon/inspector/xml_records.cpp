#include "daemon/inspector/xml_records.hpp"

namespace xinfu::inspector {

bool XmlRecords::refuse(const char* code) {
    failure_ = Refusal{code, {std::to_string(parser_.line())}};
    return false;
}

bool XmlRecords::on_start(std::string_view name, const char* const* attributes) {
    ++depth_;
    // Declarations of names and schemas say nothing about the records.
    for (; *attributes != nullptr; attributes += 2) {
        const std::string_view attribute{*attributes};
        if (attribute != "xmlns" && !attribute.starts_with("xmlns:") && !attribute.starts_with("xsi:")) {
            return refuse("XF-3085");
        }
    }
    size_ += name.size();
    if (depth_ > 3 || names_.size() >= kFieldsMax) {
        return refuse("XF-3085");
    }
    if (depth_ == 3) {
        names_.emplace_back(name);
        values_.emplace_back();
    }
    return true;
}

bool XmlRecords::on_text(std::string_view text) {
    if (depth_ != 3) {
        return text.find_first_not_of(" \t\r\n") == std::string_view::npos || refuse("XF-3085");
    }
    size_ += text.size();
    if (size_ > kRecordSizeBytesMax) {
        failure_ = Refusal{"XF-3086", {std::to_string(parser_.line()), std::to_string(kRecordSizeBytesMax)}};
        return false;
    }
    values_.back() += text;
    return true;
}

bool XmlRecords::on_end(std::string_view) {
    if (--depth_ != 1) {
        return true;
    }
    row_.line = ++records_;
    row_.names.assign(names_.begin(), names_.end());
    row_.cells.assign(values_.begin(), values_.end());
    failure_ = sheet_.take_named(row_);
    names_.clear();
    values_.clear();
    size_ = 0;
    return !failure_;
}

std::optional<Refusal> XmlRecords::outcome() {
    if (failure_) {
        return failure_;
    }
    const auto line = std::to_string(parser_.line());
    switch (parser_.error()) {
        case XmlParser::Error::none:
        case XmlParser::Error::stopped: break;
        case XmlParser::Error::malformed: failure_ = Refusal{"XF-3083", {line, parser_.message()}}; break;
        case XmlParser::Error::document_type: failure_ = Refusal{"XF-3084", {}}; break;
        case XmlParser::Error::too_large:
            failure_ = Refusal{"XF-3086", {line, std::to_string(XmlParser::kTokenSizeBytesMax)}};
            break;
    }
    return failure_;
}

std::optional<Refusal> XmlRecords::feed(std::string_view text) {
    (void)parser_.feed(text);
    return outcome();
}

std::optional<Refusal> XmlRecords::finish() {
    (void)parser_.finish();
    return outcome();
}

}  // namespace xinfu::inspector
