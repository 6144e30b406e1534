package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Receipts and log hashes as docs/FORMATS.md and docs/formats/log.md define them.

func leafHash(leaf []byte) [32]byte {
	return sha256.Sum256(append([]byte{0}, leaf...))
}

func nodeHash(left, right [32]byte) [32]byte {
	var message [65]byte
	message[0] = 1
	copy(message[1:], left[:])
	copy(message[33:], right[:])
	return sha256.Sum256(message[:])
}

type logKey struct {
	name   string
	number []byte
	public ed25519.PublicKey
	seen   map[string]bool // notes that verified: many receipts share one
}

func parseLogKey(text string) (*logKey, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a verifier key: %s", text)
	}
	number, err := hex.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 1 {
		return nil, fmt.Errorf("not an Ed25519 verifier key: %s", text)
	}
	return &logKey{parts[0], number, raw[1:], map[string]bool{}}, nil
}

func (k *logKey) verifies(note string) bool {
	if k.seen[note] {
		return true
	}
	split := strings.LastIndex(note, "\n\n")
	if split < 0 {
		return false
	}
	for _, line := range strings.Split(note[split+2:], "\n") {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "\u2014 "+k.name+" "))
		if err == nil && len(raw) == 68 && bytes.Equal(raw[:4], k.number) {
			k.seen[note] = ed25519.Verify(k.public, []byte(note[:split+1]), raw[4:])
			return k.seen[note]
		}
	}
	return false
}

// leaf is what a receipt says, as far as it is counted here.
type leaf struct {
	Result string
	Object struct{ Digest, Content, ID string }
	Counts struct{ Records, Stored, Duplicate, Defective int }
}

func (k *logKey) verify(receipt string) (leaf, error) {
	var said leaf
	parts := strings.SplitN(receipt, "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" || !k.verifies(parts[1]) {
		return said, fmt.Errorf("no receipt signed by %s", k.name)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return said, err
	}
	index, err := strconv.ParseUint(strings.TrimPrefix(lines[2], "index "), 10, 63)
	if err != nil {
		return said, err
	}
	note := strings.SplitN(parts[1], "\n", 4)
	size, err := strconv.ParseUint(note[1], 10, 63)
	if err != nil || index >= size {
		return said, fmt.Errorf("index %d of %d", index, size)
	}
	hash, last := leafHash(raw), size-1
	for _, line := range lines[3:] { // RFC 9162 section 2.1.3.2
		var sibling [32]byte
		if n, err := base64.StdEncoding.Decode(sibling[:], []byte(line)); err != nil || n != 32 || last == 0 {
			return said, fmt.Errorf("bad proof")
		}
		if index&1 == 1 || index == last {
			hash = nodeHash(sibling, hash)
			for index&1 == 0 && index != 0 {
				index, last = index>>1, last>>1
			}
		} else {
			hash = nodeHash(hash, sibling)
		}
		index, last = index>>1, last>>1
	}
	if last != 0 || base64.StdEncoding.EncodeToString(hash[:]) != note[2] {
		return said, fmt.Errorf("the leaf does not lead to the signed root")
	}
	return said, json.Unmarshal(raw, &said)
}
