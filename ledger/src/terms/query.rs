//! Queries in the one form that is searched: any of some alternatives, each of them all of some terms.
//!
//! Whatever was typed is multiplied out (AND over OR), duplicates and alternatives that another one covers are dropped, and what is left is sorted. So
//! two ways to write one search are one query. The vault gets the same shape with tokens in place of terms, as JSON `{"any":[["token",...],...]}`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::grammar::{self, Expression, QueryError, QueryErrorKind};
use super::term::{MAX_TERMS, Term};
use super::token::Token;

/// Most alternatives of a query.
pub const MAX_CLAUSES: usize = 8;
/// Most terms of one alternative.
pub const MAX_CLAUSE_TERMS: usize = 8;
/// Most bytes of a token query's JSON: all limits used, with room for white space.
pub const MAX_TOKEN_QUERY_BYTES: usize = 4096;

/// A search in terms. It stays on the searcher's machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    any: Vec<Vec<Term>>,
}

/// A search in tokens, which is what the vault gets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TokenQuery {
    any: Vec<Vec<Token>>,
}

/// A token query before its limits are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    any: Vec<Vec<Token>>,
}

/// Why something is no token query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenQueryError {
    /// The JSON is too long.
    #[error("a token query has at most {MAX_TOKEN_QUERY_BYTES} bytes")]
    TooLong,
    /// Not JSON of the right shape, or not within the limits.
    #[error("not a token query: {{\"any\": [[token, ...], ...]}} was expected, with the limits kept")]
    Malformed,
    /// No alternatives, or too many.
    #[error("a query has 1 to {MAX_CLAUSES} alternatives, not {found}")]
    Clauses {
        /// How many there are.
        found: usize,
    },
    /// An alternative with no tokens, or too many.
    #[error("an alternative has 1 to {MAX_CLAUSE_TERMS} tokens, not {found}")]
    ClauseTokens {
        /// How many there are.
        found: usize,
    },
    /// A token twice in one alternative.
    #[error("a token stands twice in one alternative")]
    RepeatedToken,
    /// Too many different tokens in all.
    #[error("a query has at most {MAX_TERMS} different tokens, not {found}")]
    TooManyTokens {
        /// How many there are.
        found: usize,
    },
    /// Another number of tokens than the query has different terms.
    #[error("the query has {terms} different terms, but {tokens} tokens were given")]
    WrongCount {
        /// How many different terms there are.
        terms: usize,
        /// How many tokens were given.
        tokens: usize,
    },
}

impl Query {
    /// Reads what a person typed, see the grammar in docs.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let any: Vec<Vec<Term>> =
            multiply_out(&grammar::parse(text)?)?.into_iter().map(|clause| clause.into_iter().collect()).collect();
        let query = Self { any };
        if query.distinct_terms().len() > MAX_TERMS {
            return Err(QueryError { at: 0, kind: QueryErrorKind::TooManyTerms });
        }
        Ok(query)
    }

    /// The alternatives, each with the terms that must all be there. Sorted, and no alternative covers another.
    pub fn any(&self) -> &[Vec<Term>] {
        &self.any
    }

    /// Each term once, sorted: what to blind.
    pub fn distinct_terms(&self) -> Vec<Term> {
        self.any.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The same query in tokens, which belong to [`Query::distinct_terms`] in that order.
    pub fn with_tokens(&self, tokens: &[Token]) -> Result<TokenQuery, TokenQueryError> {
        let terms = self.distinct_terms();
        if terms.len() != tokens.len() {
            return Err(TokenQueryError::WrongCount { terms: terms.len(), tokens: tokens.len() });
        }
        let token_of: BTreeMap<&Term, Token> = terms.iter().zip(tokens.iter().copied()).collect();
        TokenQuery::new(self.any.iter().map(|clause| clause.iter().map(|term| token_of[term]).collect()).collect())
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.any).finish()
    }
}

