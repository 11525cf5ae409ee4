package wallet

// FacetsOfNobody are the facets that say nothing about the person behind a
// charge permission: an erasure leaves them. They are named rather than the
// personal ones, so that a facet that is new is erased until somebody has
// thought about it.
func FacetsOfNobody() []Facet { return []Facet{FacetState, FacetLimit, FacetExpiry} }

// WithoutPerson returns p without what says anything about the person: no
// buyer, no address, no payment method.
func (p ChargePermission) WithoutPerson() ChargePermission {
	return ChargePermission{
		ID: p.ID, Type: p.Type, ReleaseEnvironment: p.ReleaseEnvironment,
		State: p.State, Limits: p.Limits, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt,
	}
}
