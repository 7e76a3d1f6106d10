package lan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/lastwatt/lastwatt/pkg/discovery"
	"github.com/lastwatt/lastwatt/pkg/wake"
)

// command is a line to a node; the first field that is set counts.
type command struct {
	Announce   *discovery.Service
	Browse     []string // kinds
	Sniff      [][]byte // what no packet may hold
	Unicast    string   // name of a service that is answered for by unicast only
	Wake       []byte   // the address of a network card to be woken
	Stop       bool     // announcing
	Interfaces []string
}

// event is a line from a node.
type event struct {
	Ready   bool
	Found   []discovery.Instance
	Stopped bool
	Packets int // sniffed
	Leak    []byte
}

// runNode is a machine on the LAN: it does what its standard input says, and ends
// with it.
func runNode() {
	n := &machine{out: json.NewEncoder(os.Stdout), log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	n.say(event{Ready: true})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			n.log.Error("cannot read a command", "err", err)
			os.Exit(1)
		}
		n.do(c)
	}
	os.Exit(0)
}

type machine struct {
	mu  sync.Mutex
	out *json.Encoder
	log *slog.Logger

	stop []func()
}

func (n *machine) say(e event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.out.Encode(e); err != nil {
		os.Exit(1)
	}
}

func (n *machine) do(c command) {
	switch {
	case c.Announce != nil:
		a := discovery.NewAnnouncer(discovery.Options{Service: *c.Announce, Interfaces: c.Interfaces, Log: n.log})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = a.Run(ctx)
		}()
		n.stop = append(n.stop, func() { cancel(); <-done })
	case c.Browse != nil:
		b := discovery.NewBrowser(discovery.BrowserOptions{Kinds: c.Browse, Interfaces: c.Interfaces, Log: n.log})
		go func() { _ = b.Run(context.Background()) }()
		go func() {
			for range b.Changed() {
				n.say(event{Found: b.Found()})
			}
		}()
	case c.Sniff != nil:
		go n.sniff(c.Sniff)
	case c.Unicast != "":
		if err := unicast(c.Unicast, n.log); err != nil {
			n.log.Error("cannot answer by unicast", "err", err)
			os.Exit(1)
		}
		n.say(event{Packets: 1})
	case c.Wake != nil:
		if err := wake.Send(context.Background(), []net.HardwareAddr{c.Wake}); err != nil {
			n.log.Error("cannot wake", "err", err)
			os.Exit(1)
		}
		n.say(event{Packets: 1})
	case c.Stop:
		for _, stop := range n.stop {
			stop()
		}
		n.stop = nil
		n.say(event{Stopped: true})
	}
}

// unicast is a responder that only ever answers whoever asks: hashicorp's server.
// Who else has its port must not take such an answer from avahi.
func unicast(name string, log *slog.Logger) error {
	ifi, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return err
	}
	var ips []net.IP
	for _, a := range addrs {
		ips = append(ips, a.(*net.IPNet).IP)
	}
	service, err := mdns.NewMDNSService(name, discovery.KindAgent, "", name+".local.", 1, ips, nil)
	if err != nil {
		return err
	}
	_, err = mdns.NewServer(&mdns.Config{Zone: service, Iface: ifi, Logger: slog.NewLogLogger(log.Handler(), slog.LevelDebug)})
	return err
}

// sniff reads all that is said on the LAN, and looks for what must not be in it.
func (n *machine) sniff(secret [][]byte) {
	packets := make(chan []byte)
	ifi, err := net.InterfaceByName("eth0")
	if err != nil {
		n.log.Error("cannot sniff", "err", err)
		os.Exit(1)
	}
	for _, group := range []string{"224.0.0.251", "ff02::fb"} {
		conn, err := net.ListenMulticastUDP("udp", ifi, &net.UDPAddr{IP: net.ParseIP(group), Port: 5353})
		if err != nil {
			n.log.Error("cannot sniff", "err", err)
			os.Exit(1)
		}
		go func() {
			buf := make([]byte, 9000)
			for {
				size, _, err := conn.ReadFrom(buf)
				if err != nil {
					return
				}
				packets <- bytes.Clone(buf[:size])
			}
		}()
	}
	count := 0
	report := time.NewTicker(100 * time.Millisecond)
	for {
		select {
		case p := <-packets:
			count++
			for _, s := range secret {
				if bytes.Contains(p, s) {
					n.say(event{Leak: s})
				}
			}
		case <-report.C:
			n.say(event{Packets: count})
		}
	}
}
