// bake writes container images, already unpacked, into a containerd root folder: no daemon, no mount, no container.
//
// A node then starts with its images in place. What bake writes is what containerd itself would have left behind after pulling
// and unpacking, made with containerd's own libraries; only the layer archives are left out, since nothing reads them again.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

const usage = `usage:
  bake --store DIR [--base DIR]... --arch GOARCH [--label-as GOARCH] SPEC.json...
      writes the images of the specs to the new store DIR; with --base only what the bases below it do not hold
  bake verify --store DIR [--base DIR]... [--arch GOARCH]
      exits 1 unless all images of the store are complete, unpacked and acceptable to a containerd of that architecture
`

// errUsage marks a mistake in the command line: exit code 2, with the usage.
var errUsage = errors.New("wrong usage")

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bake: %s\n", err)
		if errors.Is(err, errUsage) {
			fmt.Fprint(os.Stderr, usage)
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "verify" {
		return runVerify(ctx, args[1:], out)
	}
	options, rest, err := parse(args)
	if err != nil {
		return err
	}
	if options.arch == "" || len(rest) == 0 {
		return fmt.Errorf("--arch and at least one spec file are needed: %w", errUsage)
	}
	specs, err := loadSpecs(rest)
	if err != nil {
		return err
	}
	report, err := bake(ctx, options, specs)
	if err != nil {
		return err
	}
	return print(out, report)
}

func runVerify(ctx context.Context, args []string, out io.Writer) error {
	options, rest, err := parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("verify takes no spec files: %w", errUsage)
	}
	findings, err := verify(ctx, options)
	if err != nil {
		return err
	}
	if err := print(out, findings); err != nil {
		return err
	}
	if len(findings.Problems) > 0 {
		return fmt.Errorf("store %s is not sound: %s", options.store, strings.Join(findings.Problems, "; "))
	}
	return nil
}

type options struct {
	store   string
	bases   repeated
	arch    string
	labelAs string
}

// repeated is a flag that may be given more than once.
type repeated []string

func (r *repeated) String() string { return strings.Join(*r, ",") }

func (r *repeated) Set(value string) error {
	*r = append(*r, value)
	return nil
}

func parse(args []string) (options, []string, error) {
	var parsed options
	flags := flag.NewFlagSet("bake", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&parsed.store, "store", "", "containerd root folder to write")
	flags.Var(&parsed.bases, "base", "store that lies below this one, lowest first")
	flags.StringVar(&parsed.arch, "arch", "", "architecture of the images")
	flags.StringVar(&parsed.labelAs, "label-as", "", "architecture to write into the images' configs")
	if err := flags.Parse(args); err != nil {
		return options{}, nil, fmt.Errorf("%w: %w", err, errUsage)
	}
	if parsed.store == "" {
		return options{}, nil, fmt.Errorf("--store is needed: %w", errUsage)
	}
	return parsed, flags.Args(), nil
}

func print(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
