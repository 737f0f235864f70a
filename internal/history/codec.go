package history

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A chunk is
//
//	version  1 byte
//	series   1 byte, how many columns follow; a reader takes those it knows
//	CRC-32C of the rest, uint32, little endian
//	first    uvarint, minute of the day of the first row
//	rows     uvarint
//	columns  DEFLATE: for each series, for each row, a uvarint: 0 is unknown, else 1 + zigzag(code - code before in the column)
//
// and the data of store.Minutes is the version and then, for each function,
//
//	length of the name, uvarint; the name
//	length of the codes in bytes, uvarint; a uvarint per series
const (
	formatVersion = 1
	chunkHeader   = 6
	// maxDelta is how many bytes a difference may have.
	maxDelta = 3
)

// ErrDamaged says that a chunk or minute is not what was written.
var ErrDamaged = errors.New("history is damaged")

// dayRows is a day; a gap is a zero row.
type dayRows [minutesPerDay]row

// encoder compresses days. The zero value is ready. Not safe for concurrent use: it keeps the compressor, which is large.
type encoder struct {
	flate *flate.Writer
	out   bytes.Buffer
	plain []byte
}

// encode returns nil for a day without any minute.
func (e *encoder) encode(d *dayRows) []byte {
	first, last := d.bounds()
	if first > last {
		return nil
	}
	e.plain = e.plain[:0]
	for s := range seriesCount {
		e.plain = appendColumn(e.plain, d[first:last+1], s)
	}
	e.out.Reset()
	e.out.Write([]byte{formatVersion, byte(seriesCount), 0, 0, 0, 0})
	e.out.Write(binary.AppendUvarint(nil, uint64(first)))
	e.out.Write(binary.AppendUvarint(nil, uint64(last-first+1)))
	e.compress()
	b := bytes.Clone(e.out.Bytes())
	binary.LittleEndian.PutUint32(b[2:], checksum(b[chunkHeader:]))
	return b
}

// compress cannot fail: the level is valid, and a bytes.Buffer takes everything.
func (e *encoder) compress() {
	if e.flate == nil {
		e.flate, _ = flate.NewWriter(nil, flate.BestCompression)
	}
	e.flate.Reset(&e.out)
	_, _ = e.flate.Write(e.plain)
	_ = e.flate.Close()
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// bounds returns the first and last known minute; first is behind last when there is none.
func (d *dayRows) bounds() (first, last int) {
	first, last = 0, len(d)-1
	for first < len(d) && !d[first].known() {
		first++
	}
	for last > first && !d[last].known() {
		last--
	}
	return first, last
}

func appendColumn(b []byte, rows []row, s Series) []byte {
	var before code
	for i := range rows {
		c := rows[i][s]
		if c == 0 {
			b = append(b, 0)
			continue
		}
		d := int64(c) - int64(before)
		b = binary.AppendUvarint(b, 1+uint64(d<<1^d>>63))
		before = c
	}
	return b
}

// decoder is the opposite of an encoder. The zero value is ready. Not safe for concurrent use.
type decoder struct {
	flate io.ReadCloser
	plain []byte
	day   dayRows
}

// decode returns the rows of a chunk; they are good until the next call. It never reads or holds more than a day can have.
func (d *decoder) decode(b []byte) (*dayRows, error) {
	if len(b) < chunkHeader || b[0] != formatVersion {
		return nil, fmt.Errorf("%w: no chunk of version %d", ErrDamaged, formatVersion)
	}
	columns, body := int(b[1]), b[chunkHeader:]
	if checksum(body) != binary.LittleEndian.Uint32(b[2:]) {
		return nil, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	first, n := binary.Uvarint(body)
	if n <= 0 {
		return nil, fmt.Errorf("%w: first minute", ErrDamaged)
	}
	rows, m := binary.Uvarint(body[n:])
	if m <= 0 || first >= minutesPerDay || rows == 0 || rows > minutesPerDay-first {
		return nil, fmt.Errorf("%w: number of minutes", ErrDamaged)
	}
	if err := d.inflate(body[n+m:], columns*int(rows)*maxDelta); err != nil {
		return nil, err
	}
	d.day = dayRows{}
	return &d.day, d.fill(d.day[first:first+rows], columns)
}

func (d *decoder) inflate(b []byte, limit int) error {
	if d.flate == nil {
		d.flate = flate.NewReader(bytes.NewReader(b))
	} else if r, ok := d.flate.(flate.Resetter); ok {
		if err := r.Reset(bytes.NewReader(b), nil); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	buf := bytes.NewBuffer(d.plain[:0])
	_, err := io.Copy(buf, io.LimitReader(d.flate, int64(limit)+1))
	d.plain = buf.Bytes()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case len(d.plain) > limit:
		return fmt.Errorf("%w: more than %d bytes", ErrDamaged, limit)
	}
	return nil
}

func (d *decoder) fill(rows []row, columns int) error {
	plain := d.plain
	for s := range columns {
		var before int64
		for i := range rows {
			u, n := binary.Uvarint(plain)
			if n <= 0 {
				return fmt.Errorf("%w: columns end early", ErrDamaged)
			}
			plain = plain[n:]
			if u == 0 {
				continue
			}
			u--
			before += int64(u>>1) ^ -int64(u&1)
			if before <= 0 || before > int64(maxCode) {
				return fmt.Errorf("%w: value out of range", ErrDamaged)
			}
			if s < int(seriesCount) {
				rows[i][s] = code(before)
			}
		}
	}
	return nil
}

// appendSample appends a function's minute.
func appendSample(b []byte, s Sample) []byte {
	var codes [seriesCount * maxDelta]byte
	c := codes[:0]
	for _, v := range s.Point.row() {
		c = binary.AppendUvarint(c, uint64(v))
	}
	b = binary.AppendUvarint(b, uint64(len(s.Function)))
	b = append(b, s.Function...)
	b = binary.AppendUvarint(b, uint64(len(c)))
	return append(b, c...)
}

// eachSample calls f for every function of a minute until it returns false.
func eachSample(data []byte, f func(function, codes []byte) bool) error {
	if len(data) == 0 || data[0] != formatVersion {
		return fmt.Errorf("%w: no minute of version %d", ErrDamaged, formatVersion)
	}
	for rest := data[1:]; len(rest) > 0; {
		name, behind, ok1 := cutField(rest)
		codes, next, ok2 := cutField(behind)
		if !ok1 || !ok2 {
			return fmt.Errorf("%w: minute ends early", ErrDamaged)
		}
		if !f(name, codes) {
			return nil
		}
		rest = next
	}
	return nil
}

// cutField returns the bytes behind a length, and what follows.
func cutField(b []byte) (field, rest []byte, ok bool) {
	n, m := binary.Uvarint(b)
	if m <= 0 || n > uint64(len(b)-m) {
		return nil, nil, false
	}
	b = b[m:]
	return b[:n], b[n:], true
}

// readCodes returns the row of a field; what is missing or out of range is unknown.
func readCodes(b []byte) (r row) {
	for s := range r {
		u, n := binary.Uvarint(b)
		if n <= 0 {
			break
		}
		if u <= uint64(maxCode) {
			r[s] = code(u)
		}
		b = b[n:]
	}
	return r
}

// findSample returns a function's row of a minute. It is false also for a damaged minute, which the fold reports.
func findSample(data []byte, function string) (r row, found bool) {
	_ = eachSample(data, func(name, codes []byte) bool {
		if string(name) == function {
			r, found = readCodes(codes), true
		}
		return true // a later sample of the same minute counts
	})
	return r, found
}
