package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

type target struct {
	url, ca, certificate, key string
	from                      string // the address to come from; any, if empty
	tls12                     bool
}

// client has one connection of its own and keeps it.
func (t target) client() (*http.Client, error) {
	anchor, err := os.ReadFile(t.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(anchor)
	own, err := tls.LoadX509KeyPair(t.certificate, t.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}
	if t.tls12 {
		config.MaxVersion = tls.VersionTLS12
	}
	dialer := net.Dialer{}
	if t.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(t.from)}
	}
	return &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{TLSClientConfig: config, MaxConnsPerHost: 1,
		DialContext: dialer.DialContext, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}}, nil
}

// clients are n clients whose connections are open, and how often they had to try. An account may have 32 files in flight.
func (t target) clients(n int) ([]*http.Client, int, error) {
	const triesMax, pause = 100, 100 * time.Millisecond // of one
	all, tries := make([]*http.Client, n), 0
	for i := range all {
		client, err := t.client()
		if err != nil {
			return nil, tries, err
		}
		var answer *http.Response
		for own := 1; ; own++ {
			tries++
			if answer, err = client.Get(t.url + "/v1/catalogs"); err == nil {
				break
			}
			if own == triesMax {
				return nil, tries, err
			}
			time.Sleep(pause)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		all[i] = client
	}
	return all, tries, nil
}

type result struct {
	Requests    int            `json:"requests"`
	Connections int            `json:"connections"`
	Tries       int            `json:"connection_tries,omitempty"`
	Seconds     float64        `json:"seconds"`
	PerSecond   float64        `json:"per_second"`
	P50         float64        `json:"p50_ms"`
	P99         float64        `json:"p99_ms"`
	Worst       float64        `json:"worst_ms"`
	Status      map[string]int `json:"status"`
	Verified    int            `json:"receipts_verified,omitempty"`
	Records     int            `json:"records_stored,omitempty"`
}

// group is one sender: its connections, and the numbers from `first` to `end`-1 that it works through.
type group struct {
	clients    []*http.Client
	first, end int
}

// run has every client of every group do the next number of its group, one request in flight each, and measures.
func run(groups []group, each func(client *http.Client, number int) (int, error)) (result, error) {
	n, connections := groups[len(groups)-1].end, 0
	took := make([]time.Duration, n)
	status := make([]int, n)
	var failure atomic.Value
	var wait sync.WaitGroup
	begin := time.Now()
	for _, sender := range groups {
		next := int64(sender.first)
		connections += len(sender.clients)
		for _, client := range sender.clients {
			wait.Add(1)
			go func(client *http.Client, end int) {
				defer wait.Done()
				for {
					number := int(atomic.AddInt64(&next, 1)) - 1
					if number >= end {
						return
					}
					start := time.Now()
					code, err := each(client, number)
					took[number], status[number] = time.Since(start), code
					if err != nil {
						failure.CompareAndSwap(nil, err.Error())
					}
				}
			}(client, sender.end)
		}
	}
	wait.Wait()
	seconds := time.Since(begin).Seconds()
	if text, ok := failure.Load().(string); ok {
		return result{}, errors.New(text)
	}
	sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
	milliseconds := func(part float64) float64 { return took[int(part*float64(n-1))].Seconds() * 1000 }
	out := result{Requests: n, Connections: connections, Seconds: seconds, PerSecond: float64(n) / seconds,
		P50: milliseconds(0.5), P99: milliseconds(0.99), Worst: milliseconds(1), Status: map[string]int{}}
	for _, code := range status {
		out.Status[fmt.Sprint(code)]++
	}
	return out, nil
}

// send PUTs every signed file of the senders' directories, `connections` at a time each, counts the receipts, and verifies
// all of them after the clock has stopped. The first 20 receipts go to `samples`, for a verifier that is not this program.
func send(senders []target, directories []string, connections int, logKeyText, samples, prefix string) (result, error) {
	key, err := parseLogKey(logKeyText)
	if err != nil {
		return result{}, err
	}
	var groups []group
	var paths []string
	for i, sender := range senders {
		found, err := filepath.Glob(filepath.Join(directories[i], "*.p7m"))
		if err != nil || len(found) == 0 {
			return result{}, fmt.Errorf("%s: no signed files %v", directories[i], err)
		}
		clients, _, err := sender.clients(connections)
		if err != nil {
			return result{}, err
		}
		groups = append(groups, group{clients, len(paths), len(paths) + len(found)})
		paths = append(paths, found...)
	}
	bodies, receipts := make([][]byte, len(paths)), make([]string, len(paths))
	for i, path := range paths {
		if bodies[i], err = os.ReadFile(path); err != nil {
			return result{}, err
		}
	}
	out, err := run(groups, func(client *http.Client, number int) (int, error) {
		request, err := http.NewRequest("PUT", senders[0].url+"/v1/submissions/administrative-penalty/"+prefix+
			filepath.Base(paths[number]), bytes.NewReader(bodies[number]))
		if err != nil {
			return 0, err
		}
		answer, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		receipts[number] = string(text)
		return answer.StatusCode, err
	})
	if err != nil {
		return out, err
	}
	for i, receipt := range receipts {
		said, err := key.verify(receipt)
		digest := sha256.Sum256(bodies[i])
		if err != nil || said.Result != "accepted" || said.Object.Digest != hex.EncodeToString(digest[:]) {
			return out, fmt.Errorf("%v: %s: %v: %.300s", out.Status, paths[i], err, receipt)
		}
		out.Verified++
		out.Records += said.Counts.Stored
		if i < 20 && samples != "" {
			if err = os.WriteFile(filepath.Join(samples, filepath.Base(paths[i])+".receipt"), []byte(receipt), 0o644); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// query asks for `count` subjects out of `of` that were handed in, one after the other; each must have a record.
func query(t target, token string, first, of, count int) (result, error) {
	clients, _, err := t.clients(1)
	if err != nil {
		return result{}, err
	}
	return run([]group{{clients, 0, count}}, func(client *http.Client, number int) (int, error) {
		subject := creditCode(first + number*7919%of)
		body, err := json.Marshal(map[string]string{"subject": subject, "purpose": "measurement"})
		if err != nil {
			return 0, err
		}
		request, err := http.NewRequest("POST", t.url+"/v1/records/administrative-penalty/query", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		var found struct{ Records []json.RawMessage }
		if err == nil && (json.Unmarshal(text, &found) != nil || len(found.Records) != 1) {
			err = fmt.Errorf("%s: %d %.300s", subject, answer.StatusCode, text)
		}
		return answer.StatusCode, err
	})
}
