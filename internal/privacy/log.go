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

// Erasure is a line of the erasure log: ids and a time, no personal data.
//
//	{"event":"erasure","account":"main","charge_permission":"S01-0000000-0000000","erased_at":"2026-11-24T12:00:00Z","cause":"erasure"}
//
// A file contains only such lines. In the functions' logs they are mixed with
// others and have more members; text before and between them is ignored.
type Erasure struct {
	Event            string                    `json:"event"` // erasure
	Account          wallet.AccountID          `json:"account"`
	ChargePermission wallet.ChargePermissionID `json:"charge_permission"`
	At               time.Time                 `json:"erased_at"` // Postgres's clock
	Cause            wallet.Cause              `json:"cause"`
}

const event = "erasure"

// marks are the two JSON spellings of the member that identifies an erasure.
var (
	marks = [][]byte{[]byte(`"event":"erasure"`), []byte(`"event": "erasure"`)}
	brace = []byte("{")
)

// Disk is a file.
type Disk interface {
	io.Writer
	Sync() error
}

// File is an erasure log in a file of its own.
type File struct{ Disk }

// Write returns after the lines are synced to disk.
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

// NewFunctionLog returns an erasure log that writes lines with the fields of log to
// out, the function's log output. It takes both instead of a context's logger,
// because zerolog writes nothing and returns no error if the context has none.
func NewFunctionLog(log zerolog.Logger, out io.Writer) FunctionLog {
	return FunctionLog{log, out}
}

// Write returns after the lines are written. It writes to out itself, because
// zerolog drops write errors.
func (f FunctionLog) Write(_ context.Context, all []Erasure) error {
	if f.out == nil {
		return errors.New("no log to write to")
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

// longest is longer than any line of a log: CloudWatch accepts at most 1 MB
// ("PutLogEvents").
const longest = 2 << 20

// ReadLog calls each for every erasure in a log, in order. It returns an error for
// a line that contains an unreadable one, because skipping it would leave erased
// data restored.
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

// next returns the first erasure in b and the rest after it.
func next(b []byte) (Erasure, []byte, error) {
	for {
		i := bytes.Index(b, brace)
		if i < 0 {
			return Erasure{}, nil, errors.New("contains an erasure that cannot be read; give the log as the function wrote it, one JSON object a line")
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

// check returns an error if the erasure is invalid.
func (e Erasure) check() error {
	_, id := wallet.ParseChargePermissionID(string(e.ChargePermission))
	_, account := wallet.ParseAccountID(string(e.Account))
	switch {
	case id != nil:
		return id
	case account != nil:
		return account
	case e.At.IsZero():
		return errors.New("erased_at is missing")
	case e.Cause != wallet.CauseErasure && e.Cause != wallet.CauseRetention:
		return fmt.Errorf("%q is not a cause of an erasure", e.Cause)
	}
	return nil
}
