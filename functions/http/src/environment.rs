//! A function's parameters, from its environment: read once, everything that is missing or wrong told at once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the function's environment is incomplete; missing: [{}]; wrong: [{}]", missing.join(", "), wrong.join(", "))]
pub struct ConfigError {
    /// Variables that are not set, or empty.
    pub missing: Vec<&'static str>,
    /// Variables whose value cannot be, with what was expected.
    pub wrong: Vec<String>,
}

/// An environment that is being read.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    missing: Vec<&'static str>,
    wrong: Vec<String>,
}

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        Self::of(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// One with these variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), missing: Vec::new(), wrong: Vec::new() }
    }

    /// A variable's text. Where it is missing the text is empty and [`Environment::check`] will say so.
    pub fn text(&mut self, name: &'static str) -> String {
        let found = self.variables.get(name).filter(|value| !value.is_empty()).cloned();
        if found.is_none() {
            self.missing.push(name);
        }
        found.unwrap_or_default()
    }

    /// A variable's value, read by its own rules from a text that may be empty. Where it cannot be read [`Environment::check`] will say so.
    pub fn read<T: std::str::FromStr<Err: std::fmt::Display> + Default>(&mut self, name: &'static str) -> T {
        let text = self.variables.get(name).map_or("", String::as_str);
        text.parse().unwrap_or_else(|error| {
            self.wrong.push(format!("{name} ({error})"));
            T::default()
        })
    }

    /// A variable's whole number. Where it is missing or out of bounds it is the lowest one, and [`Environment::check`] will say so.
    pub fn number(&mut self, name: &'static str, bounds: RangeInclusive<u64>) -> u64 {
        let text = self.text(name);
        match text.parse() {
            Ok(number) if bounds.contains(&number) => number,
            _ => {
                if !text.is_empty() {
                    self.wrong.push(format!("{name} (a whole number, {} to {})", bounds.start(), bounds.end()));
                }
                *bounds.start()
            }
        }
    }

    /// Ends the reading: everything that is missing or wrong, together.
    pub fn check(self) -> Result<(), ConfigError> {
        if self.missing.is_empty() && self.wrong.is_empty() {
            return Ok(());
        }
        Err(ConfigError { missing: self.missing, wrong: self.wrong })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut env = Environment::of([pair("ORIGIN", "v"), pair("SECONDS", "0"), pair("TABLE", "")]);
        assert_eq!(env.text("ORIGIN"), "v");
        env.text("TABLE");
        env.text("BUCKET");
        env.number("SECONDS", 1..=60);
        env.number("LIMIT", 1..=60);
        let error = env.check().expect_err("incomplete");
        assert_eq!(error.missing, ["TABLE", "BUCKET", "LIMIT"]);
        assert_eq!(error.wrong, ["SECONDS (a whole number, 1 to 60)"]);

        let mut env = Environment::of([pair("SECONDS", "60")]);
        assert_eq!(env.number("SECONDS", 1..=60), 60);
        assert_eq!(env.check(), Ok(()));
    }
}
