//! The little language of searches, as a person types it.
//!
//! ```text
//! query  = all *( "OR" all )
//! all    = single *( "AND" single )
//! single = "(" query ")" / facet ":" value
//! value  = word / quote *( character / backslash quote / backslash backslash ) quote
//! word   = characters without white space, parentheses and quotes
//! ```
//!
//! AND binds closer than OR; both are upper case. There is no NOT: an answer proves what is there, term by term. What was read is a tree whose every node knows
//! where it stands in the text, so that errors can point at it.

use super::query::{MAX_CLAUSE_TERMS, MAX_CLAUSES};
use super::term::{MAX_TERMS, Term, TermError};

/// Most bytes of a query's text.
pub const MAX_QUERY_BYTES: usize = 4096;
/// Most parentheses inside each other.
pub const MAX_QUERY_DEPTH: usize = 16;

/// Why a query was not understood, and where. The query itself is not repeated: it may be about a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (at byte {at} of the query)")]
pub struct QueryError {
    /// Byte of the query's text where the error is, counted from zero.
    pub at: usize,
    /// What is wrong there.
    pub kind: QueryErrorKind,
}

/// What is wrong with a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryErrorKind {
    /// The text is too long.
    #[error("a query has at most {MAX_QUERY_BYTES} bytes")]
    TooLong,
    /// The query ends, or an operator or parenthesis stands, where a term should.
    #[error("expected a term such as modality:mri, or an opening parenthesis")]
    ExpectedTerm,
    /// A term or parenthesis stands where an operator should.
    #[error("expected AND or OR between two terms (values with spaces need quotes)")]
    ExpectedOperator,
    /// A parenthesis is never closed.
    #[error("this parenthesis is not closed")]
    UnclosedParenthesis,
    /// A closing parenthesis without an opening one.
    #[error("this parenthesis was not opened")]
    UnopenedParenthesis,
    /// A quote is never closed.
    #[error("this quote is not closed")]
    UnclosedQuote,
    /// A quote in a place where none can be.
    #[error("a quote can only stand around a whole value, as in body:\"left knee\"")]
    StrayQuote,
    /// Too many parentheses inside each other.
    #[error("at most {MAX_QUERY_DEPTH} parentheses inside each other")]
    TooDeep,
    /// NOT does not exist.
    #[error("there is no NOT in queries")]
    NoNot,
    /// A term that is none.
    #[error(transparent)]
    Term(#[from] TermError),
    /// Too many alternatives once AND is multiplied out over OR.
    #[error("at most {MAX_CLAUSES} alternatives, with AND multiplied out over OR")]
    TooManyClauses,
    /// Too many terms in one alternative.
    #[error("at most {MAX_CLAUSE_TERMS} terms joined by AND")]
    TooManyClauseTerms,
    /// Too many terms in all.
    #[error("at most {MAX_TERMS} different terms")]
    TooManyTerms,
}

/// A query as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// A single term.
    Term { term: Term },
    /// All of these; `at` is the first operator.
    All { at: usize, of: Vec<Expression> },
    /// Any of these; `at` is the first operator.
    Any { at: usize, of: Vec<Expression> },
}

