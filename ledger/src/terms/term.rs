//! One term: a facet and a value, in the one spelling that everybody blinds alike.
//!
//! A value is brought to Unicode NFKC (UAX #15), lower case (as `str::to_lowercase` and JavaScript's `toLowerCase`), NFKC once more, without white space at its ends and with
//! single spaces inside. Two spellings of a word then give one token. Dates are `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; a record of a day is also found by
//! its month and its year.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

/// Most terms of one record, of one query, and of one blinding.
pub const MAX_TERMS: usize = 32;
/// Most bytes of a term as it is blinded, facet and colon included.
pub const MAX_TERM_BYTES: usize = 256;
/// Most bytes of a value before it is normalised; normalising can make it shorter.
const MAX_RAW_VALUE_BYTES: usize = 1024;

/// What a value is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// The patient, by whatever name or number providers share.
    Patient,
    /// The kind of record: report, scan, bundle.
    Type,
    /// A diagnosis or procedure code.
    Code,
    /// A part of the body.
    Body,
    /// How an image was made.
    Modality,
    /// When the recorded thing happened.
    Date,
    /// The provider that made the record.
    Provider,
    /// Anything else.
    Keyword,
}

impl Facet {
    /// All facets.
    pub const ALL: [Self; 8] =
        [Self::Patient, Self::Type, Self::Code, Self::Body, Self::Modality, Self::Date, Self::Provider, Self::Keyword];

    /// The facet's name before the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Type => "type",
            Self::Code => "code",
            Self::Body => "body",
            Self::Modality => "modality",
            Self::Date => "date",
            Self::Provider => "provider",
            Self::Keyword => "keyword",
        }
    }
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Facet {
    type Err = TermError;

    fn from_str(name: &str) -> Result<Self, TermError> {
        Self::ALL.into_iter().find(|facet| name.eq_ignore_ascii_case(facet.as_str())).ok_or(TermError::UnknownFacet)
    }
}

/// Why something is no term. The text itself is not repeated: it may be about a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// There is no colon.
    #[error("a term is written facet:value, for example modality:mri")]
    NoFacet,
    /// There is no such facet.
    #[error("unknown facet; the facets are patient, type, code, body, modality, date, provider and keyword")]
    UnknownFacet,
    /// Nothing is left of the value.
    #[error("the value of a term is empty")]
    Empty,
    /// The value is too long.
    #[error("a term has at most {MAX_TERM_BYTES} bytes")]
    TooLong,
    /// A control character.
    #[error("a term has no control characters")]
    ControlCharacter,
    /// Not a date, or not one that exists.
    #[error("a date is YYYY, YYYY-MM or YYYY-MM-DD, and must exist")]
    BadDate,
    /// More terms than allowed.
    #[error("at most {MAX_TERMS} terms, months and years of dates included; there are {found}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

/// A facet and a normalised value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    facet: Facet,
    value: String,
}

impl Term {
    /// Normalises and checks a value.
    pub fn new(facet: Facet, value: &str) -> Result<Self, TermError> {
        if value.len() > MAX_RAW_VALUE_BYTES {
            return Err(TermError::TooLong);
        }
        let value = normalise(value);
        if value.is_empty() {
            return Err(TermError::Empty);
        }
        if value.chars().any(char::is_control) {
            return Err(TermError::ControlCharacter);
        }
        if facet.as_str().len() + 1 + value.len() > MAX_TERM_BYTES {
            return Err(TermError::TooLong);
        }
        if facet == Facet::Date && !is_date(&value) {
            return Err(TermError::BadDate);
        }
        Ok(Self { facet, value })
    }

    /// Reads `facet:value`. Everything after the first colon is the value.
    pub fn parse(text: &str) -> Result<Self, TermError> {
        let (facet, value) = text.split_once(':').ok_or(TermError::NoFacet)?;
        Self::new(facet.trim().parse()?, value)
    }

    /// The facet.
    pub const fn facet(&self) -> Facet {
        self.facet
    }

