package twin

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// deliverySpecifications say where a merchant delivers to ("Shipping address
// restriction samples").
type deliverySpecifications struct {
	SpecialRestrictions []string             `json:"specialRestrictions,omitempty"`
	AddressRestrictions *addressRestrictions `json:"addressRestrictions,omitempty"`
}

type addressRestrictions struct {
	Type         string          `json:"type"`
	Restrictions map[string]area `json:"restrictions"` // by country
}

// area is a part of a country, or with neither list all of it.
type area struct {
	StatesOrRegions []string `json:"statesOrRegions,omitempty"`
	ZipCodes        []string `json:"zipCodes,omitempty"`
}

const (
	restrictPOBoxes      = "RestrictPOBoxes"
	restrictPackstations = "RestrictPackstations"
)

func (c *checker) delivery(p *payload) read {
	return func(path string, raw json.RawMessage) {
		d := &deliverySpecifications{}
		p.DeliverySpecifications = d
		c.object(path, raw, members{
			"specialRestrictions": c.optional(c.list(&d.SpecialRestrictions, restrictPOBoxes, restrictPackstations)),
			"addressRestrictions": c.optional(func(path string, raw json.RawMessage) {
				d.AddressRestrictions = &addressRestrictions{Restrictions: map[string]area{}}
				c.object(path, raw, members{
					"type":         c.required(c.oneOf(&d.AddressRestrictions.Type, "Allowed", "NotAllowed")),
					"restrictions": c.required(c.countries(d.AddressRestrictions.Restrictions)),
				})
			}),
		})
	}
}

// countries reads the areas by country.
func (c *checker) countries(to map[string]area) read {
	return func(path string, raw json.RawMessage) {
		found, names, err := objectOf(raw)
		switch {
		case err != nil:
			c.wrong(path, "InvalidParameterValue", "%v", err)
		case len(found) == 0:
			c.wrong(path, "MissingParameterValue", "it names no country")
		}
		for _, country := range names {
			at := join(path, clip(country, 10))
			if len(country) != 2 || !slices.Contains(strings.Fields(countryCodes), country) {
				c.wrong(at, "InvalidParameterValue", "%q is not a country of ISO 3166-1 by its two letters", clip(country, 10))
				continue
			}
			var a area
			c.object(at, found[country], members{
				"statesOrRegions": c.optional(c.list(&a.StatesOrRegions)),
				"zipCodes":        c.optional(c.list(&a.ZipCodes)),
			})
			c.area(at, country, a)
			to[country] = a
		}
	}
}

func (c *checker) area(path, country string, a area) {
	for i, s := range a.StatesOrRegions {
		at := fmt.Sprintf("%s.statesOrRegions[%d]", path, i)
		switch {
		case country == "US" && !usState.MatchString(s):
			c.wrong(at, "InvalidParameterValue", "%q is not the two letters of a state of the US", clip(s, 40))
		case country == "JP" && !slices.Contains(strings.Fields(prefectures), s):
			c.wrong(at, "InvalidParameterValue", "%q is not the name of a prefecture of Japan", clip(s, 40))
		}
	}
	for i, z := range a.ZipCodes {
		if before, found := strings.CutSuffix(z, "*"); strings.Contains(before, "*") || found && before == "" {
			c.wrong(fmt.Sprintf("%s.zipCodes[%d]", path, i), "InvalidParameterValue", "%q: an asterisk stands at the end, after something", clip(z, 40))
		}
	}
}

var usState = regexp.MustCompile(`^[A-Z]{2}$`)

// forbids says why an address must not be chosen; "" if it may.
func (d *deliverySpecifications) forbids(a address) string {
	if d == nil {
		return ""
	}
	lines := string(a.AddressLine1 + "\n" + a.AddressLine2 + "\n" + a.AddressLine3)
	switch {
	case slices.Contains(d.SpecialRestrictions, restrictPOBoxes) && poBox.MatchString(lines):
		return "this shop does not deliver to P.O. boxes"
	case slices.Contains(d.SpecialRestrictions, restrictPackstations) && packstation.MatchString(lines):
		return "this shop does not deliver to Packstations"
	}
	if r := d.AddressRestrictions; r != nil && r.covers(a) != (r.Type == "Allowed") {
		return "this shop does not deliver to it"
	}
	return ""
}

var (
	poBox       = regexp.MustCompile(`(?i)\b(p\.? ?o\.? ?box|postfach)\b`)
	packstation = regexp.MustCompile(`(?i)\bpackstation\b`)
)

// covers reports whether the restrictions name an address: its country as a
// whole, or its state or region, or its zip code.
func (r *addressRestrictions) covers(a address) bool {
	area, named := r.Restrictions[string(a.CountryCode)]
	switch {
	case !named:
		return false
	case len(area.StatesOrRegions) == 0 && len(area.ZipCodes) == 0:
		return true
	}
	zip := squeeze(string(a.PostalCode))
	return slices.ContainsFunc(area.StatesOrRegions, func(s string) bool { return strings.EqualFold(s, string(a.StateOrRegion)) }) ||
		slices.ContainsFunc(area.ZipCodes, func(z string) bool {
			start, wild := strings.CutSuffix(squeeze(z), "*")
			return zip == start || wild && strings.HasPrefix(zip, start)
		})
}

// squeeze makes zip codes comparable: 1-2345 and 12 345 are one.
func squeeze(zip string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(zip))
}

// countryCodes are those of ISO 3166-1 alpha-2.
const countryCodes = `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK
FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM
JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS
MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM
US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW`

// prefectures are Japan's, as Amazon's samples write them.
const prefectures = `北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県 新潟県 富山県
石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県 島根県 岡山県 広島県 山口県
徳島県 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県`
