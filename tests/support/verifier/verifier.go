// Verifier: checks receipts and logs with Go's sumdb packages and nothing of ours, so that our proofs are
// judged by somebody else's reading of the standards.
//
//	verifier receipt FILE VKEY [BODY]        a C2SP tlog-proof; BODY is what was handed in, or its signed content
//	verifier log DIR VKEY                    a whole log in C2SP tlog-tiles layout: checkpoint, tiles, entry bundles
//	verifier cosigned FILE VKEY WITNESS      a checkpoint, or a receipt's, that log and witness both signed
//	verifier consistency DIR OLD NEW VKEY    two signed checkpoints (files) of one log whose tiles are in DIR
//
// Exit: 0 verified, 1 not, 2 usage.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8
const tileWidth = 1 << tileHeight

func openCheckpoint(text []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return tlog.Tree{}, fmt.Errorf("checkpoint has %d lines", len(lines))
	}
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("origin is %q, the key is for %q", lines[0], verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] || size < 0 {
		return tlog.Tree{}, fmt.Errorf("size %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// A witness's key as x/mod's Verifier: C2SP tlog-cosignature v1 is Ed25519 over a header, the time and the text.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	hash, key, _ := strings.Cut(rest, "+")
	number, err := strconv.ParseUint(hash, 16, 32)
	if err != nil {
		return nil, err
	}
	typed, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(typed) != 33 || typed[0] != 4 {
		return nil, fmt.Errorf("not a cosigner's key: %s", vkey)
	}
	digest := sha256.Sum256(append([]byte(name+"\n"), typed...))
	if binary.BigEndian.Uint32(digest[:]) != uint32(number) {
		return nil, fmt.Errorf("the key's number is wrong")
	}
	return &cosigner{name, uint32(number), typed[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 72 {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	message := append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", seconds)), text...)
	return ed25519.Verify(c.key, message, signature[8:])
}

// A checkpoint, or a receipt's: that log and witness both signed it.
func cosigned(file, vkey, witnessKey string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if head, checkpoint, found := strings.Cut(string(text), "\n\n"); found && strings.HasPrefix(head, "c2sp.org/tlog-proof@") {
		text = []byte(checkpoint)
	}
	witness, err := newCosigner(witnessKey)
	if err != nil {
		return err
	}
	log, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	opened, err := note.Open(text, note.VerifierList(log, witness))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != 2 {
		return fmt.Errorf("%d of 2 signatures", len(opened.Sigs))
	}
	fmt.Printf("cosigned: %q\n", opened.Text)
	return nil
}

func receipt(file, vkey, bodyFile string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, checkpoint, found := strings.Cut(string(data), "\n\n")
	if !found {
		return fmt.Errorf("no checkpoint")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("first line is %q", lines[0])
	}
	lines = lines[1:]
	if len(lines) < 2 || !strings.HasPrefix(lines[0], "extra ") || !strings.HasPrefix(lines[1], "index ") {
		return fmt.Errorf("no extra or no index line")
	}
	leaf, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[0], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	tree, err := openCheckpoint([]byte(checkpoint), vkey)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	if bodyFile != "" {
		body, err := os.ReadFile(bodyFile)
		if err != nil {
			return err
		}
		var said struct {
			Object struct{ Digest, Content string }
		}
		if err := json.Unmarshal(leaf, &said); err != nil {
			return err
		}
		digest := sha256.Sum256(body)
		if given := hex.EncodeToString(digest[:]); given != said.Object.Digest && given != said.Object.Content {
			return fmt.Errorf("the receipt is for a body with digest %s", said.Object.Digest)
		}
	}
	fmt.Printf("receipt: entry %d of %d: %s\n", index, tree.N, leaf)
	return nil
}

// Where C2SP tlog-tiles keeps a tile: as x/mod's own path, but without the height.
func tilePath(directory string, tile tlog.Tile) string {
	level := strconv.Itoa(tile.L)
	if tile.L == -1 {
		level = "entries"
	}
	number := fmt.Sprintf("%03d", tile.N%1000)
	for rest := tile.N / 1000; rest > 0; rest /= 1000 {
		number = fmt.Sprintf("x%03d/%s", rest%1000, number)
	}
	if tile.W != tileWidth {
		number += fmt.Sprintf(".p/%d", tile.W)
	}
	return filepath.Join(directory, "tile", level, filepath.FromSlash(number))
}

// A partial tile may have been replaced by a wider one of a later tree.
func readTile(directory string, tile tlog.Tile) ([]byte, error) {
	data, err := os.ReadFile(tilePath(directory, tile))
	for wider := tile; os.IsNotExist(err) && wider.W < tileWidth; {
		wider.W++
		data, err = os.ReadFile(tilePath(directory, wider))
	}
	if err == nil && tile.L >= 0 {
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is short", tilePath(directory, tile))
		}
		data = data[:tile.W*tlog.HashSize]
	}
	return data, err
}

type tileFiles struct{ directory string }

func (files tileFiles) Height() int { return tileHeight }
func (files tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := readTile(files.directory, tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}
func (files tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}

func entriesOf(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle)-2 < int(bundle[0])<<8|int(bundle[1]) {
			return nil, fmt.Errorf("bundle ends inside an entry")
		}
		length := int(bundle[0])<<8 | int(bundle[1])
		entries = append(entries, bundle[2:2+length])
		bundle = bundle[2+length:]
	}
	return entries, nil
}

// The tiles of one tree size: full ones, and on each level the partial one at the edge.
func tilesOf(size int64) []tlog.Tile {
	var tiles []tlog.Tile
	for level, hashes := 0, size; hashes > 0; level, hashes = level+1, hashes>>tileHeight {
		for n := int64(0); n*tileWidth < hashes; n++ {
			width := hashes - n*tileWidth
			if width > tileWidth {
				width = tileWidth
			}
			tiles = append(tiles, tlog.Tile{H: tileHeight, L: level, N: n, W: int(width)})
		}
	}
	return tiles
}

// Builds the tree again from the entries alone, and then asks that every tile of the layout says the same.
func wholeLog(directory, vkey string) error {
	text, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, vkey)
	if err != nil {
		return err
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for first := int64(0); first < tree.N; first += tileWidth {
		width := tree.N - first
		if width > tileWidth {
			width = tileWidth
		}
		exact := tlog.Tile{H: tileHeight, L: -1, N: first / tileWidth, W: int(width)}
		bundle, err := os.ReadFile(tilePath(directory, exact))
		if err != nil {
			return err
		}
		entries, err := entriesOf(bundle)
		if err != nil {
			return err
		}
		if int64(len(entries)) != width {
			return fmt.Errorf("bundle %d has %d entries instead of %d", exact.N, len(entries), width)
		}
		for i, entry := range entries {
			hashes, err := tlog.StoredHashes(first+int64(i), entry, reader)
			if err != nil {
				return err
			}
			stored = append(stored, hashes...)
		}
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return err
	}
	if tree.N > 0 && root != tree.Hash {
		return fmt.Errorf("the entries lead to root %v, the checkpoint signs %v", root, tree.Hash)
	}
	tiles := 0
	for _, tile := range tilesOf(tree.N) {
		want, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(tilePath(directory, tile))
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s is not what the entries lead to", tilePath(directory, tile))
		}
		tiles++
	}
	fmt.Printf("log: %d entries, %d tiles, root %v\n", tree.N, tiles, tree.Hash)
	return nil
}

func consistency(directory, oldFile, newFile, vkey string) error {
	var trees [2]tlog.Tree
	for i, file := range []string{oldFile, newFile} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if trees[i], err = openCheckpoint(text, vkey); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	older, newer := trees[0], trees[1]
	if older.N == 0 {
		return nil
	}
	// The reader itself proves every tile it uses against the newer root.
	proof, err := tlog.ProveTree(newer.N, older.N, tlog.TileHashReader(newer, tileFiles{directory}))
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash); err != nil {
		return err
	}
	fmt.Printf("consistent: %d is the beginning of %d\n", older.N, newer.N)
	return nil
}

func main() {
	arguments := os.Args[1:]
	var err error
	switch {
	case len(arguments) == 3 && arguments[0] == "receipt":
		err = receipt(arguments[1], arguments[2], "")
	case len(arguments) == 4 && arguments[0] == "receipt":
		err = receipt(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 3 && arguments[0] == "log":
		err = wholeLog(arguments[1], arguments[2])
	case len(arguments) == 4 && arguments[0] == "cosigned":
		err = cosigned(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 5 && arguments[0] == "consistency":
		err = consistency(arguments[1], arguments[2], arguments[3], arguments[4])
	default:
		fmt.Fprintln(os.Stderr, "usage: verifier receipt FILE VKEY [BODY] | log DIR VKEY | consistency DIR OLD NEW VKEY | cosigned FILE VKEY WITNESS")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "not verified:", err)
		os.Exit(1)
	}
}
