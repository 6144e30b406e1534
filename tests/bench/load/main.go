// load makes what the measurements send and sends it: signed files of distinct records, requests on kept connections, logs of any
// size. It uses Go's own library alone, and counts and verifies what comes back. tests/bench/run.sh builds and calls it.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// signFiles makes `count` signed files of `records` records each.
func signFiles(s signer, directory, unit string, first, count, records, octets int) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	work, failures := make(chan int), make(chan error, count)
	var wait sync.WaitGroup
	for i := 0; i < runtime.NumCPU(); i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for number := range work {
				var content, message bytes.Buffer
				err := writeRows(&content, unit, first+number*records, records, octets)
				if err == nil {
					err = s.sign(&message, &content, int64(content.Len()))
				}
				if err == nil {
					err = os.WriteFile(filepath.Join(directory, fmt.Sprintf("%08d.p7m", first+number*records)), message.Bytes(), 0o644)
				}
				if err != nil {
					failures <- err
				}
			}
		}()
	}
	for number := 0; number < count; number++ {
		work <- number
	}
	close(work)
	wait.Wait()
	close(failures)
	return <-failures
}

// signOne makes one signed file of `count` records, and its content beside it.
func signOne(s signer, path, unit string, first, count, octets int) error {
	content, err := os.Create(path + ".csv")
	if err != nil {
		return err
	}
	defer content.Close()
	if err := writeRows(content, unit, first, count, octets); err != nil {
		return err
	}
	length, err := content.Seek(0, 1)
	if err != nil {
		return err
	}
	if _, err = content.Seek(0, 0); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	if err := s.sign(buffered, content, length); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return out.Close()
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: load files|file|send|pace|hold|relay|line|query|log [options]")
		os.Exit(2)
	}
	options := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	text := func(name string) *string { return options.String(name, "", "") }
	number := func(name string, value int) *int { return options.Int(name, value, "") }
	url, ca, certificate, key := text("url"), text("ca"), text("cert"), text("key")
	directory, out, unit, logKeyText := text("dir"), text("out"), text("unit"), text("log-key")
	samples, prefix, token, journal := text("samples"), text("prefix"), text("token"), text("journal")
	first, count, records, octets := number("first", 1), number("count", 1), number("records", 10), number("octets", 0)
	connections, of, rate := number("connections", 1), number("of", 1), number("rate", 100)
	again := number("again", 100)
	from, listen, delay := text("from"), text("listen"), options.Duration("delay", 0, "")
	kind, sources, seconds, interval := text("kind"), number("sources", 1), number("seconds", 60), number("interval", 5)
	tls12 := options.Bool("tls12", false, "")
	options.Parse(os.Args[2:])
	at := target{*url, *ca, *certificate, *key, *from, *tls12}

	var measured result
	var err error
	report := false
	switch os.Args[1] {
	case "files", "file":
		var s signer
		if s, err = loadSigner(*certificate, *key); err != nil {
			break
		}
		if os.Args[1] == "files" {
			err = signFiles(s, *directory, *unit, *first, *count, *records, *octets)
		} else {
			err = signOne(s, *out, *unit, *first, *count, *octets)
		}
	case "send":
		var senders []target // one or more, separated by commas: certificates, keys and directories
		keys := strings.Split(*key, ",")
		for i, own := range strings.Split(*certificate, ",") {
			senders = append(senders, target{*url, *ca, own, keys[i], *from, *tls12})
		}
		measured, err = send(senders, strings.Split(*directory, ","), *connections, *logKeyText, *samples, *prefix)
		report = true
	case "pace":
		measured, err = pace(at, *directory, *connections, *rate, *logKeyText, *prefix)
		report = true
	case "hold":
		var held holding
		people := crowd{kind: *kind, connections: *connections, sources: *sources, rate: *rate, again: *again,
			interval: time.Duration(*interval) * time.Second}
		held, err = hold(at, people, time.Duration(*seconds)*time.Second)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(held)
		}
	case "relay":
		err = relay(at, *listen, *sources)
	case "query":
		measured, err = query(at, *token, *first, *of, *count)
		report = true
	case "line":
		err = line(*listen, *url, *delay)
	case "log":
		err = makeLog(*out, *journal, *count)
	default:
		err = fmt.Errorf("no such verb: %s", os.Args[1])
	}
	if report && err == nil {
		err = json.NewEncoder(os.Stdout).Encode(measured)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
