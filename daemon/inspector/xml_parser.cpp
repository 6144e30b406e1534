#include "daemon/inspector/xml_parser.hpp"

#include <algorithm>
#include <new>

#include <expat.h>

namespace xinfu::inspector {
namespace {

// Expat looks at an unfinished tag again with every piece: pieces of this size keep that to a few times.
constexpr std::size_t kPieceSizeBytes = 64 * 1024;

std::string_view local_name(const XML_Char* name) {
    const std::string_view whole{name};
    const auto colon = whole.rfind(':');
    return colon == std::string_view::npos ? whole : whole.substr(colon + 1);
}

}  // namespace

void XmlParser::Closer::operator()(XML_ParserStruct* parser) const {
    XML_ParserFree(parser);
}

// What Expat calls. Nothing may throw through it.
struct XmlParser::Calls {
    static XmlParser& self(void* data) { return *static_cast<XmlParser*>(data); }

    template <class Act>
    static void guarded(void* data, Act act) {
        auto& parser = self(data);
        if (parser.error_ != Error::none) {
            return;  // Expat may still tell the end of an element that is empty
        }
        try {
            if (!act(parser)) {
                parser.stop(Error::stopped);
            }
        } catch (const std::bad_alloc&) {
            parser.stop(Error::too_large);
        }
    }

    static void on_start(void* data, const XML_Char* name, const XML_Char** attributes) {
        guarded(data, [&](XmlParser& parser) {
            if (++parser.depth_ > kDepthMax) {
                parser.stop(Error::too_large);
                return true;
            }
            return parser.handler_.on_start(local_name(name), attributes);
        });
    }
    static void on_end(void* data, const XML_Char* name) {
        guarded(data, [&](XmlParser& parser) {
            --parser.depth_;
            return parser.handler_.on_end(local_name(name));
        });
    }
    static void on_text(void* data, const XML_Char* text, int size) {
        guarded(data, [&](XmlParser& parser) {
            return parser.handler_.on_text({text, static_cast<std::size_t>(size)});
        });
    }
    static void on_doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*, int) {
        self(data).stop(Error::document_type);
    }
};

XmlParser::XmlParser(XmlHandler& handler, bool utf8)
    : handler_(handler), parser_(XML_ParserCreate(utf8 ? "UTF-8" : nullptr)) {
    if (!parser_) {
        throw std::bad_alloc{};
    }
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), Calls::on_start, Calls::on_end);
    XML_SetCharacterDataHandler(parser_.get(), Calls::on_text);
    // The declaration itself ends the reading: no entity is ever declared, so none is ever expanded.
    XML_SetStartDoctypeDeclHandler(parser_.get(), Calls::on_doctype);
    XML_SetParamEntityParsing(parser_.get(), XML_PARAM_ENTITY_PARSING_NEVER);
}

XmlParser::~XmlParser() = default;

void XmlParser::stop(Error error) {
    error_ = error;
    XML_StopParser(parser_.get(), XML_FALSE);
}

bool XmlParser::parse(std::string_view piece, bool last) {
    if (error_ != Error::none) {
        return false;
    }
    size_ += piece.size();
    const auto status = XML_Parse(parser_.get(), piece.data(), static_cast<int>(piece.size()), last ? 1 : 0);
    if (error_ != Error::none) {
        return false;
    }
    if (status != XML_STATUS_OK) {
        error_ = Error::malformed;
        return false;
    }
    const auto done = XML_GetCurrentByteIndex(parser_.get());
    if (!last && size_ > kTokenSizeBytesMax &&
        size_ - kTokenSizeBytesMax > static_cast<std::uint64_t>(std::max<XML_Index>(done, 0))) {
        error_ = Error::too_large;
        return false;
    }
    return true;
}

bool XmlParser::feed(std::string_view piece) {
    while (!piece.empty()) {
        const auto part = piece.substr(0, kPieceSizeBytes);
        piece.remove_prefix(part.size());
        if (!parse(part, false)) {
            return false;
        }
    }
    return error_ == Error::none;
}

bool XmlParser::finish() {
    return parse({}, true);
}

std::uint64_t XmlParser::line() const {
    return XML_GetCurrentLineNumber(parser_.get());
}

std::string XmlParser::message() const {
    const auto* words = XML_ErrorString(XML_GetErrorCode(parser_.get()));
    return words == nullptr ? "?" : words;
}

}  // namespace xinfu::inspector
