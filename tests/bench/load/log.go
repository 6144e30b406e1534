package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// A log of made-up leaves in the layout of docs/formats/log.md with a key of its own, as large as one wants; and the same
// events as a journal in systemd's export format, so that both verifiers read the same number of entries.

func tilePath(level string, index, width int) string {
	name := fmt.Sprintf("%03d", index%1000)
	for rest := index / 1000; rest > 0; rest /= 1000 {
		name = fmt.Sprintf("x%03d/", rest%1000) + name
	}
	path := "tile/" + level + "/" + name
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return path
}

type exporter struct {
	directory string
	sums      []string
}

func (e *exporter) write(path string, content []byte) error {
	full := filepath.Join(e.directory, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return err
	}
	digest := sha256.Sum256(content)
	e.sums = append(e.sums, hex.EncodeToString(digest[:])+"  "+path+"\n")
	return os.WriteFile(full, content, 0o644)
}

func (e *exporter) tiles(level string, hashes []byte) error {
	for index := 0; index*8192 < len(hashes); index++ {
		end := (index + 1) * 8192
		if end > len(hashes) {
			end = len(hashes)
		}
		if err := e.write(tilePath(level, index, (end-index*8192)/32), hashes[index*8192:end]); err != nil {
			return err
		}
	}
	return nil
}

// root is the RFC 6962 hash over leaves.
func root(leaves [][32]byte) [32]byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	left := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	return nodeHash(root(leaves[:left]), root(leaves[left:]))
}

func makeLog(directory, journal string, count int) error {
	out := &exporter{directory: directory}
	events, err := os.Create(journal)
	if err != nil {
		return err
	}
	defer events.Close()
	lines := bufio.NewWriterSize(events, 1<<20)
	hashes := make([][32]byte, 0, count)
	var bundle []byte
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := 0; i < count; i++ {
		at = at.Add(time.Millisecond)
		var random [112]byte
		if _, err := rand.Read(random[:]); err != nil {
			return err
		}
		id, digest, content := hex.EncodeToString(random[:16]), hex.EncodeToString(random[16:48]), hex.EncodeToString(random[48:80])
		entry := fmt.Sprintf(`{"action":"submit","catalog":"administrative-penalty","counts":{"defective":0,"duplicate":0,"records":10,`+
			`"stored":10,"warned":0},"name":"%s","node":"bench","object":{"content":"%s","digest":"%s","id":"%s","type":"submission"},`+
			`"principal":"m-0001","result":"accepted","role":"submitter","salt":"%s","source":"127.0.0.1","time":"%s",`+
			`"unit":"112199000000000198","v":1}`, hex.EncodeToString(random[80:]), content, digest, id,
			base64.StdEncoding.EncodeToString(random[:16]), at.Format("2006-01-02T15:04:05.000Z"))
		hashes = append(hashes, leafHash([]byte(entry)))
		bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
		bundle = append(bundle, entry...)
		if len(hashes)%256 == 0 || len(hashes) == count {
			if err := out.write(tilePath("entries", i/256, i%256+1), bundle); err != nil {
				return err
			}
			bundle = nil
		}
		fmt.Fprintf(lines, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032x\nPRIORITY=6\n_UID=991\n_COMM=xinfu-vault\n"+
			"MESSAGE=%s\nXINFU_LEAF=%d\nXINFU_SUBMISSION=%s\nXINFU_PRINCIPAL=m-0001\n\n", at.UnixMicro(), i+1, 1, entry, i, id)
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	level := hashes
	for number := 0; len(level) > 0; number++ {
		flat := make([]byte, 0, len(level)*32)
		for _, hash := range level {
			flat = append(flat, hash[:]...)
		}
		if err := out.tiles(fmt.Sprint(number), flat); err != nil {
			return err
		}
		var next [][32]byte
		for i := 0; i+256 <= len(level); i += 256 {
			next = append(next, root(level[i:i+256]))
		}
		level = next
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	typed := append([]byte{1}, public...)
	number := sha256.Sum256(append([]byte("bench/log\n"), typed...))
	top := root(hashes)
	text := fmt.Sprintf("bench/log\n%d\n%s\n", count, base64.StdEncoding.EncodeToString(top[:]))
	signature := append(append([]byte{}, number[:4]...), ed25519.Sign(private, []byte(text))...)
	note := text + "\n\u2014 bench/log " + base64.StdEncoding.EncodeToString(signature) + "\n"
	if err := out.write("checkpoint", []byte(note)); err != nil {
		return err
	}
	sort.Strings(out.sums)
	var sums []byte
	for _, line := range out.sums {
		sums = append(sums, line...)
	}
	if err := os.WriteFile(filepath.Join(directory, "SHA256SUMS"), sums, 0o644); err != nil {
		return err
	}
	fmt.Printf("bench/log+%x+%s\n", number[:4], base64.StdEncoding.EncodeToString(typed))
	return nil
}
