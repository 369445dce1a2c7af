package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDoubtIsToldWithTheKubeletsCertificate(t *testing.T) {
	status := http.StatusOK
	var path, who, kind string
	var patch struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, kind, who = r.URL.Path, r.Header.Get("Content-Type"), r.TLS.PeerCertificates[0].Subject.String()
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("told"))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()

	dir := t.TempDir()
	authority, own := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "own.pem")
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	write(t, own, certificate(t))
	if err := doubt(t.Context(), server.URL, "a-worker-1", own, authority); err != nil {
		t.Fatal(err)
	}
	if path != "/api/v1/nodes/a-worker-1/status" || who != "O=system:nodes" || kind != "application/strategic-merge-patch+json" {
		t.Errorf("asked for %s as %s with %s", path, who, kind)
	}
	if told := patch.Status.Conditions; len(told) != 1 || told[0].Type != "Ready" || told[0].Status != "Unknown" {
		t.Errorf("told %v", told)
	}

	status = http.StatusForbidden
	if err := doubt(t.Context(), server.URL, "a-worker-1", own, authority); err == nil || !strings.Contains(err.Error(), "told") {
		t.Errorf("a refusal is %v", err)
	}
	// Another's authority is not believed.
	write(t, authority, certificate(t))
	if err := doubt(t.Context(), server.URL, "a-worker-1", own, authority); err == nil {
		t.Error("a server nobody vouches for is told")
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	if err := doubt(t.Context(), server.URL, "a-worker-1", own, authority); err == nil {
		t.Error("no certificate is no error")
	}
}

// certificate is one that signs itself, and its key.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	template.Subject.Organization = []string{"system:nodes"}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}
