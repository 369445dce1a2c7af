// Prints what `e2e.test --list-images` prints, by the same calls. The tests
// themselves take minutes to build and node images need no more of them than this.
package main

import (
	"fmt"

	"k8s.io/kubernetes/test/utils/image"
)

func main() {
	for _, config := range image.GetImageConfigs() {
		fmt.Println(config.GetE2EImage())
	}
}
