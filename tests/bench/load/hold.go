package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// crowd are peers that want to keep connections, not to say anything with them.
type crowd struct {
	kind        string
	connections int
	sources     int           // so many addresses they come from
	rate        int           // connections opened in a second, at most, until each was opened once
	again       int           // the same from then on
	interval    time.Duration // between two octets of something slow
	address     string
	config      *tls.Config
}

type holding struct {
	Wanted  int   `json:"wanted"`
	Mean    int   `json:"held_mean"` // of the time after the first connections were all opened once
	Least   int   `json:"held_least"`
	Opened  int64 `json:"opened"`
	Refused int64 `json:"refused"` // could not connect, or were closed before they had what they came for
	Ended   int64 `json:"ended"`   // by the server, after that
}

var errEnough = errors.New("enough")

// helloOnly lets the first flight of a handshake through and nothing after it.
type helloOnly struct {
	net.Conn
	wrote bool
}

func (c *helloOnly) Write(data []byte) (int, error) {
	if c.wrote {
		return 0, errEnough
	}
	c.wrote = true
	return c.Conn.Write(data)
}

// dialFrom connects from 127.x.y.z, where the number's octets are x-1, y and z.
func dialFrom(number int, address string, fewOctets bool) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(1+number>>16), byte(number>>8), byte(number))},
		Control: func(_, _ string, raw syscall.RawConn) error {
			var failure error
			err := raw.Control(func(descriptor uintptr) {
				// With bind(2) alone the kernel would look for a port that is free everywhere: 28 000 in all.
				failure = syscall.SetsockoptInt(int(descriptor), syscall.IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, 1)
				if failure == nil && fewOctets {
					failure = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
				}
			})
			if err != nil {
				return err
			}
			return failure
		}}
	return dialer.Dial("tcp", address)
}

// careless is how somebody connects who does not ask whom he talks to, and shows a certificate that was not asked for.
func (t target) careless() (string, *tls.Config, error) {
	place, err := url.Parse(t.url)
	if err != nil {
		return "", nil, err
	}
	own, err := tls.LoadX509KeyPair(t.certificate, t.key)
	if err != nil {
		return "", nil, err
	}
	return place.Host, &tls.Config{InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }}, nil
}

// begin brings a connection to where it is held; the connection to wait on, and what is said on it from then on, and how.
func (c crowd) begin(plain net.Conn) (net.Conn, []byte, []byte, error) {
	plain.SetDeadline(time.Now().Add(20 * time.Second))
	switch c.kind {
	case "tcp":
		return plain, nil, nil, nil
	case "hello": // a record that never becomes whole
		return plain, []byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, []byte{7}, nil
	case "half":
		err := tls.Client(&helloOnly{Conn: plain}, c.config).Handshake()
		if errors.Is(err, errEnough) {
			err = nil
		}
		return plain, nil, nil, err
	}
	secure := tls.Client(plain, c.config)
	if err := secure.Handshake(); err != nil {
		return nil, nil, nil, err
	}
	switch c.kind {
	case "tls":
		return secure, nil, nil, nil
	case "head":
		return secure, []byte("GET /v1/catalogs HTTP/1.1\r\nHost: slow\r\n"), []byte("X-A: b\r\n"), nil
	case "body":
		name := fmt.Sprintf("slow-%d.p7m", time.Now().UnixNano())
		return secure, []byte("PUT /v1/submissions/administrative-penalty/" + name +
			" HTTP/1.1\r\nHost: slow\r\nContent-Length: 1000000\r\n\r\n\x30\x80"), []byte{6}, nil
	case "read":
		return secure, []byte(strings.Repeat("GET /v1/catalogs/administrative-penalty HTTP/1.1\r\nHost: slow\r\n\r\n", 200)), nil, nil
	}
	return nil, nil, nil, fmt.Errorf("no such kind of connection: %s", c.kind)
}