    /// The normalised value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The bytes that are blinded: UTF-8 of `facet:value`.
    pub fn to_input(&self) -> Vec<u8> {
        format!("{}:{}", self.facet, self.value).into_bytes()
    }

    /// The terms a record with this term is found by: a day also by its month and year, a month also by its year.
    pub fn expand(&self) -> Vec<Self> {
        let mut expanded = vec![self.clone()];
        if self.facet == Facet::Date {
            let shorter = [7, 4].into_iter().filter(|length| *length < self.value.len());
            expanded.extend(shorter.map(|length| Self { facet: Facet::Date, value: self.value[..length].to_owned() }));
        }
        expanded
    }
}

/// The terms to index a record by: expanded, each once, in order, at most [`MAX_TERMS`].
pub fn index_terms<'a>(terms: impl IntoIterator<Item = &'a Term>) -> Result<Vec<Term>, TermError> {
    let all: BTreeSet<Term> = terms.into_iter().flat_map(Term::expand).collect();
    if all.len() > MAX_TERMS {
        return Err(TermError::TooMany { found: all.len() });
    }
    Ok(all.into_iter().collect())
}

impl FromStr for Term {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, TermError> {
        Self::parse(text)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.facet, self.value)
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Term({}:..)", self.facet)
    }
}

fn normalise(value: &str) -> String {
    let folded: String = value.nfkc().collect::<String>().to_lowercase().nfkc().collect();
    let mut words = folded.split_whitespace();
    let mut normalised = String::with_capacity(folded.len());
    if let Some(first) = words.next() {
        normalised.push_str(first);
    }
    for word in words {
        normalised.push(' ');
        normalised.push_str(word);
    }
    normalised
}

