package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// plumbingVariable names the folder that holds containerd, ctr and the runc shim, built as ../plumbing/README.md says.
const plumbingVariable = "KCLUSTER_PLUMBING"

// nodeConfig is the part of a node's configuration that matters here, with all paths inside the test's folder.
const nodeConfig = `version = 3
root = %[1]q
state = "%[2]s/state"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[grpc]
  address = "%[2]s/sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "example.test/one:1"
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["%[2]s/cni"]
  conf_dir = "%[2]s/cni"
[plugins.'io.containerd.internal.v1.opt']
  path = "%[2]s/opt"
`

// TestAContainerdTakesTheStoreAsItsOwn starts a real containerd on copies of the databases and links to everything else, the way
// a node does, asks its CRI service for the images, and runs a container of each.
func TestAContainerdTakesTheStoreAsItsOwn(t *testing.T) {
	plumbing := os.Getenv(plumbingVariable)
	if plumbing == "" {
		t.Skipf("%s is not set: give it the folder with containerd, ctr and containerd-shim-runc-v2", plumbingVariable)
	}
	if os.Getuid() != 0 {
		t.Skip("containerd needs root")
	}
	// Short, because the path of a socket may not be long.
	folder, err := os.MkdirTemp("", "bake-node-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(folder)) })
	root := filepath.Join(folder, "root")
	stores, second := twoStores(t, folder)
	must(t, layBases(root, stores))
	before := listing(t, folder)
	startContainerd(t, plumbing, folder, root)

	ctr := func(args ...string) string {
		t.Helper()
		return output(t, filepath.Join(plumbing, "ctr"), append([]string{"--address", folder + "/sock", "--namespace", namespace}, args...)...)
	}
	seen := criImages(t, folder+"/sock")
	for _, ref := range []string{"example.test/one:1", "example.test/two:2"} {
		if !slices.Contains(seen, ref) {
			t.Errorf("CRI service knows %v, not %s", seen, ref)
		}
		if got := ctr("run", "--rm", ref, "test"+ref[len(ref)-1:]); got != "hello from "+ref+"\n" {
			t.Errorf("container of %s said %q", ref, got)
		}
	}
	checked := ctr("images", "check", "--snapshotter", snapshotterName)
	if count := strings.Count(checked, "true"); count != 6 {
		t.Errorf("want six names, all unpacked, got\n%s", checked)
	}
	// Removing one name of three wakes the garbage collector, which must find nothing to take.
	ctr("images", "rm", "--sync", "example.test/two@"+second.Manifest)
	if tree := ctr("snapshots", "--snapshotter", snapshotterName, "tree"); strings.Count(tree, "sha256:") != 3 {
		t.Errorf("want three snapshots, got\n%s", tree)
	}
	if got := ctr("run", "--rm", "example.test/two:2", "again"); got != "hello from example.test/two:2\n" {
		t.Errorf("after garbage collection the container said %q", got)
	}
	if after := listing(t, folder); !slices.Equal(before, after) {
		t.Errorf("stores changed from %v to %v", before, after)
	}
}

// twoStores is a base with one image and a store on top of it with another that shares its first layer. Both say that they are
// foreign and are labelled as native, which is what makes a native containerd take them.
func twoStores(t *testing.T, folder string) ([]string, imageReport) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "greet")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./testdata/greet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("test program does not build: %s", out)
	}
	common := layerFile(t, entry{name: "greet", body: read(t, program), mode: 0o755})
	image := func(ref string) object {
		return object{"images": []object{{
			"refs": []string{ref}, "platform": object{"architecture": "mips64le"}, "labelAs": runtime.GOARCH, "config": object{"Entrypoint": []string{"/greet"}},
			"layers": []string{common, layerFile(t, entry{name: "greeting", body: "hello from " + ref + "\n"})},
		}}}
	}
	base, above := filepath.Join(folder, "base"), filepath.Join(folder, "above")
	bakeTest(t, base, image("example.test/one:1"))
	result := bakeTest(t, above, image("example.test/two:2"), "--base", base)
	return []string{base, above}, result.Images[0]
}

func startContainerd(t *testing.T, plumbing, folder, root string) {
	t.Helper()
	config := filepath.Join(folder, "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, nodeConfig, root, folder), 0o600))
	log, err := os.Create(filepath.Join(folder, "log"))
	must(t, err)
	daemon := exec.Command(filepath.Join(plumbing, "containerd"), "--config", config)
	daemon.Env = append(os.Environ(), "PATH="+plumbing+":"+os.Getenv("PATH"))
	daemon.Stdout, daemon.Stderr = log, log
	must(t, daemon.Start())
	t.Cleanup(func() {
		must(t, daemon.Process.Signal(syscall.SIGTERM))
		if err := daemon.Wait(); err != nil {
			t.Errorf("containerd did not end well: %s", err)
		}
		if t.Failed() {
			t.Log(read(t, log.Name()))
		}
	})
}

// criImages are the tags that a kubelet would see. It waits until containerd answers.
func criImages(t *testing.T, socket string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	quick := backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond}
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}))
	must(t, err)
	defer connection.Close()
	answer, err := cri.NewImageServiceClient(connection).ListImages(ctx, &cri.ListImagesRequest{}, grpc.WaitForReady(true))
	must(t, err)
	var tags []string
	for _, image := range answer.GetImages() {
		tags = append(tags, image.GetRepoTags()...)
		if image.GetSize() == 0 {
			t.Errorf("CRI service says that %v has no size", image.GetRepoTags())
		}
	}
	return tags
}

// listing is every path of both stores, which no containerd may touch.
func listing(t *testing.T, folder string) []string {
	t.Helper()
	return slices.Concat(paths(t, filepath.Join(folder, "base")), paths(t, filepath.Join(folder, "above")))
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var problems strings.Builder
	command := exec.Command(name, args...)
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %v: %s\n%s", filepath.Base(name), args, err, problems.String())
	}
	return string(out)
}
