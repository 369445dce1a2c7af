module kcluster.dev/components/node

go 1.26

require (
	github.com/miekg/dns v1.1.72
	github.com/vishvananda/netlink v1.3.1
	golang.org/x/sys v0.41.0
)

require (
	github.com/vishvananda/netns v0.0.5 // indirect
	golang.org/x/mod v0.31.0 // indirect
	golang.org/x/net v0.48.0 // indirect
	golang.org/x/sync v0.19.0 // indirect
	golang.org/x/tools v0.40.0 // indirect
)