fn is_date(value: &str) -> bool {
    let number = |text: &str, digits: usize| -> Option<u32> {
        let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let mut parts = value.split('-');
    let (year, month, day) = (parts.next().and_then(|year| number(year, 4)), parts.next(), parts.next());
    if parts.next().is_some() {
        return false;
    }
    let Some(year @ 1..) = year else { return false };
    let Some(month) = month else { return true };
    let Some(month @ 1..=12) = number(month, 2) else { return false };
    let Some(day) = day else { return true };
    number(day, 2).is_some_and(|day| (1..=days(year, month)).contains(&day))
}

/// Days of a month in the Gregorian calendar.
const fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(term: &str) -> String {
        Term::parse(term).unwrap().to_string()
    }

    #[test]
    fn spellings_of_one_word_are_one_term() {
        for (written, normal) in [
            ("modality:MRI", "modality:mri"),
            (" Modality : mri ", "modality:mri"),
            ("keyword:  Left\t\u{a0}Knee\n", "keyword:left knee"),
            ("keyword:\u{ff2d}\u{ff32}\u{ff29}", "keyword:mri"),
            ("patient:Jose\u{301}", "patient:jos\u{e9}"),
            ("patient:JOS\u{c9}", "patient:jos\u{e9}"),
            ("keyword:\u{fb01}broma", "keyword:fibroma"),
            ("code:ICD:I63.9", "code:icd:i63.9"),
            ("patient:\u{391}\u{3a3}", "patient:\u{3b1}\u{3c2}"),
            ("date:\u{ff12}024-03", "date:2024-03"),
        ] {
            assert_eq!(text(written), normal, "{written:?}");
        }
    }

    #[test]
    fn what_is_no_term_says_why() {
        for (written, error) in [
            ("", TermError::NoFacet),
            ("mri", TermError::NoFacet),
            ("organ:brain", TermError::UnknownFacet),
            (":brain", TermError::UnknownFacet),
            ("body:", TermError::Empty),
            ("body: \u{3000} ", TermError::Empty),
            ("body:a\0b", TermError::ControlCharacter),
        ] {
            assert_eq!(Term::parse(written), Err(error), "{written:?}");
        }
    }

    #[test]
    fn the_limit_counts_facet_and_colon() {
        let longest = MAX_TERM_BYTES - "body:".len();
        assert_eq!(Term::new(Facet::Body, &"x".repeat(longest)).unwrap().to_input().len(), MAX_TERM_BYTES);
        assert_eq!(Term::new(Facet::Body, &"x".repeat(longest + 1)), Err(TermError::TooLong));
        assert_eq!(Term::new(Facet::Body, &" ".repeat(MAX_RAW_VALUE_BYTES + 1)), Err(TermError::TooLong));
        // One character that NFKC turns into eighteen.
        assert_eq!(Term::new(Facet::Body, &"\u{fdfa}".repeat(20)), Err(TermError::TooLong));
    }

    #[test]
    fn dates_must_exist() {
        for good in
            ["2024", "0001", "9999", "2024-01", "2024-12", "2024-02-29", "2000-02-29", "2023-04-30", "2023-12-31"]
        {
            assert!(Term::new(Facet::Date, good).is_ok(), "{good}");
        }
        for bad in [
            "0000",
            "24",
            "02024",
            "2024-",
            "2024-00",
            "2024-13",
            "2024-1",
            "2023-02-29",
            "1900-02-29",
            "2023-04-31",
            "2024-01-00",
            "2024-01-1",
            "2024-01-01-01",
            "2024/01/01",
            "20240101",
            "+024",
            "2024-01-01t00:00",
            "today",
        ] {
            assert_eq!(Term::new(Facet::Date, bad), Err(TermError::BadDate), "{bad}");
        }
    }

    #[test]
    fn a_day_is_found_by_its_month_and_year() {
        let names = |term: &str| Term::parse(term).unwrap().expand().iter().map(Term::to_string).collect::<Vec<_>>();
        assert_eq!(names("date:2024-03-07"), ["date:2024-03-07", "date:2024-03", "date:2024"]);
        assert_eq!(names("date:2024-03"), ["date:2024-03", "date:2024"]);
        assert_eq!(names("date:2024"), ["date:2024"]);
        assert_eq!(names("body:brain"), ["body:brain"]);
    }

    #[test]
    fn a_record_has_each_term_once_and_at_most_32() {
        let numbered = |count: usize| -> Vec<Term> {
            (0..count).map(|i| Term::new(Facet::Keyword, &i.to_string()).unwrap()).collect()
        };
        let mut terms = numbered(29);
        terms.push(Term::parse("date:2024-03-07").unwrap());
        terms.push(Term::parse("date:2024-03").unwrap());
        assert_eq!(index_terms(&terms).unwrap().len(), MAX_TERMS);
        terms.push(Term::parse("date:2025").unwrap());
        assert_eq!(index_terms(&terms), Err(TermError::TooMany { found: 33 }));
    }

    #[test]
    fn a_term_does_not_print_its_value() {
        assert_eq!(format!("{:?}", Term::parse("patient:ann").unwrap()), "Term(patient:..)");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn normalising_twice_changes_nothing(value in "\\PC{1,40}") {
            if let Ok(term) = Term::new(Facet::Keyword, &value) {
                prop_assert_eq!(Term::new(Facet::Keyword, term.value()).unwrap(), term.clone());
                prop_assert_eq!(Term::parse(&term.to_string()).unwrap(), term);
            }
        }

        #[test]
        fn case_and_space_do_not_matter(words in prop::collection::vec("[a-z0-9]{1,8}", 1..5), gap in "[ \t\u{2003}]{1,3}") {
            let plain = Term::new(Facet::Keyword, &words.join(" ")).unwrap();
            prop_assert_eq!(Term::new(Facet::Keyword, &words.join(&gap).to_uppercase()).unwrap(), plain);
        }
    }

    /// Every character of the first two planes, alone and beside others: normalising it twice is normalising it once.
    #[test]
    fn every_character_has_one_normal_form() {
        for character in '\0'..='\u{1ffff}' {
            for value in [character.to_string(), format!("a{character}"), format!("{character}\u{301}")] {
                let once = normalise(&value);
                assert_eq!(normalise(&once), once, "U+{:04X}", u32::from(character));
            }
        }
    }
}
