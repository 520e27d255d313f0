//! Search terms: from the words a person types to the tokens the vault keeps.
//!
//! - [`Term`]: one facet and one normalised value, `modality:mri`.
//! - [`Blinding`] and [`SearchKey`]: both sides of a VOPRF (RFC 9497), by which a term becomes a [`Token`] that only the holder of the search key
//!   can compute and that the vault computes without seeing the term.
//! - [`Query`]: `type:mri AND (body:brain OR code:I63)`, and [`TokenQuery`], the same with tokens, which is all the vault gets.
//!
//! Terms say what is in a patient's record. They are never sent, stored or logged; `Debug` does not print them.
//!
//! ```
//! use chartseal_ledger::terms::{Blinding, OsRng, Query, SearchKey};
//!
//! let search_key = SearchKey::generate(&mut OsRng); // in the vault, once per epoch
//! let public_key = search_key.public_key();         // in the genesis event
//!
//! let query = Query::parse("modality:MRI AND body:brain")?;
//! let (blinding, blinded) = Blinding::new(query.distinct_terms(), &mut OsRng)?;
//! let answer = search_key.evaluate_batch(&blinded, &mut OsRng)?; // POST /tokens
//! let tokens = blinding.finish(&answer.evaluated, &answer.proof, &public_key)?;
//! let json = query.with_tokens(&tokens)?.to_json(); // the private field `query` of search.perform.v1
//! # assert!(json.starts_with("{\"any\":[["));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blind;
mod grammar;
mod query;
mod term;
mod token;

pub use blind::{BlindError, Blinding, Evaluation, PROOF_BYTES, SearchKey, SearchKeyError};
pub use grammar::{MAX_QUERY_BYTES, MAX_QUERY_DEPTH, QueryError, QueryErrorKind};
pub use query::{MAX_CLAUSE_TERMS, MAX_CLAUSES, MAX_TOKEN_QUERY_BYTES, Query, TokenQuery, TokenQueryError};
pub use rand_core::OsRng;
pub use term::{Facet, MAX_TERM_BYTES, MAX_TERMS, Term, TermError, index_terms};
pub use token::{Token, TokenError, TokenListError, join_tokens, split_tokens};
