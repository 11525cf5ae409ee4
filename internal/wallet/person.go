package wallet

// ImpersonalFacets returns the facets without personal data: an erasure leaves
// them. The list names these rather than the personal ones, so that a new facet
// is erased until someone adds it here.
func ImpersonalFacets() []Facet { return []Facet{FacetState, FacetLimit, FacetExpiry} }

// WithoutPerson returns p without personal data: no buyer, no address, no payment
// method.
func (p ChargePermission) WithoutPerson() ChargePermission {
	return ChargePermission{
		ID: p.ID, Type: p.Type, ReleaseEnvironment: p.ReleaseEnvironment,
		State: p.State, Limits: p.Limits, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt,
	}
}
