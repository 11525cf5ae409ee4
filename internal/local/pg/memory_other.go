//go:build !linux

package pg

// memoryDir is for Linux.
func memoryDir() string { return "" }
