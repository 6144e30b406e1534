#include "daemon/inspector/row_reader.hpp"

#include <gtest/gtest.h>

namespace xinfu::inspector {
namespace {

struct Outcome {
    std::vector<std::pair<std::uint64_t, std::vector<std::string>>> rows;
    std::string code;
    std::vector<std::string> arguments;
    bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view text, std::size_t piece_size) {
    Outcome outcome;
    RowReader reader([&](const Row& row) -> std::optional<Refusal> {
        outcome.rows.emplace_back(row.line, std::vector<std::string>(row.cells.begin(), row.cells.end()));
        return std::nullopt;
    });
    std::optional<Refusal> refusal;
    for (std::size_t at = 0; at < text.size() && !refusal; at += piece_size) {
        refusal = reader.feed(text.substr(at, piece_size));
    }
    if (!refusal) {
        refusal = reader.finish();
    }
    if (refusal) {
        outcome.code = refusal->code;
        outcome.arguments = refusal->arguments;
    }
    return outcome;
}

// However the text is cut, the outcome is the same.
Outcome read(std::string_view text) {
    const auto whole = read(text, text.size() + 1);
    for (const std::size_t piece : {1u, 2u, 3u, 5u, 7u, 64u, 1000u}) {
        EXPECT_EQ(read(text, piece), whole) << "in pieces of " << piece;
    }
    return whole;
}

using Rows = std::vector<std::pair<std::uint64_t, std::vector<std::string>>>;

TEST(RowReader, SplitsPlainRows) {
    EXPECT_EQ(read("a,b\n1,2\n3,4").rows, (Rows{{1, {"a", "b"}}, {2, {"1", "2"}}, {3, {"3", "4"}}}));
    EXPECT_EQ(read("a,b\r\n1,\r\n,\r\n").rows, (Rows{{1, {"a", "b"}}, {2, {"1", ""}}}));
    EXPECT_EQ(read("").rows, Rows{});
    EXPECT_EQ(read("\n\n").rows, Rows{});
    EXPECT_EQ(read(" a , b \n").rows, (Rows{{1, {" a ", " b "}}})) << "blanks are the record's to judge";
}

// The examples of RFC 4180 section 2.
TEST(RowReader, ReadsQuotedCells) {
    EXPECT_EQ(read("\"aaa\",\"bbb\",\"ccc\"\r\nzzz,yyy,xxx").rows,
              (Rows{{1, {"aaa", "bbb", "ccc"}}, {2, {"zzz", "yyy", "xxx"}}}));
    EXPECT_EQ(read("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx\r\n").rows,
              (Rows{{1, {"aaa", "b\nbb", "ccc"}}, {3, {"zzz", "yyy", "xxx"}}}));
    EXPECT_EQ(read("\"aaa\",\"b\"\"bb\",\"ccc\"").rows, (Rows{{1, {"aaa", "b\"bb", "ccc"}}}));
    EXPECT_EQ(read("a,\"\",\n\"\"\nx,y").rows, (Rows{{1, {"a", "", ""}}, {3, {"x", "y"}}}));
    EXPECT_EQ(read("\"a,b\n\n\nc\",d\ne,f\n").rows, (Rows{{1, {"a,b\n\n\nc", "d"}}, {5, {"e", "f"}}}));
}

TEST(RowReader, RefusesMisplacedQuotes) {
    for (const auto* text : {"x,y\na,b\"c\n", "x,y\n\"a\"b,c\n", "x,y\n\"a\" ,c\n", "x,y\n \"a\",c\n"}) {
        const auto outcome = read(text);
        EXPECT_EQ(outcome.code, "XF-3023") << text;
        EXPECT_EQ(outcome.arguments, std::vector<std::string>{"2"}) << text;
    }
    EXPECT_EQ(read("x\n\"a\nb\nc").code, "XF-3023");
    EXPECT_EQ(read("x\n\"a\nb\nc").arguments, std::vector<std::string>{"2"}) << "where it began";
}

TEST(RowReader, NamesTheLineThatIsNotUtf8) {
    EXPECT_EQ(read("a\nb\n\xD6\xD0\xCE\xC4\n").arguments, std::vector<std::string>{"3"});  // GBK
    EXPECT_EQ(read("a\n\"b\n\xFF\"\n").arguments, std::vector<std::string>{"3"});
    EXPECT_EQ(read("a\n\xE4\xB8").code, "XF-3020") << "cut inside a character";
    EXPECT_EQ(read(std::string_view{"a\nb\0c\n", 6}).code, "XF-3032");
}

TEST(RowReader, TellsMistakesInUtf8Apart) {
    EXPECT_EQ(read("a\nb\n\xC0\xAF\n").code, "XF-3072") << "an overlong '/'";
    EXPECT_EQ(read("a\nb\n\xE0\x80\xAF\n").code, "XF-3072");
    EXPECT_EQ(read("a\nb\n\xF0\x82\x82\xAC\n").code, "XF-3072") << "an overlong euro sign";
    EXPECT_EQ(read("a\nb\n\xF0\x82\x82\xAC\n").arguments, std::vector<std::string>{"3"});
    EXPECT_EQ(read("a\n\xED\xA0\x81\xED\xB0\xB7\n").code, "XF-3073") << "CESU-8";
    EXPECT_EQ(read("a\n\xF5\x80\x80\x80\n").code, "XF-3020");
}

TEST(RowReader, TellsTheSeparatorByTheHeader) {
    EXPECT_EQ(read("a\tb\n1,5\t2\n").rows, (Rows{{1, {"a", "b"}}, {2, {"1,5", "2"}}}));
    EXPECT_EQ(read("a;b\n1,5;\"x;y\"\n").rows, (Rows{{1, {"a", "b"}}, {2, {"1,5", "x;y"}}}));
    EXPECT_EQ(read("\"a;;;\",b\n1,2\n").rows, (Rows{{1, {"a;;;", "b"}}, {2, {"1", "2"}}})) << "not inside quotes";
    EXPECT_EQ(read("sep=;\na,x;b\n1;2\n").rows, (Rows{{2, {"a,x", "b"}}, {3, {"1", "2"}}}));
    EXPECT_EQ(read("\t\t\na\tb\n\t\n").rows, (Rows{{2, {"a", "b"}}}));
    EXPECT_EQ(read("a\n1;2\n").rows, (Rows{{1, {"a"}}, {2, {"1;2"}}}));
    EXPECT_EQ(tell_separator("a"), ',');
}

TEST(RowReader, NamesOldLineEnds) {
    EXPECT_EQ(read("a,b\r1,2\r").code, "XF-3075");
    std::string old = "a,b\r";
    for (int i = 0; i < 100000; ++i) {
        old += "1,2\r";
    }
    EXPECT_EQ(read(old, 4096).code, "XF-3075");
}

TEST(RowReader, BoundsARow) {
    const std::string header(RowReader::kRowSizeBytesMax, ',');
    EXPECT_EQ(read(header + header + "\n1\n", 4096).code, "XF-3027") << "the header";
    const std::string fits(RowReader::kRowSizeBytesMax - 10, 'x');
    EXPECT_EQ(read("a\n" + fits + "\n").code, "");
    EXPECT_EQ(read("a\n" + fits + fits + "\n", 4096).code, "XF-3024");
    EXPECT_EQ(read("a\n" + fits + fits, 4096).arguments[0], "2");
    std::string quoted = "a\n\"";
    for (int i = 0; i < 40000; ++i) {
        quoted += "0123456\n";
    }
    EXPECT_EQ(read(quoted, 4096).code, "XF-3024") << "a quotation mark without partner";
    EXPECT_EQ(read(quoted, 4096).arguments[0], "2");
    const auto wide = read(std::string(5000, ',') + "x\n", 100000);
    ASSERT_EQ(wide.rows.size(), 1u);
    EXPECT_EQ(wide.rows[0].second.size(), RowReader::kCellsMax + 1);
}

TEST(RowReader, StaysRefused) {
    RowReader reader([](const Row&) { return std::optional<Refusal>{}; });
    EXPECT_TRUE(reader.feed("a\n\xFF\n"));
    EXPECT_TRUE(reader.feed("b\n"));
    EXPECT_TRUE(reader.finish());
}

}  // namespace
}  // namespace xinfu::inspector
