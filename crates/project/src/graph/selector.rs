//! The text of a selector: criteria joined by commas (all must hold) and blanks (any may hold).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use super::criterion::{Criterion, Method};
use crate::state::Needs;
use crate::yaml::{SourceFile, nearest};

/// One argument of `--select` or `--exclude`.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// Any of these; of the criteria of each, all.
    pub union: Vec<Vec<Criterion>>,
    /// The bytes of each criterion in the argument.
    spans: Vec<Vec<Range<usize>>>,
    source: Arc<SourceFile>,
}

/// A selector that is not one.
#[derive(Debug, Error, Diagnostic)]
#[error("`{text}` is not a selector: {problem}")]
#[diagnostic(code(rwt::select::malformed))]
pub struct SelectorError {
    /// The argument as given.
    pub text: String,
    /// What is wrong.
    pub problem: String,
    /// What to write.
    #[help]
    pub help: Option<String>,
    /// The argument, under its option's name.
    #[source_code]
    pub file: Arc<SourceFile>,
    /// The part that is wrong.
    #[label("here")]
    pub at: SourceSpan,
}

impl Selector {
    /// Parses an argument. `option` is the option's name for messages, for example `--select`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(option: &str, text: &str) -> Result<Self, SelectorError> {
        let source = SourceFile::new(option, text);
        let parser = Parser {
            text,
            source: &source,
        };
        let mut union = Vec::new();
        let mut spans = Vec::new();
        for word in words(text) {
            let mut criteria = Vec::new();
            let mut ranges = Vec::new();
            let mut start = word.start;
            for part in text[word].split(',') {
                let range = start..start + part.len();
                criteria.push(parser.criterion(range.clone())?);
                start = range.end + 1;
                ranges.push(range);
            }
            union.push(criteria);
            spans.push(ranges);
        }
        if union.is_empty() {
            let help = "leave the option out to choose everything";
            return Err(parser.error(0..text.len(), "it is empty", Some(help.to_owned())));
        }
        Ok(Self {
            union,
            spans,
            source,
        })
    }

    /// What must be known of the past to tell what is chosen.
    pub fn needs(&self) -> Needs {
        let criteria = self.union.iter().flatten();
        criteria.fold(Needs::default(), |needs, criterion| {
            needs | criterion.needs()
        })
    }

    /// The argument under its option's name, and the place of a criterion in it.
    pub(super) fn place(&self, part: usize, criterion: usize) -> (Arc<SourceFile>, SourceSpan) {
        let range = self.spans[part][criterion].clone();
        (Arc::clone(&self.source), (range.start, range.len()).into())
    }
}

impl fmt::Display for Selector {
    /// The selector with every method written out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, criteria) in self.union.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            for (j, criterion) in criteria.iter().enumerate() {
                if j > 0 {
                    f.write_str(",")?;
                }
                write!(f, "{criterion}")?;
            }
        }
        Ok(())
    }
}

/// The ranges of what stands between blanks.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let base = text.as_ptr() as usize;
    text.split_whitespace().map(move |word| {
        let start = word.as_ptr() as usize - base;
        start..start + word.len()
    })
}

struct Parser<'a> {
    text: &'a str,
    source: &'a Arc<SourceFile>,
}

