package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// What a kubelet shows the API server: it may change its own node's status.
const (
	kubeletCertificate = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	clusterAuthority   = "/etc/kubernetes/pki/ca.crt"
)

// doubt tells the API server that nobody knows whether the node is ready. Of a
// node that comes back it still says what was true in the life before, and a
// kubelet that finds its node ready there tells of changes only each ten
// seconds; of one that is not, as soon as it is.
func doubt(ctx context.Context, server, node, certificate, authority string) error {
	own, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		return err
	}
	signer, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(signer) {
		return fmt.Errorf("%s holds no certificate", authority)
	}
	now := time.Now().UTC().Format(time.RFC3339)
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []map[string]string{{
		"type": "Ready", "status": "Unknown", "reason": "NodeComesBack",
		"message":           "the node was made from a snapshot and its kubelet has not told its status yet",
		"lastHeartbeatTime": now, "lastTransitionTime": now,
	}}}})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, server+"/api/v1/nodes/"+node+"/status", bytes.NewReader(patch))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots},
		DialContext:     direct().DialContext,
	}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return fmt.Errorf("%s: %s", response.Status, lastLines(string(body), 10))
	}
	return nil
}