// keep holds a connection until the other side ends it or `until` is there.
func (c crowd) keep(connection net.Conn, say, slowly []byte, until time.Time) {
	connection.SetDeadline(until)
	if _, err := connection.Write(say); err != nil {
		return
	}
	if c.kind == "read" {
		few := make([]byte, 5)
		for time.Now().Before(until) {
			if _, err := connection.Read(few); err != nil {
				return
			}
			time.Sleep(c.interval)
		}
		return
	}
	if slowly != nil {
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			tick := time.NewTicker(c.interval)
			defer tick.Stop()
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
					if _, err := connection.Write(slowly); err != nil {
						return
					}
				}
			}
		}()
	}
	io.Copy(io.Discard, connection)
}

// hold keeps all connections for that long, and opens each one anew that is ended.
func hold(at target, c crowd, duration time.Duration) (holding, error) {
	out := holding{Wanted: c.connections}
	var err error
	if c.address, c.config, err = at.careless(); err != nil {
		return out, err
	}
	var held, refused, ended, opened, tried int64
	until := time.Now().Add(duration)
	turns := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		const beats = 20 // a second
		tick := time.NewTicker(time.Second / beats)
		defer tick.Stop()
		for range tick.C {
			rate := c.rate
			if atomic.LoadInt64(&tried) >= int64(c.connections) {
				rate = c.again
			}
			for i := 0; i < (rate+beats-1)/beats; i++ {
				select {
				case turns <- struct{}{}:
				case <-stop:
					return
				}
			}
		}
	}()
	var wait sync.WaitGroup
	for number := 0; number < c.connections; number++ {
		wait.Add(1)
		go func(number int) {
			defer wait.Done()
			for first := true; ; first = false {
				select {
				case <-turns:
				case <-stop:
					return
				}
				connection, err := dialFrom(1+number%c.sources, c.address, c.kind == "read")
				var say, slowly []byte
				plain := connection
				if err == nil {
					connection, say, slowly, err = c.begin(plain)
				}
				if first {
					atomic.AddInt64(&tried, 1)
				}
				if err != nil {
					atomic.AddInt64(&refused, 1)
				} else {
					atomic.AddInt64(&opened, 1)
					atomic.AddInt64(&held, 1)
					c.keep(connection, say, slowly, until)
					atomic.AddInt64(&held, -1)
					if time.Now().Before(until) {
						atomic.AddInt64(&ended, 1)
					}
				}
				if plain != nil {
					plain.Close()
				}
			}
		}(number)
	}
	var sum, samples int64
	least := int64(c.connections)
	for time.Now().Before(until) {
		time.Sleep(100 * time.Millisecond)
		if atomic.LoadInt64(&tried) < int64(c.connections) {
			continue
		}
		now := atomic.LoadInt64(&held)
		sum, samples = sum+now, samples+1
		if now < least {
			least = now
		}
	}
	close(stop)
	wait.Wait()
	out.Opened, out.Refused, out.Ended, out.Least = opened, refused, ended, int(least)
	if samples != 0 {
		out.Mean = int(sum / samples)
	}
	return out, nil
}

// relay gives tools that know no client certificates a way in: what comes to `listen` goes on over TLS, each connection from
// the next of so many addresses. It holds few octets on the way, so that who reads slowly here reads slowly there.
func relay(at target, listen string, sources int) error {
	address, config, err := at.careless()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	for number := 0; ; number++ {
		here, err := listener.Accept()
		if err != nil {
			return err
		}
		go func(number int) {
			defer here.Close()
			plain, err := dialFrom(1+number%sources, address, true)
			if err != nil {
				return
			}
			there := tls.Client(plain, config)
			defer there.Close()
			here.(*net.TCPConn).SetWriteBuffer(4096)
			go func() {
				io.CopyBuffer(struct{ io.Writer }{there}, here, make([]byte, 512))
				there.Close()
			}()
			io.CopyBuffer(struct{ io.Writer }{here}, there, make([]byte, 512))
		}(number)
	}
}
