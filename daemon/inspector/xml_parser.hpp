// XmlParser: elements and text of an XML document as they come, by Expat, without document types, entities and
// external parts, in bounded memory.
//
// Sources: XML 1.0, fifth edition. Names are told without their prefix: "x:row" is "row".
// Threads: one strand.
// Trust:   every octet is hostile. What is held is one unfinished tag of kTokenSizeBytesMax.
// Errors:  the first Error stays; a handler that answers false stops the parsing without one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct XML_ParserStruct;

namespace xinfu::inspector {

class XmlHandler {
public:
    // `attributes`: name, value, name, value, ..., nullptr. Valid for the call.
    virtual bool on_start(std::string_view name, const char* const* attributes) = 0;
    virtual bool on_end(std::string_view name) = 0;
    virtual bool on_text(std::string_view text) = 0;  // one text may come in several pieces

protected:
    ~XmlHandler() = default;
};

class XmlParser {
public:
    static constexpr std::size_t kTokenSizeBytesMax = 512 * 1024;
    static constexpr int kDepthMax = 64;

    enum class Error { none, malformed, document_type, too_large, stopped };

    // `utf8`: the octets are UTF-8 whatever the document declares; otherwise UTF-8 or UTF-16, as Expat tells.
    XmlParser(XmlHandler& handler, bool utf8);
    ~XmlParser();
    XmlParser(const XmlParser&) = delete;
    XmlParser& operator=(const XmlParser&) = delete;

    bool feed(std::string_view piece);
    bool finish();

    Error error() const { return error_; }
    std::uint64_t line() const;   // 1-based
    std::string message() const;  // Expat's words; never the document's

private:
    struct Calls;
    bool parse(std::string_view piece, bool last);
    void stop(Error error);

    XmlHandler& handler_;
    struct Closer {
        void operator()(XML_ParserStruct* parser) const;
    };
    std::unique_ptr<XML_ParserStruct, Closer> parser_;
    Error error_ = Error::none;
    int depth_ = 0;
    std::uint64_t size_ = 0;  // octets fed
};

}  // namespace xinfu::inspector
