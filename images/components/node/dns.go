package main

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	nodeTTL        = 30
	forwardTimeout = 4 * time.Second
)

// resolver answers for the nodes' names and passes the rest on, or refuses it
// when the cluster must not reach the outside.
type resolver struct {
	byName    map[string][]netip.Addr // lower case, with the final period
	byReverse map[string]string
	upstream  string // empty: refuse
}

func newResolver(c *nodeConfig) *resolver {
	r := &resolver{byName: map[string][]netip.Addr{}, byReverse: map[string]string{}}
	for _, n := range c.Nodes {
		name := dns.Fqdn(n.Name)
		for _, address := range []netip.Addr{n.Address, n.Address6} {
			if !address.IsValid() {
				continue
			}
			r.byName[name] = append(r.byName[name], address)
			if reverse, err := dns.ReverseAddr(address.String()); err == nil {
				r.byReverse[reverse] = name
			}
		}
	}
	if c.Egress == egressOpen {
		r.upstream = c.Resolver
	}
	return r
}

// startDNS listens on the node's addresses only: port 53 of the loopback may be
// wanted by others, and pods reach these too.
func startDNS(n *node) error {
	r := newResolver(n.config)
	addresses := []netip.Addr{n.config.Address}
	if n.config.sixes() {
		addresses = append(addresses, n.config.Address6)
	}
	for _, address := range addresses {
		if err := r.listen(address, n.journal); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) listen(address netip.Addr, j *journal) error {
	at := net.JoinHostPort(address.String(), "53")
	packets, err := net.ListenPacket("udp", at)
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp", at)
	if err != nil {
		packets.Close()
		return err
	}
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: r}, {Listener: streams, Handler: r}} {
		go func() {
			if err := server.ActivateAndServe(); err != nil {
				j.warn("dns server stopped", err)
			}
		}()
	}
	return nil
}

// ServeDNS answers one query; the library calls it from a goroutine each.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	answer := r.local(q)
	if answer == nil {
		answer = r.forward(q, tcp)
	}
	if !tcp {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		answer.Truncate(size)
	}
	// A client that went away needs no answer.
	_ = w.WriteMsg(answer)
}

// local is the answer to what needs nobody else, or nil.
func (r *resolver) local(q *dns.Msg) *dns.Msg {
	if q.Opcode != dns.OpcodeQuery || len(q.Question) != 1 {
		return new(dns.Msg).SetRcode(q, dns.RcodeNotImplemented)
	}
	asked := q.Question[0]
	name := strings.ToLower(asked.Name)
	header := dns.RR_Header{Name: asked.Name, Rrtype: asked.Qtype, Class: dns.ClassINET, Ttl: nodeTTL}
	answer := new(dns.Msg).SetReply(q)
	answer.Authoritative, answer.RecursionAvailable = true, true
	if addresses, ok := r.byName[name]; ok {
		// Any other type exists not for this name, but the name does.
		for _, address := range addresses {
			switch {
			case asked.Qtype == dns.TypeA && address.Is4():
				answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: address.AsSlice()})
			case asked.Qtype == dns.TypeAAAA && address.Is6():
				answer.Answer = append(answer.Answer, &dns.AAAA{Hdr: header, AAAA: address.AsSlice()})
			}
		}
		return answer
	}
	if target, ok := r.byReverse[name]; ok {
		if asked.Qtype == dns.TypePTR {
			answer.Answer = []dns.RR{&dns.PTR{Hdr: header, Ptr: target}}
		}
		return answer
	}
	if r.upstream == "" {
		return new(dns.Msg).SetRcode(q, dns.RcodeRefused)
	}
	return nil
}

// forward asks the same way it was asked, so a truncated answer makes the
// client come again by TCP.
func (r *resolver) forward(q *dns.Msg, tcp bool) *dns.Msg {
	client := dns.Client{Net: "udp", Timeout: forwardTimeout, UDPSize: dns.DefaultMsgSize}
	if tcp {
		client.Net = "tcp"
	}
	answer, _, err := client.Exchange(q, r.upstream)
	if err != nil {
		return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	answer.Id = q.Id
	return answer
}
