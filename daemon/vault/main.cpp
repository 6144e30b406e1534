// xinfu-vault: decides and remembers. Wiring only, in the order in which things start; each part says in its own
// header what it does.
#include <unistd.h>

#include <fcntl.h>
#include <malloc.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/arguments.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/boundary/walls.hpp"
#include "daemon/vault/accept_submission.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/backlog.hpp"
#include "daemon/vault/cosignatures.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/courier_endpoint.hpp"
#include "daemon/vault/damage.hpp"
#include "daemon/vault/delivery.hpp"
#include "daemon/vault/gateway_endpoint.hpp"
#include "daemon/vault/inspector_pool.hpp"
#include "daemon/vault/leaf_journal.hpp"
#include "daemon/vault/log_indexer.hpp"
#include "daemon/vault/metrics.hpp"
#include "daemon/vault/peer_link.hpp"
#include "daemon/vault/scrub.hpp"
#include "daemon/vault/startup.hpp"
#include "daemon/vault/status.hpp"
#include "daemon/vault/sweep.hpp"

namespace {

using namespace xinfu;
using namespace xinfu::vault;
using boundary::Level;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kRevocationLook{20};  // a revoked certificate stops within a minute
constexpr std::chrono::seconds kCountedFlush{5};
constexpr std::chrono::minutes kUploadsLook{10};
constexpr std::chrono::minutes kRequestsLook{5};
constexpr std::chrono::seconds kPathsLook{1};
constexpr std::chrono::hours kCertificatesLook{1};
constexpr std::chrono::seconds kStatusLine{5};
constexpr std::chrono::seconds kBacklogLook{1};
constexpr std::chrono::milliseconds kLedgerWatch{100};
constexpr std::chrono::seconds kClockWatch{1};

asio::awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    auto waiting = timer.async_wait(kAsTuple);
    static_cast<void>(co_await std::move(waiting));
}

// The packs in force, read by an inspector, which may not be running yet.
asio::awaitable<void> take_policies(Context& context, boundary::Service& service) {
    for (;;) {
        std::vector<storage::Pack> packs;
        {
            const auto snapshot = context.ledger.engine().snapshot();
            auto stored = snapshot
                              ? storage::active_packs(**snapshot)
                              : Result<std::vector<storage::Pack>>(boost::system::in_place_error, snapshot.error());
            if (!stored) {
                throw CannotStart("the active policy packs: " + stored.error().message());
            }
            packs = std::move(*stored);
        }
        std::string mistakes;
        auto loading = load_policies(context, std::move(packs), mistakes);
        auto loaded = co_await std::move(loading);
        if (loaded) {
            context.policies.replace(std::move(*loaded));
            co_return;
        }
        if (!mistakes.empty()) {
            throw CannotStart("an active policy pack is not accepted: " + mistakes);
        }
        if (!boundary::is_retryable(loaded.error()) && loaded.error() != boundary::Errc::not_running) {
            boundary::LogFields fields;
            fields.code = "XF-9101";
            service.log(Level::warning, "policy packs not read: " + loaded.error().message(), fields);
        }
        auto waiting = pause(std::chrono::milliseconds(100));
        co_await std::move(waiting);
    }
}

asio::awaitable<void> tell_of(Context& context, std::string action, crypto::Digest policies) {
    storage::Leaf leaf;
    leaf.action = std::move(action);
    leaf.result = "done";
    leaf.object.type = "policy";
    leaf.object.digest = policies;
    leaf.reason = "version " + std::string(boundary::version());
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    const auto recorded = co_await std::move(recording);
    if (!recorded) {
        throw CannotStart("the log cannot be written: " + recorded.error().message());
    }
}