impl Parser<'_> {
    fn criterion(&self, range: Range<usize>) -> Result<Criterion, SelectorError> {
        let text = &self.text[range.clone()];
        if text.is_empty() {
            let help = "a comma stands between two criteria, without blanks: `tag:a,config.x:b`";
            // The comma and its neighbour, which may be of several bytes.
            let before = self.text[..range.start].char_indices().next_back();
            let behind = self.text[range.end..].chars().next();
            let around =
                before.map_or(0, |(at, _)| at)..range.end + behind.map_or(0, char::len_utf8);
            return Err(self.error(
                around,
                "there is nothing on one side of a comma",
                Some(help.to_owned()),
            ));
        }
        let mut start = range.start;
        let mut end = range.end;
        let at = text.starts_with('@');
        start += usize::from(at);
        let parents = self.depth_before(&mut start, end)?;
        let children = self.depth_behind(start, &mut end)?;
        if at && (parents.is_some() || children.is_some()) {
            let help = "`@x` already takes what hangs on x and all that it needs";
            return Err(self.error(
                range,
                "`@` and `+` do not go together",
                Some(help.to_owned()),
            ));
        }
        let inner = &self.text[start..end];
        let (method, value_at) = self.method(start, inner)?;
        let value = &self.text[value_at..end];
        if value.is_empty() {
            return Err(self.error(range, "a name or value is missing", None));
        }
        if let Some(plus) = value.find(['+', '@']) {
            let help = "`+` and `@` stand before or behind a criterion: `+name`, `name+`, `2+name+1`, `@name`";
            let plus = value_at + plus..value_at + plus + 1;
            return Err(self.error(
                plus,
                "a name has no `+` or `@` in it",
                Some(help.to_owned()),
            ));
        }
        let mut criterion = Criterion::new(method, value)
            .map_err(|problem| self.error(value_at..end, &problem, None))?;
        criterion.at = at;
        criterion.parents = parents;
        criterion.children = children;
        Ok(criterion)
    }

    /// `+` or `n+` at the start; moves `start` behind it.
    fn depth_before(
        &self,
        start: &mut usize,
        end: usize,
    ) -> Result<Option<Option<usize>>, SelectorError> {
        let text = &self.text[*start..end];
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        if text.as_bytes().get(digits) != Some(&b'+') {
            return Ok(None);
        }
        let depth = self.depth(*start..*start + digits)?;
        *start += digits + 1;
        Ok(Some(depth))
    }

    /// `+` or `+n` at the end; moves `end` before it.
    fn depth_behind(
        &self,
        start: usize,
        end: &mut usize,
    ) -> Result<Option<Option<usize>>, SelectorError> {
        let text = &self.text[start..*end];
        let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
        let before = text.len() - digits;
        if before == 0 || text.as_bytes()[before - 1] != b'+' {
            return Ok(None);
        }
        let depth = self.depth(start + before..*end)?;
        *end = start + before - 1;
        Ok(Some(depth))
    }

    fn depth(&self, range: Range<usize>) -> Result<Option<usize>, SelectorError> {
        let digits = &self.text[range.clone()];
        if digits.is_empty() {
            return Ok(None);
        }
        let depth = digits.parse().map_err(|_| {
            self.error(
                range,
                "this number of steps is too large",
                Some("`+` alone means all".to_owned()),
            )
        })?;
        Ok(Some(depth))
    }

    /// The method, written or implied, and where the value begins.
    fn method(&self, start: usize, inner: &str) -> Result<(Method, usize), SelectorError> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
        };
        let Some((word, _)) = inner.split_once(':').filter(|(word, _)| is_word(word)) else {
            return Ok((implied(inner), start));
        };
        let method = match word {
            "fqn" => Method::Fqn,
            "tag" => Method::Tag,
            "path" => Method::Path,
            "file" => Method::File,
            "source" => Method::Source,
            "package" => Method::Package,
            "resource_type" => Method::ResourceType,
            "test_type" => Method::TestType,
            "test_name" => Method::TestName,
            "unit_test" => Method::UnitTest,
            "group" => Method::Group,
            "access" => Method::Access,
            "version" => Method::Version,
            "exposure" => Method::Exposure,
            "state" => Method::State,
            "result" => Method::Result,
            "source_status" => Method::SourceStatus,
            _ => match word.strip_prefix("config.") {
                Some(keys) if keys.split('.').all(|key| !key.is_empty()) => {
                    Method::Config(keys.split('.').map(str::to_owned).collect())
                }
                _ => return Err(self.unknown_method(start, word)),
            },
        };
        Ok((method, start + word.len() + 1))
    }

    fn unknown_method(&self, start: usize, word: &str) -> SelectorError {
        let help = if word == "config" || word == "config." {
            "name the config: `config.materialized:view`".to_owned()
        } else {
            match nearest(word, Method::WORDS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the methods are: {}", Method::WORDS.join(", ")),
            }
        };
        let problem = format!("there is no method `{word}`");
        self.error(start..start + word.len(), &problem, Some(help))
    }

    fn error(&self, range: Range<usize>, problem: &str, help: Option<String>) -> SelectorError {
        SelectorError {
            text: self.text.to_owned(),
            problem: problem.to_owned(),
            help,
            file: Arc::clone(self.source),
            at: (range.start, range.len()).into(),
        }
    }
}

/// dbt's rule for a value without a method: with a `/` it is a path, with a model's extension a file, else a name.
fn implied(value: &str) -> Method {
    let lower = value.to_lowercase();
    if value.contains('/') || value.contains(std::path::MAIN_SEPARATOR) {
        Method::Path
    } else if [".sql", ".py", ".csv"]
        .iter()
        .any(|extension| lower.ends_with(extension))
    {
        Method::File
    } else {
        Method::Fqn
    }
}
