package storetest

import (
	"slices"

	"walletsync/internal/wallet"
)

// Sweep marks up to n of the rows that were read longest ago, and are not wanted
// now, as wanted at sweep priority. It returns their accounts.
func (m *Model) Sweep(n int) []wallet.AccountID {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := m.sorted()
	slices.SortStableFunc(rows, func(a, b *Row) int { return a.ReadAt.Compare(b.ReadAt) })
	var accounts []wallet.AccountID
	for _, r := range rows {
		if n == 0 {
			break
		}
		if r.Wanted > r.Done {
			continue
		}
		n--
		now := m.Now()
		r.Wanted, r.Since, r.Priority, r.NotBefore, r.Confirms = r.Wanted+1, now, wallet.PrioritySweep, now, 0
		if !slices.Contains(accounts, r.Account) {
			accounts = append(accounts, r.Account)
		}
	}
	return accounts
}
