package privacy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

// Erasure is a line of the erasure log: ids and a time, nothing of the person.
//
//	{"event":"erasure","account":"main","charge_permission":"S01-0000000-0000000","erased_at":"2026-11-24T12:00:00Z","cause":"erasure"}
//
// A file has such lines alone. In the functions' logs they stand among others
// and have more members; what is in front of them or between them is passed over.
type Erasure struct {
	Event            string                    `json:"event"` // erasure
	Account          wallet.AccountID          `json:"account"`
	ChargePermission wallet.ChargePermissionID `json:"charge_permission"`
	At               time.Time                 `json:"erased_at"` // Postgres's clock
	Cause            wallet.Cause              `json:"cause"`
}

const event = "erasure"

// Named in a line, in the two ways to write JSON in which logs come.
var (
	marks = [][]byte{[]byte(`"event":"erasure"`), []byte(`"event": "erasure"`)}
	brace = []byte("{")
)

// Disk is a file.
type Disk interface {
	io.Writer
	Sync() error
}

// File is an erasure log of its own.
type File struct{ Disk }

// Write returns when the lines are on the disk.
func (f File) Write(_ context.Context, all []Erasure) error {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	for _, e := range all {
		e.Event = event
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	if _, err := f.Disk.Write(b.Bytes()); err != nil {
		return err
	}
	return f.Sync()
}

// FunctionLog writes to the log of the function that erases, whatever its level.
type FunctionLog struct {
	log zerolog.Logger
	out io.Writer
}

// NewFunctionLog returns the erasure log that writes to out, where the function's
// log goes, lines with the fields of log. It takes both, rather than the logger of
// a context: where there is none, zerolog writes nothing and reports no error.
func NewFunctionLog(log zerolog.Logger, out io.Writer) FunctionLog {
	return FunctionLog{log, out}
}

// Write returns when the lines are written; zerolog would drop the error of a
// write.
func (f FunctionLog) Write(_ context.Context, all []Erasure) error {
	if f.out == nil {
		return errors.New("there is no log to write to")
	}
	var lines bytes.Buffer
	log := f.log.Output(&lines)
	for _, e := range all {
		before := lines.Len()
		log.Log().Str("event", event).Str("account", string(e.Account)).Str("charge_permission", string(e.ChargePermission)).
			Str("erased_at", e.At.UTC().Format(time.RFC3339Nano)).Str("cause", string(e.Cause)).Msg("personal data is erased")
		if lines.Len() == before {
			return errors.New("the log is disabled")
		}
	}
	_, err := f.out.Write(lines.Bytes())
	return err
}

// longest is more than a line of a log can have: CloudWatch takes 1 MB at most
// ("PutLogEvents").
const longest = 2 << 20

// ReadLog calls each for every erasure that a log names, in its order. A line
// that names one and cannot be read is an error: passing over it would bring
// somebody's data back.
func ReadLog(r io.Reader, each func(Erasure) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longest)
	n := 0
	for lines.Scan() {
		n++
		for rest := lines.Bytes(); marked(rest); {
			e, after, err := next(rest)
			if err != nil {
				return fmt.Errorf("line %d of the erasure log: %w", n, err)
			}
			if err := each(e); err != nil {
				return fmt.Errorf("line %d of the erasure log: %w", n, err)
			}
			rest = after
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d of the erasure log: %w", n+1, err)
	}
	return nil
}

func marked(b []byte) bool { return bytes.Contains(b, marks[0]) || bytes.Contains(b, marks[1]) }

// next finds the first erasure in b, and what comes after it.
func next(b []byte) (Erasure, []byte, error) {
	for {
		i := bytes.Index(b, brace)
		if i < 0 {
			return Erasure{}, nil, errors.New("it names an erasure, and none can be read from it; give the log as the function wrote it, one JSON object a line")
		}
		b = b[i:]
		var e Erasure
		d := json.NewDecoder(bytes.NewReader(b))
		err := d.Decode(&e)
		if err != nil {
			b = b[1:] // no object begins here, or not one of ours
			continue
		}
		b = b[d.InputOffset():]
		if e.Event == event {
			return e, b, e.check()
		}
	}
}

// check says what is wrong with an erasure.
func (e Erasure) check() error {
	_, id := wallet.ParseChargePermissionID(string(e.ChargePermission))
	_, account := wallet.ParseAccountID(string(e.Account))
	switch {
	case id != nil:
		return id
	case account != nil:
		return account
	case e.At.IsZero():
		return errors.New("it does not say when (erased_at)")
	case e.Cause != wallet.CauseErasure && e.Cause != wallet.CauseRetention:
		return fmt.Errorf("%q is no cause of an erasure", e.Cause)
	}
	return nil
}
