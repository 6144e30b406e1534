package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"
)

// pace PUTs signed files at a steady rate, each at its own moment whether or not the one before it has been answered, over
// connections that stay open; a file's time counts from that moment. It goes on after errors and counts them.
func pace(at target, directory string, connections, rate int, logKeyText, prefix string) (result, error) {
	key, err := parseLogKey(logKeyText)
	if err != nil {
		return result{}, err
	}
	paths, err := filepath.Glob(filepath.Join(directory, "*.p7m"))
	if err != nil || len(paths) == 0 {
		return result{}, fmt.Errorf("%s: no signed files %v", directory, err)
	}
	clients, tries, err := at.clients(connections)
	if err != nil {
		return result{}, err
	}
	bodies := make([][]byte, len(paths))
	for i, path := range paths {
		if bodies[i], err = os.ReadFile(path); err != nil {
			return result{}, err
		}
	}
	took, status, receipts := make([]time.Duration, len(paths)), make([]string, len(paths)), make([]string, len(paths))
	numbers := make(chan int, len(paths))
	begin := time.Now()
	moment := func(number int) time.Time {
		return begin.Add(time.Duration(number) * time.Second / time.Duration(rate))
	}
	go func() {
		for number := range paths {
			time.Sleep(time.Until(moment(number)))
			numbers <- number
		}
		close(numbers)
	}()
	var wait sync.WaitGroup
	for _, client := range clients {
		wait.Add(1)
		go func(client *http.Client) {
			defer wait.Done()
			for number := range numbers {
				request, err := http.NewRequest("PUT", at.url+"/v1/submissions/administrative-penalty/"+prefix+
					filepath.Base(paths[number]), bytes.NewReader(bodies[number]))
				var answer *http.Response
				if err == nil {
					answer, err = client.Do(request)
				}
				if err == nil {
					var text []byte
					text, err = io.ReadAll(answer.Body)
					answer.Body.Close()
					receipts[number], status[number] = string(text), fmt.Sprint(answer.StatusCode)
				}
				if err != nil {
					status[number] = "no answer"
				}
				took[number] = time.Since(moment(number))
			}
		}(client)
	}
	wait.Wait()
	seconds := time.Since(begin).Seconds()
	out := result{Requests: len(paths), Connections: connections, Tries: tries, Seconds: seconds, PerSecond: float64(len(paths)) / seconds,
		Status: map[string]int{}}
	for number, code := range status {
		out.Status[code]++
		if code == "201" {
			said, err := key.verify(receipts[number])
			digest := sha256.Sum256(bodies[number])
			if err != nil || said.Result != "accepted" || said.Object.Digest != hex.EncodeToString(digest[:]) {
				return out, fmt.Errorf("%s: %v: %.300s", paths[number], err, receipts[number])
			}
			out.Verified++
			out.Records += said.Counts.Stored
		}
	}
	sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
	milliseconds := func(part float64) float64 { return took[int(part*float64(len(took)-1))].Seconds() * 1000 }
	out.P50, out.P99, out.Worst = milliseconds(0.5), milliseconds(0.99), milliseconds(1)
	return out, nil
}
