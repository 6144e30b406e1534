#include "storage/node_keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "storage/error.hpp"

namespace xinfu::storage {
namespace {

constexpr std::size_t kKeySizeBytes = 32;
constexpr std::size_t kWrappedSizeBytesMax = 4096;
constexpr std::string_view kUnitPrefix = "unit/";
constexpr std::string_view kEnvelopeKey = "envelope";
constexpr std::string_view kEnvelopeRsaKey = "envelope-rsa";
constexpr std::string_view kFormerEnvelopeKey = "envelope-former";
constexpr std::string_view kFormerEnvelopeRsaKey = "envelope-rsa-former";

class File {
public:
    explicit File(int fd) : fd_(fd) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    int get() const { return fd_; }

private:
    int fd_;
};

bool sync_folder(const std::string& path) {
    const File folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return folder.get() >= 0 && ::fsync(folder.get()) == 0;
}

bool write_all(int fd, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

Result<void> put_key(WriteTransaction& transaction, const crypto::KeyWrapper& wrapper, std::string_view name,
                     ByteView key) {
    const auto there = transaction.contains(Table::keys, as_bytes(name));
    if (!there) {
        return there.error();
    }
    if (*there) {
        return Errc::exists;
    }
    return transaction.put(Table::keys, as_bytes(name), wrapper.wrap(name, key));
}

Result<crypto::Secret> get_key(const ReadTransaction& transaction, const crypto::KeyWrapper& wrapper,
                               std::string_view name) {
    const auto wrapped = transaction.get(Table::keys, as_bytes(name));
    if (!wrapped) {
        return wrapped.error();
    }
    if (!*wrapped) {
        return Errc::not_found;
    }
    return wrapper.unwrap(name, **wrapped);
}

}  // namespace

Result<crypto::Secret> create_store_key(const std::string& directory, const crypto::KeyWrapper& wrapper,
                                        crypto::RandomSource& random) {
    const std::string path = directory + "/" + std::string(kStoreKeyPath);
    const std::string folder = path.substr(0, path.rfind('/'));
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return Errc::io_failed;
    }
    crypto::Secret key = random.secret(kKeySizeBytes);
    {
        const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (file.get() < 0) {
            return errno == EEXIST ? Errc::exists : Errc::io_failed;
        }
        if (!write_all(file.get(), wrapper.wrap("store", key.view())) || ::fsync(file.get()) != 0) {
            return Errc::io_failed;
        }
    }
    if (!sync_folder(folder) || !sync_folder(directory)) {
        return Errc::io_failed;
    }
    return key;
}

Result<crypto::Secret> load_store_key(const std::string& directory, const crypto::KeyWrapper& wrapper) {
    const std::string path = directory + "/" + std::string(kStoreKeyPath);
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        return errno == ENOENT ? Errc::not_found : Errc::io_failed;
    }
    Bytes wrapped(kWrappedSizeBytesMax);
    std::size_t size = 0;
    while (size < wrapped.size()) {
        const ssize_t got = ::read(file.get(), wrapped.data() + size, wrapped.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return Errc::io_failed;
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
    }
    wrapped.resize(size);
    return wrapper.unwrap("store", wrapped);
}

Result<NodeKeys> create_node_keys(WriteTransaction& transaction, const crypto::KeyWrapper& wrapper,
                                  crypto::RandomSource& random) {
    NodeKeys keys{random.secret(kKeySizeBytes),        random.secret(kKeySizeBytes),
                  crypto::SigningKey::generate_p256(), crypto::SigningKey::generate_p256(),
                  random.secret(kKeySizeBytes),        {}};
    const crypto::Secret tls = keys.tls.to_der();
    const crypto::Secret parcel = keys.parcel.to_der();
    const std::pair<std::string_view, ByteView> named[] = {{"log", keys.log_seed.view()},
                                                           {"witness", keys.witness_seed.view()},
                                                           {"tls", tls.view()},
                                                           {"parcel", parcel.view()},
                                                           {"index", keys.index.view()}};
    for (const auto& [name, key] : named) {
        if (const auto put = put_key(transaction, wrapper, name, key); !put) {
            return put.error();
        }
    }
    return keys;
}

Result<std::vector<crypto::SigningKey>> create_envelope_keys(WriteTransaction& transaction,
                                                             const crypto::KeyWrapper& wrapper) {
    std::vector<crypto::SigningKey> keys{crypto::SigningKey::generate_p256(), crypto::SigningKey::generate_rsa()};
    std::string_view name = kEnvelopeKey;
    for (const auto& key : keys) {
        if (const auto put = put_key(transaction, wrapper, name, key.to_der().view()); !put) {
            return put.error();
        }
        name = kEnvelopeRsaKey;
    }
    return keys;
}

Result<std::vector<crypto::SigningKey>> renew_envelope_keys(WriteTransaction& transaction,
                                                            const crypto::KeyWrapper& wrapper) {
    const std::pair<std::string_view, std::string_view> names[] = {{kEnvelopeKey, kFormerEnvelopeKey},
                                                                   {kEnvelopeRsaKey, kFormerEnvelopeRsaKey}};
    for (const auto& [name, former] : names) {
        const auto key = get_key(transaction, wrapper, name);
        if (!key) {
            return key.error();
        }
        // A wrapped key is bound to its name.
        if (const auto put = transaction.put(Table::keys, as_bytes(former), wrapper.wrap(former, key->view())); !put) {
            return put.error();
        }
        if (const auto erased = transaction.erase(Table::keys, as_bytes(name)); !erased) {
            return erased.error();
        }
    }
    return create_envelope_keys(transaction, wrapper);
}

namespace {

// Those of these names that are there.
Result<std::vector<crypto::SigningKey>> load_envelope_keys(const ReadTransaction& transaction,
                                                           const crypto::KeyWrapper& wrapper,
                                                           std::initializer_list<std::string_view> names) {
    std::vector<crypto::SigningKey> keys;
    for (const auto name : names) {
        const auto document = get_key(transaction, wrapper, name);
        if (!document && document.error() == make_error_code(Errc::not_found)) {
            continue;
        }
        auto key =
            document ? crypto::SigningKey::from_pkcs8(document->view()) : Result<crypto::SigningKey>(document.error());
        if (!key) {
            return key.error();
        }
        keys.push_back(std::move(*key));
    }
    return keys;
}

}  // namespace

Result<NodeKeys> load_node_keys(const ReadTransaction& transaction, const crypto::KeyWrapper& wrapper) {
    auto log = get_key(transaction, wrapper, "log");
    if (!log) {
        return log.error();
    }
    auto witness = get_key(transaction, wrapper, "witness");
    if (!witness) {
        return witness.error();
    }
    auto index = get_key(transaction, wrapper, "index");
    if (!index) {
        return index.error();
    }
    const auto tls_document = get_key(transaction, wrapper, "tls");
    if (!tls_document) {
        return tls_document.error();
    }
    auto tls = crypto::SigningKey::from_pkcs8(tls_document->view());
    if (!tls) {
        return tls.error();
    }
    const auto parcel_document = get_key(transaction, wrapper, "parcel");
    if (!parcel_document) {
        return parcel_document.error();
    }
    auto parcel = crypto::SigningKey::from_pkcs8(parcel_document->view());
    if (!parcel) {
        return parcel.error();
    }
    auto envelopes = load_envelope_keys(transaction, wrapper, {kEnvelopeKey, kEnvelopeRsaKey});
    if (!envelopes) {
        return envelopes.error();
    }
    auto former = load_envelope_keys(transaction, wrapper, {kFormerEnvelopeKey, kFormerEnvelopeRsaKey});
    if (!former) {
        return former.error();
    }
    return NodeKeys{std::move(*log),   std::move(*witness),   std::move(*tls),   std::move(*parcel),
                    std::move(*index), std::move(*envelopes), std::move(*former)};
}

Result<crypto::Secret> create_unit_key(WriteTransaction& transaction, const crypto::KeyWrapper& wrapper,
                                       std::string_view unit, crypto::RandomSource& random) {
    crypto::Secret key = random.secret(kKeySizeBytes);
    const std::string name = std::string(kUnitPrefix) + std::string(unit);
    if (const auto put = put_key(transaction, wrapper, name, key.view()); !put) {
        return put.error();
    }
    return key;
}

Result<UnitKeys> load_unit_keys(const ReadTransaction& transaction, const crypto::KeyWrapper& wrapper) {
    UnitKeys keys;
    boost::system::error_code failure;
    const auto visited =
        transaction.visit(Table::keys, as_bytes(kUnitPrefix), {}, [&](ByteView name, ByteView wrapped) {
            auto key = wrapper.unwrap(as_text(name), wrapped);
            if (!key) {
                failure = key.error();
                return false;
            }
            keys.emplace(as_text(name).substr(kUnitPrefix.size()), std::move(*key));
            return true;
        });
    if (!visited) {
        return visited.error();
    }
    if (failure) {
        return failure;
    }
    return keys;
}

}  // namespace xinfu::storage