int run(int argc, char** argv) {
    auto arguments = boundary::parse_arguments(boundary::Role::vault, argc, argv);
    if (arguments.exit_code) {
        return *arguments.exit_code;
    }
    boundary::Service service("xinfu-vault");
    // Large blocks go back to the system when they are freed: a password's digest takes tens of MiB for a moment, and
    // an arena of each worker would keep them for good. What a file's blocks took stays until nothing is on its way: to
    // get it anew for each block is a tenth of the time of big files.
    ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 16 << 20);
    ::mallopt(M_TOP_PAD, 1 << 20);
    try {
        const bool supervised = static_cast<bool>(arguments.control);
        config::Config config = read_configuration(arguments);
        const config::Paths declared = config::paths_of(config);
        if (!supervised && ::chdir(config.state.c_str()) != 0) {
            throw CannotStart("the state directory " + config.state + " cannot be entered");
        }
        const boundary::Descriptor state_directory(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
        const auto wrapper = read_key_wrapping_key(std::move(arguments.key));

        boundary::WallOptions wall_options;
        wall_options.state_directory_fd = state_directory.get();
        wall_options.dials_paths = !supervised;
        const auto walls = boundary::raise_walls(boundary::Role::vault, wall_options);
        if (!walls) {
            throw CannotStart("the walls: " + walls.error().message());
        }

        // What lasts.
        const auto clock = std::make_shared<WallClock>();
        LeafJournal journal(service);
        Metrics metrics;
        Damage damage(service, metrics);
        FeedBell feed_bell;
        Store store = open_store(
            config, wrapper, clock,
            [&journal, &feed_bell](std::uint64_t size) {
                journal.committed(size);
                feed_bell.ring();
            },
            [&damage](const std::string& what) { damage.tell(what); },
            [&service](const std::string& what) {
                boundary::LogFields fields;
                fields.code = "XF-9001";
                service.log(Level::error, "the disk failed: " + what, fields);
            });
        const Bytes index_key(store.keys->index().begin(), store.keys->index().end());
        storage::LeafWriter leaves(config.node, index_key);
        leaves.observe([&journal](const storage::Leaf& leaf, std::uint64_t index) { journal.appended(leaf, index); });

        // What works with it.
        asio::io_context io(1);
        asio::thread_pool workers(2);
        boundary::Dialer dialer =
            supervised ? boundary::Dialer::through_supervisor(io.get_executor(), std::move(arguments.control))
                       : boundary::Dialer::through_paths(io.get_executor(), "/run/xinfu", arguments.uids);
        ActivePolicies policies;
        CountedLeaves counted_leaves;
        InspectorLimits inspector_limits;
        inspector_limits.instances_max = config.inspector.instances_max;
        inspector_limits.idle = config.inspector.idle_seconds;
        const auto dial_inspector = [&dialer] { return dialer.dial(boundary::Role::inspector); };
        Inspectors inspectors(io, dial_inspector, inspector_limits);
        Context context{io,          workers,        config,
                        config.node, *store.ledger,  *store.objects,
                        leaves,      *clock,         crypto::system_random(),
                        *store.keys, policies,       inspectors,
                        metrics,     counted_leaves, dial_inspector};

        Handles handles;
        Revocations revocations{std::chrono::hours{config.vault.revocation_grace_hours}};
        Sessions sessions;
        Intake intake(context, revocations, store.certificates);
        Uploads uploads(context, [&intake](ExchangePointer exchange) { return intake.accept(std::move(exchange)); });
        Cosignatures cosignatures(context);
        Delivery delivery(context, cosignatures);
        Witness witness(context);
        Sweep sweep(context, intake, uploads);
        Scrub scrub(context, [&damage](const std::string& what) { damage.tell(what); });
        LogIndexer log_indexer(context, store.keys->index());
        intake.on_parcels = [&delivery] { delivery.wake(); };
        intake.on_leftovers = [&sweep] { sweep.wake(); };
        uploads.on_leftovers = [&sweep] { sweep.wake(); };
        ClockWatch clock_watch(context, *clock);
        Paths paths(context, declared);
        CertificateWatch certificates(context, store.certificates, [&service](const std::string& line) {
            boundary::LogFields fields;
            fields.code = "XF-1027";
            service.log(Level::warning, line, fields);
        });
        if (const auto started = witness.start(); !started) {
            throw CannotStart("the witness, or the key of a log that it co-signs: " + started.error().message());
        }
        const Status status(context, revocations, damage, clock_watch, paths, certificates, cosignatures, store.log_key,
                            witness.verifier_key(), [&delivery] { return delivery.links(); });
        bool ready = false;
        bool draining = false;
        Budgets budgets{{config.vault.readings_per_account_hour, std::chrono::hours(1)},
                        {config.vault.acts_per_account_minute, std::chrono::minutes(1)}};
        ApprovedFiles approved_files(context, store.certificates);
        approved_files.on_parcels = [&delivery] { delivery.wake(); };
        approved_files.on_leftovers = [&sweep] { sweep.wake(); };
        Requests requests(context, sessions, revocations, store.certificates.anchors, approved_files,
                          [&store](const storage::UnitKeys& keys) { store.keys->add_units(keys); });
        EndedConnections ended_connections;
        Feeds feeds(context);
        requests.on_paths = [&paths] { paths.changed(); };
        AccountsService accounts(context, handles, sessions, revocations, ended_connections);
        accounts.on_leftovers = [&sweep] { sweep.wake(); };
        GatewayServices services{context,
                                 handles,
                                 revocations,
                                 sessions,
                                 budgets,
                                 [&intake](ExchangePointer exchange) { return intake.accept(std::move(exchange)); },
                                 uploads,
                                 requests,
                                 accounts,
                                 ended_connections,
                                 paths,
                                 feeds,
                                 witness,
                                 [&cosignatures] { return cosignatures.objection(); },
                                 log_indexer,
                                 [&status] { return status.view(); },
                                 [&] {
                                     const bool serving = ready && !draining && !cosignatures.objection();
                                     status.measure(serving);
                                     return serving;
                                 },
                                 [&draining] { return draining; }};

        // The peers.
        const auto refused = [&context](HandshakeService::Refusal refusal) {
            record_refused_connection(context, std::move(refusal.account), std::move(refusal.code),
                                      std::move(refusal.claimed), std::move(refusal.source), 1);
        };
        HandshakeService gateway_handshakes(HandshakePeer::gateway, context, handles, revocations, refused);
        HandshakeService courier_handshakes(HandshakePeer::courier, context, handles, revocations, refused);
        const auto told = [&service](std::string name) {
            return
                [&service, name](bool linked) { service.log(Level::info, name + (linked ? " connected" : " gone")); };
        };
        const Welcomes to_gateway = gateway_welcomes(config, store.certificates);
        PeerLink gateway(context, gateway_handshakes,
                         {"gateway", [&dialer] { return dialer.dial(boundary::Role::gateway); }, to_gateway.requests,
                          to_gateway.handshakes,
                          [&services](std::shared_ptr<boundary::PacketChannel> channel,
                                      std::uint64_t link) -> asio::awaitable<boost::system::error_code> {
                              GatewayEndpoint endpoint(services, std::move(channel), link);
                              auto serving = endpoint.serve();
                              co_return co_await std::move(serving);
                          },
                          told("gateway")});
        const Welcomes to_courier = courier_welcomes(config, store.certificates);
        PeerLink courier(context, courier_handshakes,
                         {"courier", [&dialer] { return dialer.dial(boundary::Role::courier); }, to_courier.requests,
                          to_courier.handshakes,
                          [&context, &delivery](std::shared_ptr<boundary::PacketChannel> channel,
                                                std::uint64_t) -> asio::awaitable<boost::system::error_code> {
                              CourierEndpoint endpoint(context, delivery, std::move(channel));
                              auto serving = endpoint.serve();
                              co_return co_await std::move(serving);
                          },
                          told("courier")});

        // From here on in the event loop. A part that cannot go on ends the process; the supervisor starts it anew.
        int exit_code = EXIT_SUCCESS;
        const auto stop_with = [&](int code, const std::string& why) {
            service.log(code == EXIT_SUCCESS ? Level::notice : Level::error, why);
            exit_code = code;
            io.stop();
        };
        const auto spawn = [&](asio::awaitable<void> work) {
            auto ended = [&stop_with](std::exception_ptr broken) {
                if (!broken) {
                    return;
                }
                try {
                    std::rethrow_exception(broken);
                } catch (const std::exception& failure) {
                    stop_with(EXIT_FAILURE, failure.what());
                }
            };
            asio::co_spawn(io, std::move(work), std::move(ended));
        };
        const auto keep = [&](PeerLink& link) -> asio::awaitable<void> {
            auto running = link.run();
            const auto why = co_await std::move(running);
            if (why && !draining) {
                stop_with(EXIT_FAILURE, "the supervisor is gone: " + why.message());
            }
        };

        cosignatures.on_rolled_back = [&](const boundary::Problem& why, bool serving) {
            boundary::LogFields fields;
            fields.code = why.code();
            const std::string text = "the log was rolled back: " + why.arguments(0) + " co-signed " + why.arguments(1) +
                                     " entries, and what is here does not continue them";
            service.log(Level::error, text, fields);
            if (serving) {
                // Answers under way would be signed over the other history; after the start nothing is.
                stop_with(EXIT_FAILURE, "stopped for that");
            }
        };

        const auto expire_requests = [&]() -> asio::awaitable<void> {
            for (;;) {
                if (!draining) {
                    auto expiring = approved_files.expire();
                    static_cast<void>((co_await std::move(expiring)).has_value());  // else at the next look
                }
                auto waiting = pause(kRequestsLook);
                co_await std::move(waiting);
            }
        };
        const auto start = [&]() -> asio::awaitable<void> {
            {
                const auto snapshot = context.ledger.engine().snapshot();
                if (!snapshot || !revocations.load(**snapshot) || !delivery.start() || !cosignatures.start()) {
                    throw CannotStart("the store, or a route's log or witness key, cannot be read");
                }
            }
            auto taking = take_policies(context, service);
            co_await std::move(taking);
            auto looking = revocations.look(context, store.certificates.anchors, "revocation");
            co_await std::move(looking);
            auto adopting = paths.start();
            if (const auto adopted = co_await std::move(adopting); !adopted) {
                throw CannotStart("the paths: " + adopted.error().message());
            }
            auto telling = tell_of(context, "start", policies.current()->digest);
            co_await std::move(telling);
            auto looking_at_clock = clock_watch.look();
            co_await std::move(looking_at_clock);
            cosignatures.begin();
            spawn(keep(courier));
            spawn(keep(gateway));
            spawn(inspectors.run());
            spawn(sweep.run());
            spawn(scrub.run());
            spawn(log_indexer.run());
            spawn(expire_requests());
            ready = true;
            service.ready();
            service.log(Level::notice, "ready: " + config.node + ", " +
                                           std::to_string(context.ledger.head().tree_size) + " log entries");
        };
        const auto look_for_revocations = [&]() -> asio::awaitable<void> {
            for (;;) {
                auto waiting = pause(kRevocationLook);
                co_await std::move(waiting);
                if (ready) {
                    auto looking = revocations.look(context, store.certificates.anchors, "revocation");
                    co_await std::move(looking);
                }
            }
        };
        const auto expire_uploads = [&]() -> asio::awaitable<void> {
            for (;;) {
                auto waiting = pause(kUploadsLook);
                co_await std::move(waiting);
                if (ready && !draining) {
                    auto expiring = uploads.expire();
                    static_cast<void>((co_await std::move(expiring)).has_value());  // else at the next look
                }
            }
        };
        const auto flush_counted = [&]() -> asio::awaitable<void> {
            for (;;) {
                auto waiting = pause(kCountedFlush);
                co_await std::move(waiting);
                auto flushing = counted_leaves.flush(context);
                static_cast<void>((co_await std::move(flushing)).has_value());
                sessions.sweep(context);
            }
        };
        const auto watch_clock = [&]() -> asio::awaitable<void> {
            for (;;) {
                if (ready && !draining) {
                    auto looking = clock_watch.look();
                    co_await std::move(looking);
                }
                auto waiting = pause(kClockWatch);
                co_await std::move(waiting);
            }
        };
        const auto check_paths = [&]() -> asio::awaitable<void> {
            for (;;) {
                if (ready && !draining && paths.check_is_due()) {
                    auto checking = paths.check();
                    const auto checked = co_await std::move(checking);  // else at the next look
                    if (const auto alarm = paths.alarm(); alarm && checked) {
                        boundary::LogFields fields;
                        fields.code = alarm->code();
                        service.log(Level::warning, "paths differ from the approved ones: xinfu paths show", fields);
                    }
                }
                auto waiting = pause(kPathsLook);
                co_await std::move(waiting);
            }
        };
        const auto watch_certificates = [&]() -> asio::awaitable<void> {
            for (;;) {
                if (ready && !draining) {
                    static_cast<void>(certificates.look().has_value());  // else at the next look
                }
                auto waiting = pause(ready ? std::chrono::seconds(kCertificatesLook) : kPathsLook);
                co_await std::move(waiting);
            }
        };
        const auto show_status = [&]() -> asio::awaitable<void> {
            bool trimmed = false;
            for (;;) {
                if (ready) {
                    service.status(status.line(draining));
                }
                if (intake.under_way() > 0) {
                    trimmed = false;
                } else if (!std::exchange(trimmed, true)) {
                    ::malloc_trim(0);
                }
                auto waiting = pause(kStatusLine);
                co_await std::move(waiting);
            }
        };
        const auto watch_backlog = [&]() -> asio::awaitable<void> {
            BacklogWatch watch([&service](Level level, const std::string& text, const std::string& code) {
                boundary::LogFields fields;
                fields.code = code;
                service.log(level, text, fields);
            });
            for (;;) {
                if (ready) {
                    watch.look(delivery.links());
                }
                auto waiting = pause(kBacklogLook);
                co_await std::move(waiting);
            }
        };
        // What is on disk is unknown after a failed commit: no answer is honest any more, and the next start finds
        // out.
        const auto watch_ledger = [&]() -> asio::awaitable<void> {
            const auto interval = service.watchdog_interval();
            auto next = std::chrono::steady_clock::now();
            for (;;) {
                if (context.ledger.failed()) {
                    stop_with(EXIT_FAILURE, "a commit failed: the state on disk is unknown until the next start");
                    co_return;
                }
                if (interval && std::chrono::steady_clock::now() >= next) {
                    service.watchdog();
                    next += *interval;
                }
                auto waiting = pause(kLedgerWatch);
                co_await std::move(waiting);
            }
        };
        // Takes nothing new, lets files on their way arrive, then says so in the log.
        const auto drain = [&]() -> asio::awaitable<void> {
            draining = true;
            service.stopping();
            const auto deadline = std::chrono::steady_clock::now() + config.supervisor.drain_seconds * 3 / 4;
            while (intake.under_way() > 0 && std::chrono::steady_clock::now() < deadline) {
                auto waiting = pause(std::chrono::milliseconds(20));
                co_await std::move(waiting);
            }
            auto flushing = counted_leaves.flush(context, true);
            static_cast<void>((co_await std::move(flushing)).has_value());
            if (ready) {
                auto telling = tell_of(context, "stop", policies.current()->digest);
                co_await std::move(telling);
            }
            gateway.stop();
            courier.stop();
            delivery.stop();
            inspectors.stop();
            sweep.stop();
            scrub.stop();
            log_indexer.stop();
            while (gateway.linked() || courier.linked()) {
                auto waiting = pause(std::chrono::milliseconds(10));
                co_await std::move(waiting);
            }
            stop_with(EXIT_SUCCESS, "stopped");
        };

        asio::signal_set signals(io, SIGTERM, SIGINT);
        signals.async_wait([&](boost::system::error_code failed, int) {
            if (!failed) {
                spawn(drain());
            }
        });
        asio::signal_set wishes(io, SIGUSR1);
        const auto heed_wishes = [&]() -> asio::awaitable<void> {
            for (;;) {
                auto waiting = wishes.async_wait(kAsTuple);
                const auto [failed, number] = co_await std::move(waiting);
                if (failed) {
                    co_return;
                }
                scrub.wake();
            }
        };
        feed_bell.connect([&context, &feeds, known = context.ledger.engine().version(storage::Table::feeds)]() mutable {
            const auto version = context.ledger.engine().version(storage::Table::feeds);
            if (std::exchange(known, version) != version) {
                asio::post(context.io, [&feeds] { feeds.look(); });
            }
        });
        spawn(start());
        spawn(heed_wishes());
        spawn(look_for_revocations());
        spawn(expire_uploads());
        spawn(flush_counted());
        spawn(check_paths());
        spawn(watch_certificates());
        spawn(show_status());
        spawn(watch_backlog());
        spawn(watch_ledger());
        spawn(watch_clock());
        io.run();
        if (exit_code == EXIT_SUCCESS) {
            workers.join();
            store.ledger.reset();  // writes what still waits
        }
        // Coroutines that were given up refer to what would be destroyed here one after the other, and threads may
        // be inside it; everything that counts is on disk.
        std::_Exit(exit_code);
    } catch (const CannotStart& why) {
        service.log(Level::error, why.what());
        return EXIT_FAILURE;
    }
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv);
}
