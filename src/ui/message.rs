//! An error or a warning without the text around its place, for machines and logs.

use std::fmt;

use miette::Diagnostic;
use serde::Serialize;

/// An error or a warning, for machines.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    code: Option<String>,
    message: String,
    /// Relative to the project.
    file: Option<String>,
    /// From 1.
    line: Option<usize>,
    /// From 1.
    column: Option<usize>,
    /// Bytes that are marked, from where `line` and `column` are.
    length: Option<usize>,
    help: Option<String>,
}

impl Message {
    pub(crate) fn of(diagnostic: &dyn Diagnostic) -> Self {
        let label = diagnostic.labels().and_then(|mut labels| labels.next());
        let place = label.as_ref().and_then(|label| {
            let contents = diagnostic
                .source_code()?
                .read_span(label.inner(), 0, 0)
                .ok()?;
            Some((
                contents.name().map(str::to_owned),
                contents.line() + 1,
                contents.column() + 1,
            ))
        });
        let (file, line, column) = match place {
            Some((file, line, column)) => (file, Some(line), Some(column)),
            None => (None, None, None),
        };
        Self {
            code: diagnostic.code().map(|code| code.to_string()),
            message: diagnostic.to_string(),
            file,
            line,
            column,
            length: label.map(|label| label.len()),
            help: diagnostic.help().map(|help| help.to_string()),
        }
    }
}

impl fmt::Display for Message {
    /// One line, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let (Some(line), Some(column)) = (self.line, self.column) {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}
