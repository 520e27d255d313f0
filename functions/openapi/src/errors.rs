//! `docs/ERRORS.md`: the table of problem codes.

use std::fmt::Write as _;

use chartseal_events::Code;

const INTRODUCTION: &str = "\
# Errors

Generated from the code (`cargo xtask generate`); do not edit.

Whatever the vault refuses it answers with problem details (RFC 9457, `application/problem+json`):

| member | |
|---|---|
| `type` | `urn:chartseal:problem:<code>` |
| `code` | the stable code, from the table below: the member to program against |
| `status` | the HTTP status again |
| `title` | what is wrong, in one line |
| `detail` | what to do next |
| `field` | the member at fault, where there is one |
| `request_id` | names the call in the vault's log: give it to the operators when you ask them |
| `trace` | names the command in every log line that has to do with it, where the call had a well-formed one |

What was refused changed nothing. What a 5xx is about stands in the log alone. After a 5xx, or no answer at all, send the same bytes again: a \
command that was taken is answered with its event, and never done twice. To a caller who may not see a thing it does not exist (404).

";

/// The document.
pub fn errors() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("| code | status | what is wrong | what to do |\n|---|---|---|---|\n");
    for code in Code::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{code}` | {} | {} | {} |", code.status(), cell(code.title()), cell(code.advice()));
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_line() {
        let text = errors();
        for code in Code::ALL {
            assert_eq!(text.matches(&format!("| `{code}` | {} |", code.status())).count(), 1, "{code}");
        }
        assert!(text.ends_with("|\n"));
    }
}
