// Package binfmt knows how the kernel finds the interpreter of a foreign program.
package binfmt

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
)

// Machine is an architecture as ELF headers and QEMU name it.
type Machine struct {
	// Arch is Go's and Kubernetes' name.
	Arch string
	// QEMU is the end of the emulator's name.
	QEMU string
	elf  elf.Machine
	big  bool
}

// Machines are those that nodes may have.
var Machines = []Machine{
	{Arch: "amd64", QEMU: "x86_64", elf: elf.EM_X86_64},
	{Arch: "arm64", QEMU: "aarch64", elf: elf.EM_AARCH64},
	{Arch: "ppc64le", QEMU: "ppc64le", elf: elf.EM_PPC64},
	{Arch: "s390x", QEMU: "s390x", elf: elf.EM_S390, big: true},
}

// Find returns the machine of that name.
func Find(arch string) (Machine, error) {
	for _, machine := range Machines {
		if machine.Arch == arch {
			return machine, nil
		}
	}
	return Machine{}, fmt.Errorf("no architecture is called %q", arch)
}

// Name is what our registration of it is called.
func (m Machine) Name() string {
	return Prefix + m.Arch
}

// Prefix begins the names of our registrations, and of no one else's.
const Prefix = "kcluster-"

// Sizes of the parts of an ELF header that tell machines apart: identity, type, machine.
const headerSize = elf.EI_NIDENT + 2 + 2

// Magic returns the header of the machine's programs, and a mask of the bits that count in it.
func (m Machine) Magic() (magic, mask []byte) {
	magic, mask = make([]byte, headerSize), make([]byte, headerSize)
	for i := range mask {
		mask[i] = 0xff
	}
	var order binary.ByteOrder = binary.LittleEndian
	data := elf.ELFDATA2LSB
	if m.big {
		order, data = binary.BigEndian, elf.ELFDATA2MSB
	}
	copy(magic, elf.ELFMAG)
	magic[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	magic[elf.EI_DATA] = byte(data)
	magic[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	// Programs for Linux say System V or GNU/Linux here; both run.
	mask[elf.EI_OSABI] = 0
	// Both fixed (2) and position-independent (3) executables.
	order.PutUint16(magic[elf.EI_NIDENT:], uint16(elf.ET_EXEC))
	order.PutUint16(mask[elf.EI_NIDENT:], 0xfffe)
	order.PutUint16(magic[elf.EI_NIDENT+2:], uint16(m.elf))
	return magic, mask
}

// Flags of our registrations: P keeps argv[0] as it was given, O and C let set-user-ID programs be what they
// are, F opens the emulator now, so that it is there in every container.
const Flags = "POCF"

// Line is what registers an interpreter for the machine.
func (m Machine) Line(interpreter string) string {
	magic, mask := m.Magic()
	return fmt.Sprintf(":%s:M::%s:%s:%s:%s", m.Name(), escape(magic), escape(mask), interpreter, Flags)
}

func escape(bytes []byte) string {
	var text strings.Builder
	for _, b := range bytes {
		fmt.Fprintf(&text, `\x%02x`, b)
	}
	return text.String()
}
