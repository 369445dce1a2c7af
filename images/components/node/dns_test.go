package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// serve listens on loopback by both protocols, at one port.
func serve(t *testing.T, handler dns.Handler) string {
	t.Helper()
	streams, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := streams.Addr().String()
	packets, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: streams, Handler: handler}, {PacketConn: packets, Handler: handler}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return at
}

func ask(t *testing.T, network, at, name string, kind uint16) *dns.Msg {
	t.Helper()
	client := dns.Client{Net: network, Timeout: 5 * time.Second}
	answer, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, kind), at)
	if err != nil {
		t.Fatalf("%s %s: %v", network, name, err)
	}
	return answer
}

func TestNodeNames(t *testing.T) {
	at := serve(t, newResolver(sample(t, `"open"`, `"closed"`)))
	for _, network := range []string{"udp", "tcp"} {
		for _, name := range []string{"a-worker-1.", "A-Worker-1."} {
			answer := ask(t, network, at, name, dns.TypeA)
			if len(answer.Answer) != 1 || !answer.Authoritative {
				t.Fatalf("%s %s: %v", network, name, answer)
			}
			a, ok := answer.Answer[0].(*dns.A)
			if !ok || a.A.String() != "10.89.7.11" || a.Hdr.Name != name {
				t.Errorf("%s %s: %v", network, name, answer.Answer)
			}
		}
	}
	six := ask(t, "udp", at, "a-worker-1.", dns.TypeAAAA)
	if six.Rcode != dns.RcodeSuccess || len(six.Answer) != 0 {
		t.Errorf("AAAA: %v", six)
	}
	back := ask(t, "udp", at, "11.7.89.10.in-addr.arpa.", dns.TypePTR)
	if len(back.Answer) != 1 || back.Answer[0].(*dns.PTR).Ptr != "a-worker-1." {
		t.Errorf("PTR: %v", back)
	}
}

func TestNodesOfBothVersions(t *testing.T) {
	at := serve(t, newResolver(sample(t, sixth...)))
	if four := ask(t, "udp", at, "a-worker-1.", dns.TypeA); len(four.Answer) != 1 {
		t.Errorf("A: %v", four)
	}
	six := ask(t, "udp", at, "a-worker-1.", dns.TypeAAAA)
	if len(six.Answer) != 1 || six.Answer[0].(*dns.AAAA).AAAA.String() != "fd89:6b63:7::11" {
		t.Errorf("AAAA: %v", six)
	}
	reverse, err := dns.ReverseAddr("fd89:6b63:7::10")
	if err != nil {
		t.Fatal(err)
	}
	back := ask(t, "udp", at, reverse, dns.TypePTR)
	if len(back.Answer) != 1 || back.Answer[0].(*dns.PTR).Ptr != "a-control-plane." {
		t.Errorf("PTR: %v", back)
	}
}

func TestClosedRefusesTheRest(t *testing.T) {
	at := serve(t, newResolver(sample(t, `"open"`, `"closed"`)))
	for _, name := range []string{"example.com.", "a-worker-1.example.com.", "1.0.0.127.in-addr.arpa."} {
		if got := ask(t, "udp", at, name, dns.TypeA); got.Rcode != dns.RcodeRefused || len(got.Answer) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// upstream answers with as many addresses as the first label says.
func upstream(w dns.ResponseWriter, q *dns.Msg) {
	answer := new(dns.Msg).SetReply(q)
	name := q.Question[0].Name
	var count int
	if _, err := fmt.Sscanf(name, "n%d.", &count); err != nil {
		answer.Rcode = dns.RcodeNameError
	}
	for i := range count {
		answer.Answer = append(answer.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 5},
			A:   net.IPv4(192, 0, 2, byte(i)),
		})
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		answer.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(answer)
}

func TestOpenForwards(t *testing.T) {
	up := serve(t, dns.HandlerFunc(upstream))
	at := serve(t, newResolver(sample(t, `"egress"`, `"resolver": "`+up+`", "egress"`)))
	for _, network := range []string{"udp", "tcp"} {
		if got := ask(t, network, at, "n2.example.com.", dns.TypeA); len(got.Answer) != 2 {
			t.Errorf("%s: %v", network, got)
		}
		if got := ask(t, network, at, "missing.example.com.", dns.TypeA); got.Rcode != dns.RcodeNameError {
			t.Errorf("%s: %v", network, got)
		}
		// Names of nodes never go up.
		if got := ask(t, network, at, "a-worker-1.", dns.TypeA); len(got.Answer) != 1 {
			t.Errorf("%s: %v", network, got)
		}
	}
	// What does not fit a datagram is said to be cut, and whole by TCP.
	if got := ask(t, "udp", at, "n100.example.com.", dns.TypeA); !got.Truncated {
		t.Errorf("not marked as truncated: %d answers", len(got.Answer))
	}
	if got := ask(t, "tcp", at, "n100.example.com.", dns.TypeA); got.Truncated || len(got.Answer) != 100 {
		t.Errorf("by tcp: %d answers", len(got.Answer))
	}
}

func TestSilentUpstreamIsAServerFailure(t *testing.T) {
	// A closed port answers at once that nobody listens.
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := listener.LocalAddr().String()
	listener.Close()
	at := serve(t, newResolver(sample(t, `"egress"`, `"resolver": "`+gone+`", "egress"`)))
	if got := ask(t, "udp", at, "example.com.", dns.TypeA); got.Rcode != dns.RcodeServerFailure {
		t.Errorf("got %v", got)
	}
}

func TestOddQueries(t *testing.T) {
	at := serve(t, newResolver(sample(t)))
	q := new(dns.Msg).SetQuestion("a-worker-1.", dns.TypeA)
	q.Opcode = dns.OpcodeUpdate
	answer, err := dns.Exchange(q, at)
	if err != nil || answer.Rcode != dns.RcodeNotImplemented {
		t.Errorf("got %v, %v", answer, err)
	}
	if strings.Contains(fmt.Sprint(answer), "10.89.7.11") {
		t.Error("an update was answered as a query")
	}
}
