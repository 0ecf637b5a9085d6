//! What goes wrong while a template is read or rendered: where in the file, through which macros, why.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Error, ErrorKind};
use rwt_project::yaml::{Location, SourceFile};

use crate::materialize::DatabaseError;

/// An error that a function of the context raised on purpose, with its own code and help.
#[derive(Debug, Clone)]
pub struct Raised {
    /// Stable code, for example `rwt::jinja::env_var`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Raised {}

/// Makes an error for a template function to return.
pub fn raise(code: &'static str, message: impl Into<String>, help: Option<String>) -> Error {
    let message = message.into();
    Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised {
        code,
        message,
        help,
    })
}

/// Carries what the database refused through the template to the caller.
pub fn raise_database(error: DatabaseError) -> Error {
    Error::new(ErrorKind::InvalidOperation, error.message.clone()).with_source(error)
}

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File and bytes.
    pub at: Location,
    /// What the place does, for example `calls rate`.
    pub note: String,
}

/// An error with its places, the outermost call first and the cause last.
#[derive(Debug, Clone)]
pub struct TemplateError {
    /// Stable code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// From the model to the macro that failed; empty where no file is to blame.
    pub places: Vec<Place>,
    /// What the database refused, if it was that.
    pub database: Option<Box<DatabaseError>>,
}

impl TemplateError {
    /// An error at one place.
    pub fn at(
        code: &'static str,
        message: impl Into<String>,
        help: Option<String>,
        file: &Arc<SourceFile>,
        range: Range<usize>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            help,
            places: vec![Place {
                at: Location::new(Arc::clone(file), range),
                note: "here".to_owned(),
            }],
            database: None,
        }
    }
}

/// Finds the texts that places refer to.
pub trait Sources {
    /// The file, and the file's range for a range of the rewritten text.
    fn locate(
        &self,
        template: &str,
        range: Range<usize>,
    ) -> Option<(Arc<SourceFile>, Range<usize>)>;

    /// Names that a template could have meant by `name`, the nearest first.
    fn nearest(&self, name: &str) -> Option<String>;
}

/// One step of the way from the model to the cause: which macro the failing call went to.
#[derive(Debug)]
pub(super) struct InMacro {
    pub name: String,
    pub cause: Error,
}

impl fmt::Display for InMacro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in macro {}", self.name)
    }
}

impl std::error::Error for InMacro {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// An error in a text that is no file of the project: a hook, a value of a YAML file.
#[derive(Debug)]
pub(super) struct InText {
    pub name: String,
    pub file: Arc<SourceFile>,
    /// In the text, if the error is in the text itself and not in a macro that it calls.
    pub range: Option<Range<usize>>,
    pub cause: Error,
}

impl fmt::Display for InText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}", self.name)
    }
}

