package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A segment is the magic and then frames:
//
//	length of the payload  uint32, little endian, 1 to MaxRecord
//	CRC-32C of the payload uint32
//	payload
const (
	magic       = "hfspool1"
	frameHeader = 8
	// MaxRecord is the most bytes a record may have.
	MaxRecord = 1 << 20
)

var (
	errTorn    = errors.New("record ends early") // the process died while it wrote, or space was made but not filled
	errDamaged = errors.New("record is damaged") // bytes that nobody wrote
)

// appendFrame appends the frame of a payload.
func appendFrame(b, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
	return append(b, payload...)
}

// nextFrame returns the payload of the first frame in b and the bytes behind it. The payload is part of b.
func nextFrame(b []byte) (payload, rest []byte, err error) {
	if len(b) < frameHeader {
		return nil, nil, errTorn
	}
	n := binary.LittleEndian.Uint32(b)
	sum := binary.LittleEndian.Uint32(b[4:])
	switch {
	case n == 0 && sum == 0:
		return nil, nil, errTorn // zeros: the file was made longer, its bytes never arrived
	case n == 0 || n > MaxRecord:
		return nil, nil, errDamaged
	case uint64(len(b)-frameHeader) < uint64(n):
		return nil, nil, errTorn
	}
	payload = b[frameHeader : frameHeader+n]
	if crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return nil, nil, errDamaged
	}
	return payload, b[frameHeader+n:], nil
}

// scan counts the whole records at the beginning of a segment's content and the bytes they fill, magic included. A torn
// end is normal after a crash; err is errDamaged when something else is wrong.
func scan(content []byte) (records int, valid int64, err error) {
	if len(content) < len(magic) {
		return 0, 0, nil
	}
	if string(content[:len(magic)]) != magic {
		return 0, 0, errDamaged
	}
	for b := content[len(magic):]; len(b) > 0; {
		payload, rest, err := nextFrame(b)
		switch {
		case errors.Is(err, errTorn):
			return records, int64(len(content) - len(b)), nil
		case err != nil:
			return records, int64(len(content) - len(b)), err
		}
		_ = payload
		records++
		b = rest
	}
	return records, int64(len(content)), nil
}
