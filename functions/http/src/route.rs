//! Routes: which method and path is which call. API Gateway has the same table in `template.yaml`; a function checks for itself.

use std::str::FromStr;

use chartseal_events::{Code, Id, Refusal};

/// How a caller says who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A signed command in the body.
    Command,
    /// A read token.
    Read,
    /// Not at all.
    Anyone,
}

/// A route of a function, with the call it stands for.
#[derive(Debug, Clone, Copy)]
pub struct Route<T: 'static> {
    /// The method.
    pub method: &'static str,
    /// The path; `{name}` stands for any one segment, `{name+}` for all that are left.
    pub pattern: &'static str,
    /// How callers say who they are.
    pub access: Access,
    /// The call.
    pub call: T,
    /// The problems it can answer with, beside those of its kind of access.
    pub codes: &'static [Code],
}

impl<T: Copy> Route<T> {
    /// The route without its call.
    pub const fn entry(&self) -> RouteEntry {
        RouteEntry { method: self.method, pattern: self.pattern, access: self.access, codes: self.codes }
    }
}

/// A route as documents show it.
#[derive(Debug, Clone, Copy)]
pub struct RouteEntry {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub pattern: &'static str,
    /// How callers say who they are.
    pub access: Access,
    codes: &'static [Code],
}

const ALWAYS: &[Code] = &[Code::BodyTooLarge, Code::Internal, Code::Unavailable];

const COMMAND: &[Code] = &[
    Code::MalformedJson,
    Code::MalformedCommand,
    Code::WrongCommand,
    Code::BadField,
    Code::BadJti,
    Code::PrivateMismatch,
    Code::BadAlgorithm,
    Code::SignatureInvalid,
    Code::UnknownSigner,
    Code::WrongAudience,
    Code::ClockSkew,
    Code::NotMember,
    Code::JtiReused,
    Code::Conflict,
];

const READ: &[Code] = &[
    Code::MissingToken,
    Code::MalformedToken,
    Code::BadAlgorithm,
    Code::SignatureInvalid,
    Code::UnknownSigner,
    Code::WrongAudience,
    Code::ClockSkew,
    Code::TokenExpired,
    Code::TokenTarget,
    Code::NotMember,
    Code::ProviderPending,
    Code::ProviderSuspended,
];

impl RouteEntry {
    /// Every problem that this route can answer with, in the table's order.
    pub fn codes(&self) -> Vec<Code> {
        let access = match self.access {
            Access::Command => COMMAND,
            Access::Read => READ,
            Access::Anyone => &[],
        };
        let path: &[Code] = match self.access {
            _ if !self.pattern.contains('{') => &[],
            Access::Command => &[Code::BadId, Code::PathMismatch, Code::NotFound],
            Access::Read if self.pattern.contains("{id}") => &[Code::BadId, Code::NotFound],
            // Hashes, heights, positions and tiles.
            Access::Read | Access::Anyone => &[Code::BadPlace, Code::NotFound],
        };
        let mut codes: Vec<Code> = [ALWAYS, access, path, self.codes].concat();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// The values of a path's `{name}` segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathValues(Vec<(&'static str, String)>);

impl PathValues {
    /// The id in `{name}`, in its one spelling.
    pub fn id(&self, name: &'static str) -> Result<Id, Refusal> {
        self.parse(name)
    }

    /// The value of `{name}`.
    pub fn parse<T: FromStr>(&self, name: &'static str) -> Result<T, Refusal> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.and_then(|(_, value)| value.parse().ok()).ok_or(Refusal::field(Code::BadId, name))
    }
}

/// The route that a method and path mean.
pub(crate) fn find<'r, T>(routes: &'r [Route<T>], method: &str, path: &str) -> Option<(&'r Route<T>, PathValues)> {
    let mut of_method = routes.iter().filter(|route| route.method == method);
    of_method.find_map(|route| values(route.pattern, path).map(|values| (route, values)))
}

fn values(pattern: &'static str, path: &str) -> Option<PathValues> {
    let mut found = Vec::new();
    let mut left = Some(path);
    for wanted in pattern.split('/') {
        let rest = left?;
        let (segment, after) = rest.split_once('/').map_or((rest, None), |(segment, after)| (segment, Some(after)));
        let name = wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match (name, name.and_then(|name| name.strip_suffix('+'))) {
            (_, Some(name)) => {
                found.push((name, rest.to_owned()));
                return Some(PathValues(found));
            }
            (Some(name), None) => found.push((name, segment.to_owned())),
            (None, _) if wanted == segment => {}
            (None, _) => return None,
        }
        left = after;
    }
    left.is_none().then_some(PathValues(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &[Route<u8>] = &[
        Route { method: "GET", pattern: "/records", access: Access::Read, call: 1, codes: &[] },
        Route { method: "GET", pattern: "/records/{id}", access: Access::Read, call: 2, codes: &[] },
        Route { method: "POST", pattern: "/records/{id}/key", access: Access::Command, call: 3, codes: &[] },
        Route { method: "GET", pattern: "/ledger/tile/{tile+}", access: Access::Anyone, call: 4, codes: &[] },
    ];

    fn call(method: &str, path: &str) -> Option<u8> {
        find(ROUTES, method, path).map(|(route, _)| route.call)
    }

    #[test]
    fn a_path_is_taken_whole() {
        assert_eq!(call("GET", "/records"), Some(1));
        assert_eq!(call("GET", "/records/x"), Some(2));
        assert_eq!(call("POST", "/records/x/key"), Some(3));
        for (method, path) in [
            ("POST", "/records"),
            ("get", "/records"),
            ("GET", "/records/x/"),
            ("GET", "/records/x/key"),
            ("POST", "/records/x/key/y"),
            ("GET", "//records"),
            ("GET", "records"),
            ("GET", ""),
        ] {
            assert_eq!(call(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn all_that_is_left_is_one_value() {
        let of = |path: &str| find(ROUTES, "GET", path).map(|(_, values)| values.parse::<String>("tile"));
        assert_eq!(of("/ledger/tile/0/x001/234.p/5"), Some(Ok("0/x001/234.p/5".to_owned())));
        assert_eq!(of("/ledger/tile/"), Some(Ok(String::new())));
        assert_eq!(of("/ledger/tile"), None);
    }

    #[test]
    fn an_id_has_one_spelling() {
        let of = |path: &str| find(ROUTES, "GET", path).expect("a route").1.id("id").map_err(|refusal| refusal.code);
        assert!(of("/records/01ARZ3NDEKTSV4RRFFQ69G5FAV").is_ok());
        for bad in ["/records/", "/records/01arz3ndektsv4rrffq69g5fav", "/records/%2e%2e", "/records/x"] {
            assert_eq!(of(bad), Err(Code::BadId), "{bad}");
        }
    }

    #[test]
    fn codes_are_listed_once() {
        let codes = ROUTES[2].entry().codes();
        assert!(codes.contains(&Code::PathMismatch) && codes.contains(&Code::MalformedJson));
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(!ROUTES[0].entry().codes().contains(&Code::BadId));
    }
}