impl TokenQuery {
    /// Checks the limits.
    pub fn new(any: Vec<Vec<Token>>) -> Result<Self, TokenQueryError> {
        if !(1..=MAX_CLAUSES).contains(&any.len()) {
            return Err(TokenQueryError::Clauses { found: any.len() });
        }
        for clause in &any {
            if !(1..=MAX_CLAUSE_TERMS).contains(&clause.len()) {
                return Err(TokenQueryError::ClauseTokens { found: clause.len() });
            }
            if clause.iter().collect::<BTreeSet<_>>().len() != clause.len() {
                return Err(TokenQueryError::RepeatedToken);
            }
        }
        let found = any.iter().flatten().collect::<BTreeSet<_>>().len();
        if found > MAX_TERMS {
            return Err(TokenQueryError::TooManyTokens { found });
        }
        Ok(Self { any })
    }

    /// Reads the JSON of the private field `query` of `search.perform.v1`.
    pub fn parse(json: &str) -> Result<Self, TokenQueryError> {
        if json.len() > MAX_TOKEN_QUERY_BYTES {
            return Err(TokenQueryError::TooLong);
        }
        let unchecked: Unchecked = serde_json::from_str(json).map_err(|_| TokenQueryError::Malformed)?;
        Self::new(unchecked.any)
    }

    /// The JSON of the private field `query`: `{"any":[["token",...],...]}`.
    pub fn to_json(&self) -> String {
        serde_json::json!({ "any": self.any }).to_string()
    }

    /// The alternatives, each with the tokens that must all be there.
    pub fn any(&self) -> &[Vec<Token>] {
        &self.any
    }

    /// Each token once, sorted: whose postings to read.
    pub fn distinct_tokens(&self) -> Vec<Token> {
        self.any.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether a record is found that has the tokens for which `has` says yes.
    pub fn matches(&self, has: impl Fn(&Token) -> bool) -> bool {
        self.any.iter().any(|clause| clause.iter().all(&has))
    }
}

impl fmt::Debug for TokenQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.any).finish()
    }
}

impl TryFrom<Unchecked> for TokenQuery {
    type Error = TokenQueryError;

    fn try_from(unchecked: Unchecked) -> Result<Self, TokenQueryError> {
        Self::new(unchecked.any)
    }
}

type Clauses = BTreeSet<BTreeSet<Term>>;

/// Disjunctive normal form, with limits checked at each step so that no query grows far beyond them.
fn multiply_out(expression: &Expression) -> Result<Clauses, QueryError> {
    match expression {
        Expression::Term { term } => Ok(Clauses::from([BTreeSet::from([term.clone()])])),
        Expression::Any { at, of } => {
            let mut clauses = Clauses::new();
            for part in of {
                clauses.extend(multiply_out(part)?);
                clauses = within_limits(&clauses, *at)?;
            }
            Ok(clauses)
        }
        Expression::All { at, of } => {
            let mut clauses = Clauses::from([BTreeSet::new()]);
            for part in of {
                let part = multiply_out(part)?;
                let products: Clauses =
                    clauses.iter().flat_map(|left| part.iter().map(move |right| left | right)).collect();
                clauses = within_limits(&products, *at)?;
            }
            Ok(clauses)
        }
    }
}

