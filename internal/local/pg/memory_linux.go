package pg

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// memoryDir is the folder of a file system in memory that every user may write
// to, or empty if the machine has none with space for many servers.
func memoryDir() string {
	const (
		dir    = "/dev/shm"
		tmpfs  = 0x01021994 // statfs(2), TMPFS_MAGIC
		space  = 2 << 30    // a server of the tests takes 0.1 to 0.3 GB
		memory = 4 << 20    // kB that the machine can spare
	)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Type != tmpfs || fs.Bavail*uint64(fs.Bsize) < space {
		return ""
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o003 != 0o003 {
		return ""
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		var available int
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &available); err == nil && available >= memory {
			return dir
		}
	}
	return ""
}
