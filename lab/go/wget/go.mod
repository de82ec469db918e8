module progressive.delivery/lab/wget

go 1.25
