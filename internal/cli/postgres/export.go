package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"walletsync/internal/export"
	"walletsync/internal/pg"
)

var sqlExport = pg.Statement(Statements, "export")

// exportRows is how many rows of an export are read at once: the planner goes by
// the index for so few.
const exportRows = 5000

// exportSettings are those of an export's transaction. A page is a walk along the
// index in the order of the key: where a filter lets few rows through, the
// planner would rather read and sort all of them, for every page. The walk to a
// page of rare rows may take its time.
const exportSettings = `set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off;
	set local statement_timeout = '30min'; set local timezone = 'UTC'; set local datestyle = 'ISO'`

// Export passes on the rows of a list, as they were when it began, in the order
// of its key: page after page of one read-only transaction. Begin gets the
// columns and about how many rows the list has, 0 if that is unknown. The cells
// are valid until row returns. An export is not repeated after a failure: rows
// cannot be taken back.
func (s *Store) Export(ctx context.Context, q export.Query, begin func([]export.Column, int) error, row func([]export.Cell) error) error {
	err := s.db.Use(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, exportSettings, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
			accounts, about, err := exported(ctx, tx, q)
			if err != nil {
				return err
			}
			e := exporting{q: q, begin: func(c []export.Column) error { return begin(c, about) }, row: row, types: pgtype.NewMap()}
			for _, a := range accounts {
				if err := e.account(ctx, tx, a); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("export %s: %w", q.List.Name, err)
	}
	return nil
}

// exported returns the accounts to go through, nil for all of them at once, and
// about how many rows there are.
func exported(ctx context.Context, tx pgx.Tx, q export.Query) (accounts []*string, about int, err error) {
	if q.List.Table != "" {
		if err := tx.QueryRow(ctx, `select greatest(0, reltuples)::int8 from pg_class where oid = ('walletsync.' || $1::text)::regclass`, q.List.Table).Scan(&about); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case q.Account != "":
		return []*string{(*string)(&q.Account)}, about, nil
	case q.List.Whole:
		return []*string{nil}, about, nil
	}
	rows, err := tx.Query(ctx, `select account from back_office.accounts order by account`)
	if err != nil {
		return nil, 0, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for i := range all {
		accounts = append(accounts, &all[i])
	}
	if len(all) == 0 {
		accounts = []*string{nil} // for the header
	}
	return accounts, about, err
}

// exportPage returns the statement of a page, and its arguments. Account is nil
// for all; after is the key of the row before, nil for the first page. A filter
// that is not asked for is left out: the planner must not weigh it.
func exportPage(q export.Query, account *string, after []string, limit int) (string, []any) {
	schema := "back_office"
	if q.Masked {
		schema = "back_office_masked"
	}
	var args []any
	parameter := func(v any, kind string) string {
		args = append(args, v)
		return fmt.Sprintf("$%d::%s", len(args), kind)
	}
	where := []string{"true"}
	if account != nil {
		where = append(where, "v.account = "+parameter(*account, "text"))
	}
	if q.ChargePermission != "" {
		where = append(where, "v.charge_permission_id = "+parameter(string(q.ChargePermission), "text"))
	}
	if q.State != "" {
		where = append(where, "v."+q.List.State+" = "+parameter(q.State, "text"))
	}
	if !q.Since.IsZero() {
		where = append(where, "v."+q.List.Since+" >= "+parameter(q.Since, "timestamptz"))
	}
	var key, last []string
	for i, k := range q.List.Key {
		key = append(key, "v."+k.Name)
		if after != nil {
			last = append(last, parameter(after[i], keyTypes[k.Kind]))
		}
	}
	if after != nil {
		where = append(where, "("+strings.Join(key, ", ")+") > ("+strings.Join(last, ", ")+")")
	}
	return strings.NewReplacer("{list}", schema+"."+q.List.Name, "{where}", strings.Join(where, " and "),
		"{key}", strings.Join(key, ", "), "{limit}", parameter(limit, "int")).Replace(sqlExport), args
}

// keyTypes are the types of the columns that a key can have.
var keyTypes = map[export.Kind]string{export.Text: "text", export.Number: "bigint", export.Time: "timestamptz", export.UUID: "uuid"}

// exporting passes on the rows of one export.
type exporting struct {
	q     export.Query
	begin func([]export.Column) error
	row   func([]export.Cell) error
	types *pgtype.Map

	columns []export.Column // nil before the first page
	key     []int           // where the key's columns are
	cells   []export.Cell
}

// account passes on the rows of an account, or of all.
func (e *exporting) account(ctx context.Context, tx pgx.Tx, account *string) error {
	var after []string
	for {
		sql, args := exportPage(e.q, account, after, exportRows)
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		n, last, err := e.page(rows)
		if err != nil || n < exportRows {
			return err
		}
		after = last
	}
}

// page passes on the rows of a page, and returns how many they were and the key
// of the last one.
func (e *exporting) page(rows pgx.Rows) (n int, last []string, err error) {
	defer rows.Close()
	last = make([]string, len(e.q.List.Key))
	for rows.Next() {
		if e.columns == nil {
			if err := e.head(rows); err != nil {
				return n, nil, err
			}
		}
		for i, raw := range rows.RawValues() {
			if e.cells[i], err = e.cell(rows.FieldDescriptions()[i].DataTypeOID, raw); err != nil {
				return n, nil, err
			}
		}
		if err := e.row(e.cells); err != nil {
			return n, nil, err
		}
		n++
		for i, at := range e.key {
			last[i] = string(rows.RawValues()[at])
		}
	}
	if rows.Err() == nil && e.columns == nil {
		err = e.head(rows)
	}
	return n, last, errors.Join(err, rows.Err())
}

// head passes on the columns, once.
func (e *exporting) head(rows pgx.Rows) error {
	for i, f := range rows.FieldDescriptions() {
		kind, ok := kinds[f.DataTypeOID]
		if !ok {
			kind = export.Text
		}
		e.columns = append(e.columns, export.Column{Name: f.Name, Kind: kind})
		if slices.ContainsFunc(e.q.List.Key, func(k export.Column) bool { return k.Name == f.Name }) {
			e.key = append(e.key, i)
		}
	}
	slices.SortFunc(e.key, func(a, b int) int { return e.place(a) - e.place(b) })
	e.cells = make([]export.Cell, len(e.columns))
	return e.begin(e.columns)
}

// place returns the place of a column in the key.
func (e *exporting) place(column int) int {
	return slices.IndexFunc(e.q.List.Key, func(k export.Column) bool { return k.Name == e.columns[column].Name })
}

// kinds are those of the types that views have; others are text.
var kinds = map[uint32]export.Kind{
	pgtype.BoolOID: export.Bool, pgtype.Int2OID: export.Number, pgtype.Int4OID: export.Number, pgtype.Int8OID: export.Number, pgtype.NumericOID: export.Number,
	pgtype.TimestamptzOID: export.Time, pgtype.UUIDOID: export.UUID, pgtype.JSONOID: export.JSON, pgtype.JSONBOID: export.JSON, pgtype.TextArrayOID: export.JSON,
}

// cell puts a value from Postgres's text format into ours.
func (e *exporting) cell(oid uint32, raw []byte) (export.Cell, error) {
	if raw == nil {
		return nil, nil
	}
	switch oid {
	case pgtype.BoolOID:
		if string(raw) == "t" {
			return export.Cell("true"), nil
		}
		return export.Cell("false"), nil
	case pgtype.TimestamptzOID:
		var at pgtype.Timestamptz
		if err := e.types.Scan(oid, pgtype.TextFormatCode, raw, &at); err != nil {
			return nil, err
		}
		if at.InfinityModifier != pgtype.Finite {
			return nil, nil // for always, or never: no time
		}
		return export.Cell(at.Time.UTC().Format(time.RFC3339Nano)), nil
	case pgtype.TextArrayOID:
		var all []*string
		if err := e.types.Scan(oid, pgtype.TextFormatCode, raw, &all); err != nil {
			return nil, err
		}
		return json.Marshal(all)
	}
	return raw, nil
}
