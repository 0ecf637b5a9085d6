//! Results as JUnit XML, which continuous integration reads.

use std::fmt::Write as _;

use super::report::{TestReport, TestRun, Verdict};

/// The document: a suite of data tests and a suite of unit tests, as far as there are any.
pub fn junit(run: &TestRun) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&TestReport> = run.tests.iter().collect();
    let _ = writeln!(
        out,
        "<testsuites name=\"rwt\" {}>",
        counts(&all, run.seconds)
    );
    for (kind, name) in [("unit_test", "unit tests"), ("test", "data tests")] {
        let tests: Vec<&TestReport> = (run.tests.iter())
            .filter(|test| test.resource_type == kind)
            .collect();
        if tests.is_empty() {
            continue;
        }
        let seconds: f64 = tests.iter().map(|test| test.seconds).sum();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" timestamp=\"{}\" {}>",
            run.started_at.format("%Y-%m-%dT%H:%M:%S"),
            counts(&tests, seconds)
        );
        for test in tests {
            case(test, &mut out);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts(tests: &[&TestReport], seconds: f64) -> String {
    let count = |status: Verdict| tests.iter().filter(|test| test.status == status).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{seconds:.3}\"",
        tests.len(),
        count(Verdict::Fail),
        count(Verdict::Error),
        count(Verdict::Skipped)
    )
}

fn case(test: &TestReport, out: &mut String) {
    let class = test.model.as_deref().unwrap_or(&test.file);
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" time=\"{:.3}\"",
        escaped(class),
        escaped(&test.name),
        escaped(&test.file),
        test.seconds
    );
    let message = escaped(test.message.as_deref().unwrap_or_default());
    let (tag, text) = match test.status {
        Verdict::Pass => {
            out.push_str("/>\n");
            return;
        }
        Verdict::Skipped => ("skipped", String::new()),
        // JUnit knows no warnings: the case passes and says it.
        Verdict::Warn => ("system-out", detail(test)),
        Verdict::Fail => ("failure", detail(test)),
        Verdict::Error => ("error", detail(test)),
    };
    let attribute = match tag {
        "system-out" => String::new(),
        _ => format!(" message=\"{message}\""),
    };
    let _ = writeln!(out, ">\n      <{tag}{attribute}>{}</{tag}>", escaped(&text));
    out.push_str("    </testcase>\n");
}

fn detail(test: &TestReport) -> String {
    let mut text = test.message.clone().unwrap_or_default();
    if let Some(difference) = &test.difference {
        let _ = write!(text, "\n{difference}");
    }
    if let Some(path) = &test.compiled_path {
        let _ = write!(text, "\ncompiled code at {path}");
    }
    text
}

/// Text of XML 1.0: control characters, which it cannot hold, become the replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}
