package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAdminClient(t *testing.T) {
	refused := 2
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			t.Error("it shows no certificate")
		}
		if refused > 0 {
			refused--
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintln(w, `{"type":"ADDED"}`)
	}))
	server.StartTLS()
	defer server.Close()
	server.TLS.ClientAuth = 1 // ask for one
	own := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	certificate := encode("CERTIFICATE", own.Certificate[0])
	config := "clusters:\n- cluster:\n    certificate-authority-data: " + certificate +
		"\nusers:\n- user:\n    client-certificate-data: " + certificate +
		"\n    client-key-data: " + encode("PRIVATE KEY", key) + "\n"
	client, err := adminClient(config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := begin(client, server.URL); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("got %v", err)
		}
	}
	answer, err := begin(client, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	if text, _ := io.ReadAll(answer); string(text) != "{\"type\":\"ADDED\"}\n" {
		t.Errorf("got %q", text)
	}
	if _, err := adminClient("kind: Config"); err == nil {
		t.Error("nothing was read, and all is well")
	}
}
