// Bodies that come in parts, and the end of those whose rest never came.
#include "daemon/vault/uploads.hpp"

#include <gtest/gtest.h>

#include "daemon/vault/sweep.hpp"
#include "tests/unit/vault/intake_fixture.hpp"

namespace xinfu::vault::test {
namespace {

using std::chrono::minutes;

class UploadsTest : public IntakeTest {
protected:
    static boundary::GatewayRequest asked() {
        boundary::GatewayRequest request;
        request.set_id(1);
        return request;
    }
    std::shared_ptr<HandedIn> exchange(boundary::GatewayRequest request) {
        return std::make_shared<HandedIn>(io_, caller(), std::move(request));
    }

    std::string open() {
        auto request = asked();
        auto& upload = *request.mutable_open_upload();
        upload.set_catalog("administrative-penalty");
        upload.set_name("in-parts.p7m");
        upload.set_length(body_.size());
        upload.set_sha256(std::string(as_text(crypto::sha256(as_bytes(body_)))));
        const auto opening = exchange(std::move(request));
        on_loop([this, opening] { return uploads_.open(opening); });
        return opening->replies.at(0).upload().id();
    }
    // `meanwhile` runs when all octets were sent, and before the part ends.
    void append(
        const std::string& id, std::size_t offset, std::size_t length, const std::function<void()>& meanwhile = [] {}) {
        auto request = asked();
        request.mutable_append_upload()->set_id(id);
        request.mutable_append_upload()->set_offset(offset);
        const auto appending = exchange(std::move(request));
        auto opened = appending->opened();
        std::thread gateway([&] {
            const boundary::Descriptor stream = opened.get();
            ASSERT_EQ(::send(stream.get(), body_.data() + offset, length, MSG_NOSIGNAL), static_cast<ssize_t>(length));
            meanwhile();
        });
        on_loop([this, appending] { return uploads_.append(appending); });
        gateway.join();
        EXPECT_EQ(appending->replies.at(0).upload().offset(), offset + length);
    }
    // The upload's offset; nothing: there is no such upload.
    std::optional<std::uint64_t> offset(const std::string& id) {
        auto request = asked();
        request.mutable_get_upload()->set_id(id);
        const auto getting = exchange(std::move(request));
        on_loop([this, getting] { return uploads_.get(getting); });
        const auto& reply = getting->replies.at(0);
        if (reply.has_problem()) {
            EXPECT_EQ(reply.problem().code(), "XF-2005");
            return std::nullopt;
        }
        return reply.upload().offset();
    }
    void expire() {
        on_loop([this]() -> asio::awaitable<void> {
            auto expiring = uploads_.expire();
            must(co_await std::move(expiring));
        });
    }
    void sweep() {
        Sweep sweep(*context_, *intake_, uploads_);
        on_loop([&sweep]() -> asio::awaitable<void> {
            auto sweeping = sweep.sweep();
            must(co_await std::move(sweeping));
        });
    }

    const std::string body_ = sign(rows(1, 2));
    Uploads uploads_{*context_, [this](ExchangePointer handed_in) { return intake_->accept(std::move(handed_in)); }};
};

TEST_F(UploadsTest, EndAtTheirTimeAfterTheLastPartAndLeaveNothingButTheirLeaf) {
    const std::string id = open();
    append(id, 0, 100);
    clock_->advance(Uploads::kLifetime - minutes(1));
    append(id, 100, 100);
    clock_->advance(Uploads::kLifetime - minutes(1));
    expire();
    EXPECT_EQ(offset(id), 200U);
    sweep();
    EXPECT_EQ(objects(), 2U) << "one a part";

    clock_->advance(minutes(1));
    EXPECT_EQ(offset(id), std::nullopt) << "even before anybody looks";
    EXPECT_EQ(count(storage::Table::uploads), 1U);
    expire();
    EXPECT_EQ(count(storage::Table::uploads), 0U);
    EXPECT_EQ(leaves_with({"\"action\":\"expire_upload\"", id}), 1);
    sweep();
    EXPECT_EQ(objects(), 0U);
}

TEST_F(UploadsTest, APartThatIsComingKeepsItsUploadAlive) {
    const std::string id = open();
    append(id, 0, 100, [this] {
        clock_->advance(Uploads::kLifetime + minutes(1));
        expire();
    });
    EXPECT_EQ(offset(id), 100U);
    EXPECT_EQ(leaves_with({"expire_upload"}), 0);
}

}  // namespace
}  // namespace xinfu::vault::test
