module kcluster.dev/components/pause

go 1.26