/// Drops alternatives that a shorter one covers (A OR A AND B is A), then counts.
fn within_limits(clauses: &Clauses, at: usize) -> Result<Clauses, QueryError> {
    let covered = |clause: &BTreeSet<Term>| clauses.iter().any(|other| other != clause && other.is_subset(clause));
    let kept: Clauses = clauses.iter().filter(|clause| !covered(clause)).cloned().collect();
    if kept.len() > MAX_CLAUSES {
        return Err(QueryError { at, kind: QueryErrorKind::TooManyClauses });
    }
    if kept.iter().any(|clause| clause.len() > MAX_CLAUSE_TERMS) {
        return Err(QueryError { at, kind: QueryErrorKind::TooManyClauseTerms });
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clauses(text: &str) -> Vec<String> {
        let clause = |terms: &Vec<Term>| terms.iter().map(Term::to_string).collect::<Vec<_>>().join(" & ");
        Query::parse(text).unwrap().any().iter().map(clause).collect()
    }

    #[test]
    fn queries_become_alternatives() {
        assert_eq!(clauses("type:mri AND (body:brain OR code:I63)"), ["type:mri & code:i63", "type:mri & body:brain"]);
        assert_eq!(clauses("body:a OR body:b AND body:c"), ["body:a", "body:b & body:c"]);
        assert_eq!(clauses("(body:a OR body:b) AND (body:c OR body:d)").len(), 4);
        assert_eq!(clauses("((body:a))"), ["body:a"]);
        assert_eq!(clauses("body:a AND body:A"), ["body:a"]);
        assert_eq!(clauses("body:a OR body:a AND body:b"), ["body:a"]);
        assert_eq!(clauses("body:b AND body:a OR body:a AND body:b"), ["body:a & body:b"]);
    }

    fn joined(operator: &str, prefix: &str, count: usize) -> String {
        (0..count).map(|i| format!("body:{prefix}{i}")).collect::<Vec<_>>().join(operator)
    }

    #[test]
    fn queries_have_limits() {
        let kind = |text: &str| Query::parse(text).unwrap_err().kind;
        assert_eq!(clauses(&joined(" OR ", "", 8)).len(), 8);
        assert_eq!(kind(&joined(" OR ", "", 9)), QueryErrorKind::TooManyClauses);
        assert_eq!(clauses(&joined(" AND ", "", 8)).len(), 1);
        assert_eq!(kind(&joined(" AND ", "", 9)), QueryErrorKind::TooManyClauseTerms);
        let multiplied = format!("({}) AND ({})", joined(" OR ", "a", 3), joined(" OR ", "b", 3));
        let error = Query::parse(&multiplied).unwrap_err();
        assert_eq!((error.at, error.kind), (multiplied.find("AND").unwrap(), QueryErrorKind::TooManyClauses));
        let wide =
            |each: usize| (0..4).map(|i| joined(" AND ", &format!("{i}x"), each)).collect::<Vec<_>>().join(" OR ");
        assert_eq!(Query::parse(&wide(8)).unwrap().distinct_terms().len(), MAX_TERMS);
        let too_many = format!("{} OR body:more", wide(8));
        assert_eq!(kind(&too_many), QueryErrorKind::TooManyTerms);
    }

    fn token(byte: u8) -> Token {
        Token::from_bytes([byte; 32])
    }

    #[test]
    fn tokens_take_the_places_of_terms() {
        let query = Query::parse("type:mri AND (body:brain OR code:I63)").unwrap();
        let terms = query.distinct_terms();
        assert_eq!(terms.iter().map(Term::to_string).collect::<Vec<_>>(), ["type:mri", "code:i63", "body:brain"]);
        let tokens = [token(1), token(2), token(3)];
        let expected = vec![vec![token(1), token(2)], vec![token(1), token(3)]];
        assert_eq!(query.with_tokens(&tokens).unwrap().any(), expected);
        let error = query.with_tokens(&tokens[..2]).unwrap_err();
        assert_eq!(error, TokenQueryError::WrongCount { terms: 3, tokens: 2 });
    }

    #[test]
    fn token_queries_have_one_json_shape() {
        let query = TokenQuery::new(vec![vec![token(1), token(2)], vec![token(3)]]).unwrap();
        let json = format!("{{\"any\":[[\"{}\",\"{}\"],[\"{}\"]]}}", token(1), token(2), token(3));
        assert_eq!(query.to_json(), json);
        assert_eq!(TokenQuery::parse(&json), Ok(query));
    }

    #[test]
    fn token_queries_are_checked_on_parse() {
        let good = token(1).to_string();
        for bad in [
            String::new(),
            "{}".into(),
            "[]".into(),
            format!("{{\"any\":[[\"{good}\"]],\"all\":[]}}"),
            format!("{{\"any\":[[\"{good}\"]]}} x"),
            format!("{{\"any\":[[\"{good}\"]],\"any\":[]}}"),
            "{\"any\":[[\"AAAA\"]]}".into(),
            "{\"any\":[[1]]}".into(),
        ] {
            assert_eq!(TokenQuery::parse(&bad), Err(TokenQueryError::Malformed), "{bad}");
        }
        assert_eq!(TokenQuery::parse(&" ".repeat(MAX_TOKEN_QUERY_BYTES + 1)), Err(TokenQueryError::TooLong));
        let parse = |any: Vec<Vec<u8>>| {
            let any: Vec<Vec<String>> =
                any.iter().map(|clause| clause.iter().map(|byte| token(*byte).to_string()).collect()).collect();
            TokenQuery::parse(&serde_json::json!({ "any": any }).to_string())
        };
        assert_eq!(parse(vec![]), Err(TokenQueryError::Clauses { found: 0 }));
        assert_eq!(parse((0..9).map(|i| vec![i]).collect()), Err(TokenQueryError::Clauses { found: 9 }));
        assert_eq!(parse(vec![vec![]]), Err(TokenQueryError::ClauseTokens { found: 0 }));
        assert_eq!(parse(vec![(0..9).collect()]), Err(TokenQueryError::ClauseTokens { found: 9 }));
        assert_eq!(parse(vec![vec![1, 1]]), Err(TokenQueryError::RepeatedToken));
        let wide =
            |terms: u8| -> Vec<Vec<u8>> { (0..terms).collect::<Vec<_>>().chunks(8).map(<[u8]>::to_vec).collect() };
        assert!(parse(wide(32)).is_ok());
        assert_eq!(parse(wide(33)), Err(TokenQueryError::TooManyTokens { found: 33 }));
        // Everything at its limit fits the limit of the whole.
        let largest = (0..8).map(|i| (0..8).map(|j| (i * 4 + j) % 32).collect()).collect();
        assert!(parse(largest).is_ok());
    }

    /// A formula and its text.
    fn formulas() -> impl Strategy<Value = (String, Formula)> {
        let leaf = (0_u8..5).prop_map(|i| (format!("keyword:\"t {i}\""), Formula::Term(i)));
        leaf.prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| join(&parts, " AND ", Formula::All)),
                prop::collection::vec(inner, 2..4).prop_map(|parts| join(&parts, " OR ", Formula::Any)),
            ]
        })
    }

    #[derive(Debug, Clone)]
    enum Formula {
        Term(u8),
        All(Vec<Formula>),
        Any(Vec<Formula>),
    }

    fn join(parts: &[(String, Formula)], operator: &str, make: fn(Vec<Formula>) -> Formula) -> (String, Formula) {
        let texts: Vec<_> = parts.iter().map(|(text, _)| text.as_str()).collect();
        (format!("({})", texts.join(operator)), make(parts.iter().map(|(_, formula)| formula.clone()).collect()))
    }

    impl Formula {
        fn holds(&self, has: u8) -> bool {
            match self {
                Self::Term(i) => has >> i & 1 == 1,
                Self::All(of) => of.iter().all(|part| part.holds(has)),
                Self::Any(of) => of.iter().any(|part| part.holds(has)),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is typed finds exactly what it says, through normal form, tokens and JSON.
        #[test]
        fn a_query_means_what_it_says((text, formula) in formulas()) {
            let Ok(query) = Query::parse(&text) else { return Err(TestCaseError::reject("beyond the limits")) };
            let terms = query.distinct_terms();
            let number = |term: &Term| term.value()[2..].parse::<u8>().unwrap();
            let tokens: Vec<_> = terms.iter().map(|term| token(number(term))).collect();
            let query = TokenQuery::parse(&query.with_tokens(&tokens).unwrap().to_json()).unwrap();
            for has in 0..32_u8 {
                prop_assert_eq!(query.matches(|token| has >> token.as_bytes()[0] & 1 == 1), formula.holds(has));
            }
        }

        #[test]
        fn nothing_typed_makes_the_parser_panic(text in "[()\"\\\\a:é ANDOR]{0,60}|\\PC{0,60}") {
            if let Err(error) = Query::parse(&text) {
                prop_assert!(text.is_char_boundary(error.at));
            }
        }
    }
}
