module kcluster.dev/components/busybox

go 1.26
