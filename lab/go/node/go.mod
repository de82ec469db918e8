module progressive.delivery/lab/node

go 1.26.0
