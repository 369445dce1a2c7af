package main

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// offered are system calls that emulators are known to refuse, each tried so that it does no harm. What a kernel
// answers differs from machine to machine, so an answer means something only beside the native program's.
func offered() []check {
	checks := []check{
		{"clone3", false, call(unix.SYS_CLONE3)},
		{"bpf", false, call(unix.SYS_BPF, 1<<30)},
		{"seccomp", false, call(unix.SYS_SECCOMP, 1<<30)},
		{"seccomp by prctl", false, func() error { return unix.Prctl(unix.PR_GET_SECCOMP, 0, 0, 0, 0) }},
		{"keyctl", false, call(unix.SYS_KEYCTL, 1<<30)},
		{"perf_event_open", false, call(unix.SYS_PERF_EVENT_OPEN)},
		{"io_uring_setup", false, call(unix.SYS_IO_URING_SETUP)},
		{"userfaultfd", false, call(unix.SYS_USERFAULTFD, 1<<30)},
		{"fanotify_init", false, call(unix.SYS_FANOTIFY_INIT, 1<<30)},
		{"landlock_create_ruleset", false, call(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1<<30)},
		{"pidfd_open", false, call(unix.SYS_PIDFD_OPEN, 0, 1<<30)},
		{"openat2", false, call(unix.SYS_OPENAT2)},
		{"close_range", false, call(unix.SYS_CLOSE_RANGE, 1<<20, 1<<20, 1<<30)},
		{"memfd_create", false, call(unix.SYS_MEMFD_CREATE)},
		{"copy_file_range", false, call(unix.SYS_COPY_FILE_RANGE, 1<<20, 0, 1<<20)},
		{"fsopen", false, call(unix.SYS_FSOPEN)},
		{"open_tree", false, call(unix.SYS_OPEN_TREE, 1<<20, 0, 1<<30)},
		{"move_mount", false, call(unix.SYS_MOVE_MOUNT)},
		{"mount_setattr", false, call(unix.SYS_MOUNT_SETATTR)},
		{"pivot_root", false, call(unix.SYS_PIVOT_ROOT)},
		{"setns", false, call(unix.SYS_SETNS, 1<<20)},
		{"unshare", false, call(unix.SYS_UNSHARE, 0)},
		{"name_to_handle_at", false, call(unix.SYS_NAME_TO_HANDLE_AT)},
		{"process_vm_readv", false, call(unix.SYS_PROCESS_VM_READV)},
		{"ptrace", false, func() error { _, err := unix.PtraceGetEventMsg(1 << 21); return named(err) }},
		{"init_module", false, call(unix.SYS_FINIT_MODULE, 1<<20)},
		{"sched_setattr", false, call(unix.SYS_SCHED_SETATTR)},
		{"membarrier", false, call(unix.SYS_MEMBARRIER, 0)},
		{"rseq", false, call(unix.SYS_RSEQ)},
		{"epoll_pwait2", false, call(unix.SYS_EPOLL_PWAIT2, 1<<20)},
		{"netlink: netfilter", false, socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER)},
		{"netlink: generic", false, socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC)},
		{"netlink: audit", false, socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)},
		{"netlink: kernel events", false, socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT)},
		{"packet sockets", false, socket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
		{"raw sockets", false, socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)},
		{"iptables socket options", false, iptables},
	}
	for _, space := range []struct {
		name string
		flag uintptr
	}{
		{"mount", unix.CLONE_NEWNS}, {"uts", unix.CLONE_NEWUTS}, {"ipc", unix.CLONE_NEWIPC}, {"pid", unix.CLONE_NEWPID},
		{"network", unix.CLONE_NEWNET}, {"user", unix.CLONE_NEWUSER}, {"cgroup", unix.CLONE_NEWCGROUP},
	} {
		checks = append(checks, check{"clone: new " + space.name + " namespace", false, func() error {
			return namespace(space.flag)
		}})
	}
	return checks
}

// call makes a system call with arguments that at most make it fail.
func call(number uintptr, args ...uintptr) func() error {
	return func() error {
		var all [6]uintptr
		copy(all[:], args)
		_, _, errno := unix.Syscall6(number, all[0], all[1], all[2], all[3], all[4], all[5])
		if errno == 0 {
			return nil
		}
		return named(errno)
	}
}

// named says an error as the manual does; nil stays nil.
func named(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errors.New(unix.ErrnoName(errno))
	}
	return err
}

func socket(family, kind, protocol int) func() error {
	return func() error {
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return named(err)
		}
		return unix.Close(fd)
	}
}

// iptables asks for the table `filter` as the old iptables does.
func iptables() error {
	const getInfo = 64
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return named(err)
	}
	defer unix.Close(fd)
	_, err = unix.GetsockoptString(fd, unix.IPPROTO_IP, getInfo)
	return named(err)
}

func namespace(flag uintptr) error {
	command := itself("child:nothing")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flag}
	return named(within(command.Run))
}