impl std::error::Error for InText {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// Walks minijinja's error down to its cause and collects the places on the way.
pub fn template_error(error: &Error, sources: &dyn Sources) -> TemplateError {
    let mut places: Vec<Place> = Vec::new();
    let mut current = error;
    let mut innermost = error;
    let mut out = TemplateError {
        code: "rwt::jinja::error",
        message: String::new(),
        help: None,
        places: Vec::new(),
        database: None,
    };
    // The text that the current error is in, where that is not a file of the project.
    let mut text: Option<&InText> = None;
    loop {
        let inside = text
            .take()
            .filter(|text| current.name() == Some(text.name.as_str()));
        let mut place = match inside {
            Some(text) => Some(Place {
                at: Location::new(
                    Arc::clone(&text.file),
                    text.range.clone().unwrap_or_default(),
                ),
                note: "here".to_owned(),
            }),
            None => place_of(current, sources),
        };
        if current.name().is_some() || current.detail().is_some() {
            innermost = current;
        }
        let source = std::error::Error::source(current);
        let called = source.and_then(|source| source.downcast_ref::<InMacro>());
        if let (Some(place), Some(called)) = (&mut place, called) {
            place.note = format!("calls {}", called.name);
        }
        if let Some(place) = place
            && places.last().is_none_or(|last| last.at != place.at)
        {
            places.push(place);
        }
        if let Some(called) = called {
            current = &called.cause;
            continue;
        }
        let Some(source) = source else { break };
        if let Some(inner) = source.downcast_ref::<InText>() {
            text = Some(inner);
            current = &inner.cause;
        } else if let Some(inner) = source.downcast_ref::<Error>() {
            current = inner;
        } else {
            if let Some(raised) = source.downcast_ref::<Raised>() {
                out.code = raised.code;
                out.message.clone_from(&raised.message);
                out.help.clone_from(&raised.help);
            } else if let Some(database) = source.downcast_ref::<DatabaseError>() {
                out.code = "rwt::database::error";
                out.message.clone_from(&database.message);
                out.database = Some(Box::new(database.clone()));
            }
            break;
        }
    }
    if out.message.is_empty() {
        describe(innermost, places.last(), sources, &mut out);
    }
    out.places = places;
    out
}

fn place_of(error: &Error, sources: &dyn Sources) -> Option<Place> {
    let name = error.name()?;
    let (file, range) = match error.range() {
        Some(range) => {
            let (file, range) = sources.locate(name, range)?;
            // minijinja's range of a chain of attributes can begin at one of its dots.
            let mut start = range.start;
            if file.text()[start..].starts_with('.') {
                let head = file.text()[..start]
                    .trim_end_matches(|c: char| c.is_alphanumeric() || "_.".contains(c));
                start = head.len();
            }
            (file, start..range.end)
        }
        None => {
            let (file, _) = sources.locate(name, 0..0)?;
            let range = line_range(file.text(), error.line()?);
            (file, range)
        }
    };
    Some(Place {
        at: Location::new(file, range),
        note: "here".to_owned(),
    })
}

fn line_range(text: &str, line: usize) -> Range<usize> {
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number + 1 == line {
            return start..start + content.trim_end().len();
        }
        start += content.len();
    }
    text.len()..text.len()
}

/// Words for minijinja's own errors.
fn describe(error: &Error, place: Option<&Place>, sources: &dyn Sources, out: &mut TemplateError) {
    let snippet = place.map(|place| place.at.text()).unwrap_or_default();
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::SyntaxError => {
            out.code = "rwt::jinja::syntax";
            out.message = format!("Jinja syntax error: {detail}");
        }
        ErrorKind::UnknownFunction => {
            let name = detail.strip_suffix(" is unknown").unwrap_or(detail);
            unknown(name, sources, out);
        }
        ErrorKind::InvalidOperation if detail.contains("undefined is not callable") => {
            let name = snippet.split('(').next().unwrap_or(snippet).trim();
            unknown(name, sources, out);
        }
        ErrorKind::UndefinedError => {
            out.code = "rwt::jinja::undefined";
            let name = snippet.trim();
            out.message = if name.is_empty() {
                "a value is undefined".to_owned()
            } else {
                format!("`{name}` is undefined")
            };
            let root = name.split(['.', '(', '[', ' ', '|']).next().unwrap_or(name);
            out.help = sources
                .nearest(root)
                .filter(|near| near != root)
                .map(|near| format!("did you mean `{near}`?"))
                .or_else(|| {
                    Some(
                        "give it a value with `{% set %}`, or a default with `| default(...)`"
                            .to_owned(),
                    )
                });
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest => {
            out.code = "rwt::jinja::unknown_filter";
            out.message = format!("unknown filter or test: {detail}");
        }
        ErrorKind::OutOfFuel => {
            out.code = "rwt::jinja::limit";
            out.message =
                "the template does not come to an end, or its output is too large".to_owned();
            out.help = Some(
                "look for a loop over a long range, or for macros that call each other".to_owned(),
            );
        }
        ErrorKind::InvalidOperation if detail.contains("recursion limit") => {
            out.code = "rwt::jinja::limit";
            out.message = "macros call each other too deeply".to_owned();
            out.help =
                Some("a macro that calls itself needs a condition under which it stops".to_owned());
        }
        kind => {
            out.message = if detail.is_empty() {
                kind.to_string()
            } else {
                detail.to_owned()
            };
        }
    }
}

fn unknown(name: &str, sources: &dyn Sources, out: &mut TemplateError) {
    out.code = "rwt::jinja::unknown_macro";
    out.message = format!("there is no macro or function `{name}`");
    out.help = sources
        .nearest(name)
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| Some("macros are read from the folders of macro-paths".to_owned()));
}
