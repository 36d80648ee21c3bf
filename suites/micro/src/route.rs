//! Routes as applications have them, as many as wanted and all different, and the paths that are looked up among them.
//!
//! Half of the routes are literal, half have a parameter, in an order that has nothing to do with the alphabet; the first
//! routes of a large table are those of a small one. Which framework looks them up is `target/`'s business.

use crate::operation::INPUTS;

const AREAS: &[&str] = &["/api/v1", "/api/v2", "/admin", "/internal", "/partner"];

const RESOURCES: &[&str] = &[
    "accounts",
    "addresses",
    "articles",
    "audits",
    "baskets",
    "bookings",
    "brands",
    "campaigns",
    "carriers",
    "categories",
    "channels",
    "comments",
    "companies",
    "contacts",
    "contracts",
    "coupons",
    "customers",
    "deliveries",
    "devices",
    "discounts",
    "documents",
    "employees",
    "events",
    "features",
    "images",
    "invoices",
    "journeys",
    "languages",
    "locations",
    "messages",
    "notifications",
    "offers",
    "orders",
    "organizations",
    "parcels",
    "payments",
    "permissions",
    "products",
    "projects",
    "prices",
    "refunds",
    "reports",
    "reviews",
    "roles",
    "sessions",
    "shipments",
    "stores",
    "subscriptions",
    "tickets",
    "warehouses",
];

const VIEWS: &[&str] = &[
    "activity",
    "approvals",
    "archive",
    "assignments",
    "attachments",
    "balance",
    "bundles",
    "calendar",
    "changes",
    "charges",
    "checks",
    "confirm",
    "content",
    "copies",
    "costs",
    "details",
    "drafts",
    "export",
    "failures",
    "history",
    "import",
    "items",
    "labels",
    "limits",
    "links",
    "members",
    "metadata",
    "notes",
    "owners",
    "preview",
    "publish",
    "recent",
    "related",
    "schedule",
    "search",
    "settings",
    "statistics",
    "status",
    "summary",
    "versions",
];

/// Combinations of an area, a resource and a view; each makes one route of either kind.
const COMBINATIONS: usize = AREAS.len() * RESOURCES.len() * VIEWS.len();

/// A prime that divides none of the counts above: steps of it visit every combination once, near ones far apart.
const STRIDE: usize = 7919;

/// What a route is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No parameter: `/api/v1/orders/history`.
    Literal,
    /// One parameter in the middle: `/api/v1/orders/{id}/history`.
    Parameter,
}

/// Which route of a table is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The one that was added first.
    First,
    /// One that was added in the middle.
    Middle,
    /// The one that was added last.
    Last,
    /// None: the path begins like those of many routes and has no route.
    Miss,
}

/// A path that is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The path.
    pub path: String,
    /// The number of the route that it has.
    pub found: Option<usize>,
}

/// The pattern of a route by its number; even numbers are literal.
#[must_use]
pub fn pattern(number: usize) -> String {
    path(number, "{id}", None)
}

/// The patterns of a table of `routes` routes.
pub fn patterns(routes: usize) -> impl Iterator<Item = String> {
    assert!(routes <= 2 * COMBINATIONS, "there are {} routes", 2 * COMBINATIONS);
    (0..routes).map(pattern)
}

/// What is looked up in a table of `routes` routes, at scale 1 [`INPUTS`] paths. Parameters differ from path to path.
#[must_use]
pub fn lookups(routes: usize, kind: Kind, place: Place, scale: usize) -> Vec<Lookup> {
    let number = number(routes, kind, place);
    (0..INPUTS * scale)
        .map(|at| {
            let id = (100_003 + at * 7919).to_string();
            match place {
                // Another area and resource for each, so that no two paths leave the table's paths at the same place.
                Place::Miss => {
                    let like = (number + 2 * at) % routes.max(2);
                    Lookup { path: path(like - like % 2 + number % 2, &id, Some("unknown")), found: None }
                }
                _ => Lookup { path: path(number, &id, None), found: Some(number) },
            }
        })
        .collect()
}

/// The number of the route of that kind at that place.
fn number(routes: usize, kind: Kind, place: Place) -> usize {
    let pairs = routes / 2;
    let pair = match place {
        Place::First | Place::Miss => 0,
        Place::Middle => pairs / 2,
        Place::Last => pairs - 1,
    };
    2 * pair + usize::from(kind == Kind::Parameter)
}

fn path(number: usize, id: &str, view: Option<&str>) -> String {
    let combination = (number / 2) * STRIDE % COMBINATIONS;
    let area = AREAS[combination % AREAS.len()];
    let resource = RESOURCES[combination / AREAS.len() % RESOURCES.len()];
    let view = view.unwrap_or(VIEWS[combination / AREAS.len() / RESOURCES.len()]);
    if number.is_multiple_of(2) {
        format!("{area}/{resource}/{view}")
    } else {
        format!("{area}/{resource}/{id}/{view}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn routes_are_distinct_and_half_of_them_have_a_parameter() {
        for routes in [10, 100, 1_000, 10_000] {
            let all: BTreeSet<String> = patterns(routes).collect();
            assert_eq!(all.len(), routes);
            assert_eq!(all.iter().filter(|pattern| pattern.contains("{id}")).count(), routes / 2);
        }
    }

    #[test]
    fn a_lookup_names_the_route_that_its_path_has() {
        for routes in [10, 100, 1_000, 10_000] {
            let all: Vec<String> = patterns(routes).collect();
            for kind in [Kind::Literal, Kind::Parameter] {
                for place in [Place::First, Place::Middle, Place::Last, Place::Miss] {
                    let lookups = lookups(routes, kind, place, 2);
                    assert_eq!(lookups.len(), 2 * INPUTS);
                    for Lookup { path, found } in lookups {
                        let naive = all.iter().position(|pattern| matches(pattern, &path));
                        assert_eq!(naive, found, "{path} among {routes}");
                        assert_eq!(found.is_none(), place == Place::Miss);
                        assert!(found.is_none_or(|number| number.is_multiple_of(2) == (kind == Kind::Literal)));
                    }
                }
            }
        }
    }

    /// Segment by segment, the plainest reading of a pattern.
    fn matches(pattern: &str, path: &str) -> bool {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len() && pattern.iter().zip(&path).all(|(one, other)| *one == "{id}" || one == other)
    }

    #[test]
    fn places_are_apart() {
        let numbers = [Place::First, Place::Middle, Place::Last].map(|place| number(100, Kind::Parameter, place));
        assert_eq!(numbers, [1, 51, 99]);
    }
}
