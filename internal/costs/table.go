package costs

import (
	"fmt"
	"strings"
)

// volumes are the columns of the table, in notifications a month.
var volumes = []struct {
	name          string
	notifications float64
}{{"idle", 0}, {"1 k", 1e3}, {"100 k", 1e5}, {"10 M", 1e7}}

// Table returns both bills as Markdown: dollars a month, by notifications.
func Table(in Inputs) string {
	var b strings.Builder
	for i, form := range []struct {
		form  Form
		title string
	}{
		{Default, "**The default**: your own database, reached over the internet by TLS; it is not in the bill."},
		{VPC, "**In a VPC, with an Aurora cluster**: two NAT gateways, Serverless v2 at its smallest."},
	} {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(form.title + "\n\n| $ a month |")
		for _, v := range volumes {
			b.WriteString(" " + v.name + " |")
		}
		b.WriteString("\n|---|" + strings.Repeat("--:|", len(volumes)) + "\n")
		rows := Bill(in, form.form, 0)
		bills := make([][]Item, len(volumes))
		for j, v := range volumes {
			bills[j] = Bill(in, form.form, v.notifications)
		}
		for k, row := range rows {
			fmt.Fprintf(&b, "| %s |", row.Name)
			for j := range volumes {
				fmt.Fprintf(&b, " %s |", dollars(bills[j][k].USD))
			}
			b.WriteString("\n")
		}
		total := func(name string, of func(Item) float64) {
			fmt.Fprintf(&b, "| %s |", name)
			for j := range volumes {
				sum := 0.0
				for _, item := range bills[j] {
					sum += of(item)
				}
				fmt.Fprintf(&b, " **%s** |", dollars(sum))
			}
			b.WriteString("\n")
		}
		total("**All**", func(i Item) float64 { return i.USD })
		total("**All, where nothing else uses AWS's free allowances**", func(i Item) float64 { return i.USD - i.Free })
	}
	fmt.Fprintf(&b, "\nPrices of %s, read on %s; measured on %s. %s\n", in.Prices.Region, in.Prices.Read, in.Measured.On, in.Prices.Note)
	return b.String()
}

// dollars shows cents below ten.
func dollars(usd float64) string {
	if usd < 9.995 {
		return fmt.Sprintf("%.2f", usd)
	}
	return fmt.Sprintf("%.0f", usd)
}