pub(super) fn parse(text: &str) -> Result<Expression, QueryError> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(QueryError { at: MAX_QUERY_BYTES, kind: QueryErrorKind::TooLong });
    }
    let mut parser = Parser { symbols: symbols(text)?, next: 0, end: text.len() };
    let query = parser.any(0)?;
    match parser.peek() {
        None => Ok(query),
        Some((at, Symbol::Close)) => Err(QueryError { at, kind: QueryErrorKind::UnopenedParenthesis }),
        Some((at, Symbol::Not)) => Err(QueryError { at, kind: QueryErrorKind::NoNot }),
        Some((at, _)) => Err(QueryError { at, kind: QueryErrorKind::ExpectedOperator }),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Symbol {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `facet:value`, unquoted.
    Word(String),
}

/// Cuts the text into symbols, each with the byte it begins at.
fn symbols(text: &str) -> Result<Vec<(usize, Symbol)>, QueryError> {
    let mut symbols = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some(&(at, character)) = rest.peek() {
        let symbol = match character {
            '(' => Some(Symbol::Open),
            ')' => Some(Symbol::Close),
            _ if character.is_whitespace() => None,
            _ => {
                symbols.push((at, word(&mut rest)?));
                continue;
            }
        };
        rest.next();
        symbols.extend(symbol.map(|symbol| (at, symbol)));
    }
    Ok(symbols)
}

type Characters<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

fn word(rest: &mut Characters<'_>) -> Result<Symbol, QueryError> {
    let mut word = String::new();
    while let Some(&(at, character)) = rest.peek() {
        match character {
            '(' | ')' => break,
            _ if character.is_whitespace() => break,
            '"' if word.ends_with(':') => {
                quoted(rest, &mut word)?;
                return match rest.peek() {
                    Some(&(at, next)) if !(next.is_whitespace() || next == '(' || next == ')') => {
                        Err(QueryError { at, kind: QueryErrorKind::ExpectedOperator })
                    }
                    _ => Ok(Symbol::Word(word)),
                };
            }
            '"' => return Err(QueryError { at, kind: QueryErrorKind::StrayQuote }),
            _ => {
                word.push(character);
                rest.next();
            }
        }
    }
    Ok(match word.as_str() {
        "AND" => Symbol::And,
        "OR" => Symbol::Or,
        "NOT" => Symbol::Not,
        _ => Symbol::Word(word),
    })
}

/// Reads a quoted value, from its opening to its closing quote, onto the end of `word`.
fn quoted(rest: &mut Characters<'_>, word: &mut String) -> Result<(), QueryError> {
    let opened_at = rest.next().map_or(0, |(at, _)| at);
    while let Some((_, character)) = rest.next() {
        match character {
            '"' => return Ok(()),
            '\\' => match rest.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => word.push(escaped),
                None => word.push('\\'),
            },
            _ => word.push(character),
        }
    }
    Err(QueryError { at: opened_at, kind: QueryErrorKind::UnclosedQuote })
}

struct Parser {
    symbols: Vec<(usize, Symbol)>,
    next: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<(usize, &Symbol)> {
        self.symbols.get(self.next).map(|(at, symbol)| (*at, symbol))
    }

    /// Steps over this symbol if it is the next one, and says where it stood.
    fn take(&mut self, wanted: &Symbol) -> Option<usize> {
        let at = self.peek().filter(|(_, symbol)| *symbol == wanted).map(|(at, _)| at)?;
        self.next += 1;
        Some(at)
    }

    fn any(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let first = self.all(depth)?;
        let Some(at) = self.take(&Symbol::Or) else { return Ok(first) };
        let mut of = vec![first, self.all(depth)?];
        while self.take(&Symbol::Or).is_some() {
            of.push(self.all(depth)?);
        }
        Ok(Expression::Any { at, of })
    }

    fn all(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let first = self.single(depth)?;
        let Some(at) = self.take(&Symbol::And) else { return Ok(first) };
        let mut of = vec![first, self.single(depth)?];
        while self.take(&Symbol::And).is_some() {
            of.push(self.single(depth)?);
        }
        Ok(Expression::All { at, of })
    }

    fn single(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let Some((at, symbol)) = self.peek() else {
            return Err(QueryError { at: self.end, kind: QueryErrorKind::ExpectedTerm });
        };
        match symbol {
            Symbol::Word(word) => {
                let term = Term::parse(word).map_err(|error| QueryError { at, kind: error.into() })?;
                self.next += 1;
                Ok(Expression::Term { term })
            }
            Symbol::Open if depth == MAX_QUERY_DEPTH => Err(QueryError { at, kind: QueryErrorKind::TooDeep }),
            Symbol::Open => {
                self.next += 1;
                let inside = self.any(depth + 1)?;
                self.close(at)?;
                Ok(inside)
            }
            Symbol::Not => Err(QueryError { at, kind: QueryErrorKind::NoNot }),
            Symbol::Close | Symbol::And | Symbol::Or => Err(QueryError { at, kind: QueryErrorKind::ExpectedTerm }),
        }
    }

