//go:build never

// Never built; keeps in go.mod what is built by its import path: upstream's own program.
package main

import _ "helm.sh/helm/v4/cmd/helm"
