// Makes the files beside it with Go's sumdb packages, which share nothing with Xinfu:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run tests/vectors/tlog/make.go tests/vectors/tlog
//
// vectors.txt: verifier keys, checkpoints, a consistency proof and a tlog-proof of a log of 300 entries;
// log/: the same log as C2SP tiles; checkpoint-100: what an auditor kept from before.
// The log's seed is 32 bytes of 0x07, the witness's 32 bytes of 0x09.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "city.example/log"
const size = 300

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func entry(i int64) []byte {
	return []byte(fmt.Sprintf(`{"action":"start","node":"city.example","result":"done","time":"2026-01-01T00:00:00.%03dZ","v":1}`, i))
}

// A C2SP cosignature v1: the type is 0x04 and the signed bytes say when.
type witness struct {
	name string
	key  ed25519.PrivateKey
	time uint64
}

func (w witness) Name() string { return w.name }
func (w witness) KeyHash() uint32 {
	typed := append([]byte(w.name+"\n"), 4)
	typed = append(typed, w.key.Public().(ed25519.PublicKey)...)
	return binary.BigEndian.Uint32(sha(typed))
}
func (w witness) Sign(text []byte) ([]byte, error) {
	message := []byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", w.time, text))
	signature := make([]byte, 8)
	binary.BigEndian.PutUint64(signature, w.time)
	return append(signature, ed25519.Sign(w.key, message)...), nil
}

func sha(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

func main() {
	dir := os.Args[1]
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	public := key.Public().(ed25519.PublicKey)
	vkey := must(note.NewEd25519VerifierKey(origin, public))
	hash := strings.Split(vkey, "+")[1]
	skey := "PRIVATE+KEY+" + origin + "+" + hash + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...))
	signer := must(note.NewSigner(skey))
	w := witness{"province.example/witness", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)), 1767225600}
	wvkey := fmt.Sprintf("%s+%08x+%s", w.name, w.KeyHash(),
		base64.StdEncoding.EncodeToString(append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)))

	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i := int64(0); i < size; i++ {
		hashes = append(hashes, must(tlog.StoredHashes(i, entry(i), reader))...)
	}
	checkpoint := func(n int64, signers ...note.Signer) string {
		root := must(tlog.TreeHash(n, reader))
		text := fmt.Sprintf("%s\n%d\n%s\n", origin, n, base64.StdEncoding.EncodeToString(root[:]))
		return string(must(note.Sign(&note.Note{Text: text}, signers...)))
	}

	var out strings.Builder
	fmt.Fprintf(&out, "log-key %s\nwitness-key %s\n", vkey, wvkey)
	proof := must(tlog.ProveTree(size, 100, reader))
	fmt.Fprintf(&out, "consistency 100 %d", size)
	for _, h := range proof {
		fmt.Fprintf(&out, " %s", base64.StdEncoding.EncodeToString(h[:]))
	}
	fmt.Fprintln(&out)
	check(os.WriteFile(filepath.Join(dir, "vectors.txt"), []byte(out.String()), 0o644))

	const index = 123
	receipt := fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n",
		base64.StdEncoding.EncodeToString(entry(index)), index)
	for _, h := range must(tlog.ProveRecord(size, index, reader)) {
		receipt += base64.StdEncoding.EncodeToString(h[:]) + "\n"
	}
	check(os.WriteFile(filepath.Join(dir, "entry-123.tlog-proof"), []byte(receipt+"\n"+checkpoint(size, signer)), 0o644))
	check(os.WriteFile(filepath.Join(dir, "entry-123-cosigned.tlog-proof"),
		[]byte(receipt+"\n"+checkpoint(size, signer, w)), 0o644))
	check(os.WriteFile(filepath.Join(dir, "checkpoint-100"), []byte(checkpoint(100, signer)), 0o644))

	log := filepath.Join(dir, "log")
	write := func(path string, data []byte) {
		path = filepath.Join(log, path)
		check(os.MkdirAll(filepath.Dir(path), 0o755))
		check(os.WriteFile(path, data, 0o644))
	}
	write("checkpoint", []byte(checkpoint(size, signer)))
	widest := map[[2]int64]tlog.Tile{} // the partial tiles of this size alone, not of all sizes before
	for _, tile := range tlog.NewTiles(8, 0, size) {
		widest[[2]int64{int64(tile.L), tile.N}] = tile
	}
	for _, tile := range widest {
		data := must(tlog.ReadTileData(tile, reader))
		write(strings.Replace(tile.Path(), "tile/8/", "tile/", 1), data)
	}
	for n := int64(0); n*256 < size; n++ {
		var bundle []byte
		width := int64(0)
		for i := n * 256; i < size && i < (n+1)*256; i++ {
			bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry(i))))
			bundle = append(bundle, entry(i)...)
			width++
		}
		path := fmt.Sprintf("tile/entries/%03d", n)
		if width < 256 {
			path += fmt.Sprintf(".p/%d", width)
		}
		write(path, bundle)
	}
}