    fn close(&mut self, opened_at: usize) -> Result<(), QueryError> {
        match self.peek() {
            Some((_, Symbol::Close)) => {
                self.next += 1;
                Ok(())
            }
            None => Err(QueryError { at: opened_at, kind: QueryErrorKind::UnclosedParenthesis }),
            Some((at, Symbol::Not)) => Err(QueryError { at, kind: QueryErrorKind::NoNot }),
            Some((at, _)) => Err(QueryError { at, kind: QueryErrorKind::ExpectedOperator }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, QueryErrorKind) {
        let error = parse(text).unwrap_err();
        (error.at, error.kind)
    }

    #[test]
    fn errors_point_at_the_place() {
        use QueryErrorKind::{
            ExpectedOperator, ExpectedTerm, NoNot, StrayQuote, TooDeep, UnclosedParenthesis, UnclosedQuote,
            UnopenedParenthesis,
        };
        assert_eq!(error(""), (0, ExpectedTerm));
        assert_eq!(error("   "), (3, ExpectedTerm));
        assert_eq!(error("AND body:x"), (0, ExpectedTerm));
        assert_eq!(error("body:x AND"), (10, ExpectedTerm));
        assert_eq!(error("body:x OR OR body:y"), (10, ExpectedTerm));
        assert_eq!(error("()"), (1, ExpectedTerm));
        assert_eq!(error("body:x body:y"), (7, ExpectedOperator));
        assert_eq!(error("body:x and body:y"), (7, ExpectedOperator));
        assert_eq!(error("body:left knee"), (10, ExpectedOperator));
        assert_eq!(error("(body:x body:y)"), (8, ExpectedOperator));
        assert_eq!(error("body:\"x\"y"), (8, ExpectedOperator));
        assert_eq!(error("(body:x OR (body:y)"), (0, UnclosedParenthesis));
        assert_eq!(error("body:x)"), (6, UnopenedParenthesis));
        assert_eq!(error("body:\"x"), (5, UnclosedQuote));
        assert_eq!(error("body:a\"x\""), (6, StrayQuote));
        assert_eq!(error("\"body:x\""), (0, StrayQuote));
        assert_eq!(error("NOT body:x"), (0, NoNot));
        assert_eq!(error("body:x AND NOT body:y"), (11, NoNot));
        assert_eq!(error("body:x NOT body:y"), (7, NoNot));
        assert_eq!(error("é:x"), (0, QueryErrorKind::Term(TermError::UnknownFacet)));
        assert_eq!(error("body:é AND nothing"), (12, QueryErrorKind::Term(TermError::NoFacet)));
        let deep = |depth: usize| format!("{}body:x{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&deep(MAX_QUERY_DEPTH)).is_ok());
        assert_eq!(error(&deep(MAX_QUERY_DEPTH + 1)), (MAX_QUERY_DEPTH, TooDeep));
        let long = format!("body:x{}", " ".repeat(MAX_QUERY_BYTES));
        assert_eq!(error(&long), (MAX_QUERY_BYTES, QueryErrorKind::TooLong));
    }

    #[test]
    fn quotes_hold_spaces_parentheses_and_each_other() {
        for (text, value) in [
            ("body:\"left knee\"", "left knee"),
            ("keyword:\"a (b) OR c\"", "a (b) or c"),
            (r#"keyword:"say \"x\" \\ \n""#, r#"say "x" \ \n"#),
            ("keyword:a\\b", "a\\b"),
            ("code:icd:i63", "icd:i63"),
        ] {
            let Expression::Term { term } = parse(text).unwrap() else { panic!("{text}") };
            assert_eq!(term.value(), value);
        }
    }

    #[test]
    fn the_message_says_where() {
        let error = parse("body:x body:y").unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected AND or OR between two terms (values with spaces need quotes) (at byte 7 of the query)"
        );
    }
}
