package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const adminConf = "/etc/kubernetes/admin.conf"

// runWatch prints what the API server tells at a path until it ends the
// answer, as kubectl would at a tenth of the cost: its process id first, then
// the answer's lines. It asks until the server lets it watch.
func runWatch(args []string) error {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	timeout := flags.Duration("timeout", time.Minute, "how long to wait for the server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("give one path")
	}
	config, err := os.ReadFile(adminConf)
	if err != nil {
		return err
	}
	client, err := adminClient(string(config))
	if err != nil {
		return fmt.Errorf("%s: %w", adminConf, err)
	}
	if _, err := fmt.Println(os.Getpid()); err != nil {
		return err
	}
	url := "https://" + net.JoinHostPort("127.0.0.1", apiPort) + flags.Arg(0)
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	var answer io.ReadCloser
	if err := until(ctx, probeInterval, func(context.Context) error {
		answer, err = begin(client, url)
		return err
	}); err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(os.Stdout, answer)
	return err
}

// begin asks, and gives the answer if the server grants it. It may be read for
// as long as it comes, so no deadline applies.
func begin(client *http.Client, url string) (io.ReadCloser, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return nil, fmt.Errorf("%s: %s: %s", url, resp.Status, lastLines(string(body), 3))
	}
	return resp.Body, nil
}

// adminClient has the rights of the administrator, whose file kubeadm wrote.
func adminClient(config string) (*http.Client, error) {
	var fields [3][]byte
	for i, name := range []string{"certificate-authority-data", "client-certificate-data", "client-key-data"} {
		for line := range strings.Lines(config) {
			value, found := strings.CutPrefix(strings.TrimSpace(line), name+": ")
			if !found {
				continue
			}
			data, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			fields[i] = data
		}
		if fields[i] == nil {
			return nil, fmt.Errorf("no %s", name)
		}
	}
	pair, err := tls.X509KeyPair(fields[1], fields[2])
	if err != nil {
		return nil, err
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM(fields[0]) {
		return nil, fmt.Errorf("no certificate in certificate-authority-data")
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: authority, Certificates: []tls.Certificate{pair}},
		TLSHandshakeTimeout: probeTimeout,
	}}, nil
}
