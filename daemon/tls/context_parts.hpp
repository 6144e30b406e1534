// What a context holds, in Botan's terms. Only the engine and the context include this.
#pragma once

#include <botan/certstor.h>
#include <botan/credentials_manager.h>
#include <botan/pk_keys.h>
#include <botan/rng.h>
#include <botan/tls_policy.h>
#include <botan/tls_session_manager_noop.h>
#include <botan/tls_signature_scheme.h>
#include <botan/x509_key.h>
#include <botan/x509cert.h>

#include "daemon/tls/context.hpp"

namespace xinfu::tls {

struct ServerContext::Parts {
    std::shared_ptr<Botan::Credentials_Manager> credentials;
    std::shared_ptr<const Botan::TLS::Policy> policy;
    std::shared_ptr<Botan::TLS::Session_Manager> sessions;
    std::shared_ptr<Botan::RandomNumberGenerator> random;
};

struct ClientContext::Parts {
    std::shared_ptr<Botan::Credentials_Manager> credentials;
    std::shared_ptr<const Botan::TLS::Policy> policy;
    std::shared_ptr<Botan::TLS::Session_Manager> sessions;
    std::shared_ptr<Botan::RandomNumberGenerator> random;
    std::shared_ptr<Botan::Certificate_Store> anchors;
    bool needs_sign_hook = false;
};

}  // namespace xinfu::tls
