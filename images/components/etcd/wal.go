package main

import "go.etcd.io/etcd/server/v3/storage/wal"

// etcd allocates two segments of its log before it writes anything; at its own 64 MB they are nearly all that a control
// plane takes on disk. A small cluster fills one of this size in an hour.
func init() { wal.SegmentSizeBytes = 8 << 20 }
