//go:build never

// Never built; keeps in go.mod what is built by its import path: upstream's own program.
package main

import _ "github.com/rancher/local-path-provisioner"
