package lan

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

const crowd = 200

// runCrowd is two hundred printers, speakers and the like, each with an address of
// its own on eth0: each says something about every second, unasked, and all answer
// every question. It begins with a line of its standard input, and ends with the rest.
func runCrowd() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan() // its addresses are there
	ifi, err := net.InterfaceByName("eth0")
	if err != nil {
		log.Error("cannot be a crowd", "err", err)
		os.Exit(1)
	}
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	asked, err := net.ListenMulticastUDP("udp4", ifi, group)
	if err != nil {
		log.Error("cannot be a crowd", "err", err)
		os.Exit(1)
	}
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			_ = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)})
		})
	}}
	var wake []chan struct{}
	for i := range crowd {
		conn, err := shared.ListenPacket(context.Background(), "udp4", fmt.Sprintf("10.1.200.%d:5353", i))
		if err != nil {
			log.Error("cannot be a crowd", "err", err)
			os.Exit(1)
		}
		w := make(chan struct{}, 1)
		wake = append(wake, w)
		go func() {
			for {
				if _, err := conn.WriteTo(stranger(i), group); err != nil {
					log.Error("cannot chat", "err", err)
					os.Exit(1)
				}
				select {
				case <-w:
				case <-time.After(500*time.Millisecond + rand.N(time.Second)):
				}
			}
		}()
	}
	go func() {
		buf := make([]byte, 9000)
		for {
			size, _, err := asked.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if size > 3 && buf[2]&0x80 == 0 { // a question: all talk at once
				for _, w := range wake {
					select {
					case w <- struct{}{}:
					default:
					}
				}
			}
		}
	}()
	fmt.Println(`{"Ready":true}`)
	lines.Scan()
	os.Exit(0)
}

// stranger is what the ith has to say.
func stranger(i int) []byte {
	kind := []string{"_ipp._tcp", "_googlecast._tcp", "_airplay._tcp", "_workstation._tcp", "_upsctl._tcp"}[i%5]
	name := fmt.Sprintf("Device\\032%d.%s.local.", i, kind)
	host := fmt.Sprintf("device%d.local.", i)
	m := dns.Msg{}
	m.Response, m.Authoritative = true, true
	for _, text := range []string{
		fmt.Sprintf("%s.local. 4500 IN PTR %s", kind, name),
		fmt.Sprintf("_services._dns-sd._udp.local. 4500 IN PTR %s.local.", kind),
		fmt.Sprintf("%s 120 IN SRV 0 0 631 %s", name, host),
		fmt.Sprintf("%s 4500 IN TXT \"ty=Device %d\" \"note=somewhere\"", name, i),
		fmt.Sprintf("%s 120 IN A 10.1.200.%d", host, i),
		fmt.Sprintf("%s 120 IN NSEC %s A", host, host),
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	data, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return data
}
