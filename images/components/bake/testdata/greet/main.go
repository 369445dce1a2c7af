// greet prints what another layer of its image says: the smallest program that proves an image to be put together rightly.
package main

import (
	"fmt"
	"os"
)

func main() {
	text, err := os.ReadFile("/greeting")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(string(text))
}
