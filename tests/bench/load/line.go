package main

import (
	"io"
	"net"
	"os"
	"time"
)

// A line between two nodes that is as long as it is told to be: what goes in comes out `delay` later, each way, at full rate. A
// connection costs its round trip first, as a far one does.

type chunk struct {
	due  time.Time
	data []byte
}

const (
	chunkSize = 64 << 10
	onTheWay  = 4096 // chunks of one direction: 256 MiB, more than any rate here times any delay
)

// carry moves one direction until its end. Nothing arrives before `open`.
func carry(from, to *net.TCPConn, open time.Time, delay time.Duration) {
	way := make(chan chunk, onTheWay)
	go func() {
		defer close(way)
		for {
			data := make([]byte, chunkSize)
			n, err := from.Read(data)
			due := time.Now()
			if due.Before(open) {
				due = open
			}
			if n > 0 {
				way <- chunk{due.Add(delay), data[:n]}
			}
			if err != nil {
				way <- chunk{due.Add(delay), nil}
				return
			}
		}
	}()
	for piece := range way {
		time.Sleep(time.Until(piece.due))
		if piece.data == nil {
			to.CloseWrite()
		} else if _, err := to.Write(piece.data); err != nil {
			from.Close() // what is still on its way goes nowhere
		}
	}
}

// line works until its standard input ends.
func line(address, target string, delay time.Duration) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		lower, err := listener.Accept()
		if err != nil {
			return err
		}
		upper, err := net.Dial("tcp", target)
		if err != nil {
			lower.Close()
			continue
		}
		open := time.Now().Add(2 * delay)
		go carry(lower.(*net.TCPConn), upper.(*net.TCPConn), open, delay)
		go carry(upper.(*net.TCPConn), lower.(*net.TCPConn), open, delay)
	}
}
