// Receipts, checked without the node: signature, place in the log, and whether they are about a file.
//
// Trust:   every byte of the receipt is hostile.
// Errors:  Stop with Exit::evidence and a code XF-80xx; Exit::usage for keys that cannot be read.
#pragma once

#include <string>
#include <vector>

#include "crypto/tlog_proof.hpp"
#include "daemon/client/json.hpp"

namespace CLI {
class App;
}

namespace xinfu::client {

// Whom the user trusts: the log, and any witnesses.
struct EvidenceOptions {
    std::string log_key;
    std::vector<std::string> witness_keys;
    int quorum = -1;  // how many witnesses must have signed; below zero: all that are given
    bool strict = false;
};
void add_evidence_options(CLI::App& verb, EvidenceOptions& options);

class TrustedKeys {
public:
    explicit TrustedKeys(const EvidenceOptions& options);
    // Opens a checkpoint: the log's signature, the quorum, and under --strict no unknown line.
    struct Opened {
        crypto::Checkpoint checkpoint;
        crypto::OpenedNote note;
    };
    // An earlier checkpoint that somebody kept may be older than its witnesses' lines.
    enum class Quorum { asked, not_asked };
    Opened open(const std::string& note, Quorum quorum = Quorum::asked) const;
    const crypto::NoteVerifier& log() const { return keys_.front(); }

private:
    std::vector<crypto::NoteVerifier> keys_;  // the log's first
    std::size_t quorum_;
    bool strict_;
};

struct Receipt {
    crypto::TlogProof proof;
    json::object leaf;
    crypto::Checkpoint checkpoint;
    crypto::OpenedNote note;
};
Receipt verify_receipt(const std::string& text, const TrustedKeys& keys);
// The leaf's JSON, of a version that this program knows.
json::object parse_leaf(ByteView entry);
// XF-8005 unless the digest is that of the body or of the signed content that the leaf is about.
void check_subject_matter(const json::object& leaf, const crypto::Digest& digest);

}  // namespace xinfu::client
