package process

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// listeningPorts gives the addresses on which the group's processes listen,
// for the sentence that explains why a child is not ready. What cannot be read
// is left out.
func listeningPorts(pgid int) []string {
	inodes := groupSockets(pgid)
	if len(inodes) == 0 {
		return nil
	}
	var found []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		found = append(found, listeners(table, inodes)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// groupSockets gives the inodes of the sockets the group's processes hold.
func groupSockets(pgid int) map[string]bool {
	inodes := make(map[string]bool)
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is correct, which is the only error
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if group, err := unix.Getpgid(pid); err != nil || group != pgid {
			continue
		}
		fds, _ := filepath.Glob(dir + "/fd/*") // as above
		for _, fd := range fds {
			link, err := os.Readlink(fd)
			if inode, ok := strings.CutPrefix(link, "socket:["); err == nil && ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	return inodes
}

// listeners reads one of the kernel's tables of TCP sockets.
func listeners(table string, inodes map[string]bool) []string {
	file, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }() // only read
	var found []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != "0A" || !inodes[fields[9]] {
			continue
		}
		if addr, err := parseKernelAddr(fields[1]); err == nil {
			found = append(found, addr.String())
		}
	}
	return found
}

// parseKernelAddr reads "0100007F:1F90": the address in 32-bit words, each in
// the machine's byte order (little-endian on what Holdfast runs on), and the
// port.
func parseKernelAddr(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("parse kernel address %q", s)
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	addr, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("parse kernel address %q", s)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}
