#include "daemon/courier/vault_link.hpp"

#include <atomic>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/packet_channel.hpp"

namespace xinfu::courier {
namespace {

constexpr std::chrono::seconds kSignTimeMax{8};
constexpr int kRoutesMax = 16;

Bytes to_bytes(const std::string& text) {
    return {text.begin(), text.end()};
}

}  // namespace

VaultLink::VaultLink(asio::any_io_executor executor, asio::any_io_executor worker, boundary::Service& service,
                     UpperLimits limits)
    : executor_(std::move(executor)), worker_(std::move(worker)), service_(service), limits_(limits) {}

VaultLink::~VaultLink() = default;

asio::awaitable<boost::system::error_code> VaultLink::run(boundary::Acceptor& acceptor) {
    for (;;) {
        auto accepting = acceptor.accept();
        auto connection = co_await std::move(accepting);
        if (!connection) {
            co_return connection.error();
        }
        // Not awaited: a connection that says nothing must not keep the next one out.
        asio::co_spawn(executor_, take(std::move(*connection)), asio::detached);
    }
}

asio::awaitable<void> VaultLink::take(boundary::Connection connection) {
    boundary::PacketChannel channel(executor_, std::move(connection));
    auto receiving = channel.receive<boundary::CourierWelcome>();
    auto welcome = co_await std::move(receiving);
    if (!welcome) {
        co_return;
    }
    keep(channel.release(), std::move(welcome->message));
}

void VaultLink::keep(boundary::Connection connection, boundary::CourierWelcome welcome) {
    on_welcome(welcome);
    const pid_t pid = connection.rules.pid;
    if (welcome.purpose() == boundary::CourierWelcome::HANDSHAKES) {
        auto handshakes = std::make_shared<HandshakeCaller>(boundary::BlockingChannel(std::move(connection)));
        join(pid, std::move(welcome), nullptr, std::move(handshakes));
    } else {
        auto tasks = std::make_shared<TaskCaller>(boundary::PacketChannel(executor_, std::move(connection)));
        asio::co_spawn(executor_, watch_tasks(tasks), asio::detached);
        join(pid, std::move(welcome), std::move(tasks), nullptr);
    }
}

void VaultLink::join(pid_t pid, boundary::CourierWelcome welcome, std::shared_ptr<TaskCaller> tasks,
                     std::shared_ptr<HandshakeCaller> handshakes) {
    if (pid != pid_) {
        // Another vault process: nothing of the old one's is worth anything any more.
        drop_workers();
        interrupt();
        tasks_.reset();
        handshakes_.reset();
        pid_ = pid;
    }
    if (tasks) {
        drop_workers();
        tasks_ = std::move(tasks);
        welcome_ = std::move(welcome);
    }
    if (handshakes) {
        if (handshakes_) {
            handshakes_->interrupt();
        }
        handshakes_ = std::move(handshakes);
    }
    if (tasks_ && tasks_->is_open() && handshakes_ && workers_.empty() && !drained_) {
        start_workers();
    }
}

void VaultLink::start_workers() {
    for (const auto& route : welcome_.routes()) {
        if (static_cast<int>(workers_.size()) == kRoutesMax) {
            service_.log(boundary::Level::error, "more routes than can be served: " + route.name());
            break;
        }
        tls::ClientSettings settings;
        settings.tls12 = false;
        for (const auto& certificate : welcome_.certificate_chain()) {
            settings.certificate_chain.push_back(to_bytes(certificate));
        }
        for (const auto& anchor : route.trust_anchors()) {
            settings.trust_anchors.push_back(to_bytes(anchor));
        }
        const auto url = parse_upper_url(route.url());
        auto context = tls::ClientContext::create(settings);
        if (!url || !context || settings.certificate_chain.empty() || settings.trust_anchors.empty()) {
            service_.log(
                boundary::Level::error,
                "route " + route.name() + " cannot be served: its URL, anchors or certificate are not in form");
            continue;
        }
        auto upper =
            std::make_unique<UpperConnection>(executor_, worker_, *url, std::move(*context), sign_hook(), limits_);
        auto worker = std::make_shared<RouteWorker>(executor_, route.name(), tasks_, std::move(upper), service_,
                                                    [this] { check_drained(); });
        workers_.push_back(worker);
        ++running_;
        asio::co_spawn(executor_, run_worker(std::move(worker)), asio::detached);
    }
    service_.log(boundary::Level::info, "the vault is here; routes served: " + std::to_string(workers_.size()));
}

void VaultLink::drop_workers() {
    if (tasks_) {
        tasks_->close();
    }
    for (const auto& worker : workers_) {
        worker->stop();
    }
    workers_.clear();
}

asio::awaitable<void> VaultLink::run_worker(std::shared_ptr<RouteWorker> worker) {
    auto running = worker->run();
    co_await std::move(running);
    --running_;
    check_drained();
}

asio::awaitable<void> VaultLink::watch_tasks(std::shared_ptr<TaskCaller> tasks) {
    auto running = tasks->run();
    const auto why = co_await std::move(running);
    if (tasks_ == tasks) {
        service_.log(boundary::Level::notice, "the vault is gone: " + why.message());
        drop_workers();
        tasks_.reset();
    }
}

// Called on worker threads during a handshake.
tls::SignHook VaultLink::sign_hook() {
    static std::atomic<std::uint64_t> connections{0};
    return [handshakes = handshakes_](const tls::HandshakeToSign& what) -> Result<Bytes> {
        const auto* transcript = std::get_if<tls::Tls13Transcript>(&what);
        if (transcript == nullptr) {
            return boundary::make_error_code(boundary::Errc::unexpected);
        }
        boundary::HandshakeRequest request;
        auto& sign = *request.mutable_sign();
        sign.set_connection(++connections);
        sign.mutable_tls13()->set_transcript_digest(std::string(as_text(transcript->digest)));
        const auto reply = handshakes->ask(std::move(request), kSignTimeMax);
        if (!reply) {
            return reply.error();
        }
        if (!reply->has_signature()) {
            return boundary::make_error_code(boundary::Errc::unexpected);
        }
        return to_bytes(reply->signature());
    };
}

void VaultLink::drain(std::function<void()> drained) {
    drained_ = std::move(drained);
    for (const auto& worker : workers_) {
        worker->stop();
    }
    check_drained();
}

void VaultLink::check_drained() {
    if (!drained_) {
        return;
    }
    for (const auto& worker : workers_) {
        if (worker->is_busy()) {
            return;
        }
    }
    // Copied, because it may end everything that this belongs to.
    const auto drained = drained_;
    drained();
}

void VaultLink::interrupt() {
    if (handshakes_) {
        handshakes_->interrupt();
    }
}

std::string VaultLink::status() const {
    if (workers_.empty()) {
        return tasks_ ? "no routes" : "waiting for the vault";
    }
    std::string line;
    for (const auto& worker : workers_) {
        line += (line.empty() ? "" : ", ") + worker->route() + ": " + worker->state();
    }
    return line;
}

}  // namespace xinfu::courier
