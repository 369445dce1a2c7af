//go:build never

// Never built; keeps in go.mod what is built by its import path: upstream's own program.
package main

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
