//go:build tools

package main

// KWOK plays nodes and kubelets; it is built from this module as a program of its own.
import _ "sigs.k8s.io/kwok/cmd/kwok"
