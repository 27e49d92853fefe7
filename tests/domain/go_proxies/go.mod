module agentpod/tests/goproxies

go 1.26.8

require golang.org/x/net v0.47.0

require golang.org/x/text v0.43.0 // indirect
