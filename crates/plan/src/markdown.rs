//! A plan as a comment on a pull request: GitHub's Markdown, cut to what a comment may hold.

use std::fmt::Write;

use crate::plan::{Action, ObjectPlan, Plan};

/// Characters of a comment. GitHub takes 65,536; some are left for what others add.
const LONGEST: usize = 60_000;

impl Plan {
    /// The plan in GitHub's Markdown: the summary, a table of what changes, what that costs, and folded below it each
    /// difference and, with `statements`, the SQL in order. Secrets are hidden. What does not fit is left out, and said
    /// so; the table comes first.
    pub fn markdown(&self, statements: bool) -> String {
        let mut out = format!(
            "### rwt plan: {} on {}\n\n**{}**\n\n",
            escaped(&self.project),
            escaped(&self.target),
            self.summary()
        );
        let _ = writeln!(
            out,
            "Database {}, RisingWave {}, deployment {}\n",
            code(&self.database),
            self.server,
            code(&self.deployment)
        );
        if let Some(hooks) = self.hooks_first() {
            let _ = writeln!(out, "{hooks}\n");
        }
        let mut rest = Rest::default();
        let changing: Vec<&ObjectPlan> = self
            .objects
            .iter()
            .filter(|object| object.action != Action::Unchanged || !object.notes.is_empty())
            .collect();
        if !changing.is_empty() {
            out.push_str("| | Object | Why |\n|---|---|---|\n");
            for object in &changing {
                rest.push(&mut out, &row(object));
            }
            out.push('\n');
        }
        for object in &changing {
            rest.push(&mut out, &costs(object));
        }
        for leftover in &self.leftovers {
            rest.push(&mut out, &fenced("text", leftover.to_string().trim_end()));
        }
        for advice in &self.advice {
            let text = escaped(&advice.message);
            rest.push(
                &mut out,
                &format!("- {} {text}\n", code(&advice.code.to_string())),
            );
        }
        for object in changing.iter().filter(|object| !object.diff.is_empty()) {
            let summary = format!("{} {}", object.kind, object.relation);
            rest.push(&mut out, &folded(&summary, "diff", &object.diff));
        }
        if statements && !self.steps.is_empty() {
            rest.push(&mut out, &folded("Statements", "sql", &self.sql()));
        }
        if rest.left_out > 0 {
            let _ = write!(
                out,
                "\n{} more parts do not fit into a comment; `rwt plan` shows them.\n",
                rest.left_out
            );
        }
        out
    }
}

/// What still fits.
#[derive(Default)]
struct Rest {
    left_out: usize,
}

impl Rest {
    fn push(&mut self, out: &mut String, part: &str) {
        // Shorter than bytes are characters, so that this errs on the safe side.
        if out.len() + part.len() > LONGEST {
            self.left_out += 1;
        } else {
            out.push_str(part);
        }
    }
}

fn row(object: &ObjectPlan) -> String {
    let reasons: Vec<String> = object.reasons.iter().map(ToString::to_string).collect();
    let mut why = escaped(&reasons.join("; "));
    if let Some(blocked) = &object.blocked {
        let _ = write!(why, "<br>{}", escaped(&blocked.to_string()));
    }
    for drift in &object.drift {
        let _ = write!(why, "<br>outside of rwt: {}", escaped(&drift.to_string()));
    }
    for note in &object.notes {
        let _ = write!(why, "<br>{}", escaped(note));
    }
    format!(
        "| `{} {}` | {} {} | {why} |\n",
        object.action.sign(),
        object.action,
        object.kind,
        code(&object.relation.to_string()),
    )
}

fn costs(object: &ObjectPlan) -> String {
    let mut out = String::new();
    for cost in &object.consequences {
        let sign = if cost.is_destructive() { "**!** " } else { "" };
        let _ = writeln!(out, "- {sign}{}", escaped(&cost.to_string()));
    }
    out
}

/// A part that is shown when somebody clicks on it.
fn folded(summary: &str, language: &str, text: &str) -> String {
    format!(
        "\n<details><summary>{}</summary>\n\n{}</details>\n",
        html(summary),
        fenced(language, text.trim_end())
    )
}

/// A block of code behind a fence that its text does not hold.
fn fenced(language: &str, text: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// A name as code, also inside of a table.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '`'], " ").replace('|', "\\|");
    format!("`{text}`")
}

/// Text inside of HTML, where Markdown means nothing.
fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Text that stays text, also inside of a table.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            // Nobody is called by a plan.
            '@' => out.push_str("@\u{200b}"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            escaped("a|b <b> @all *x*"),
            "a\\|b &lt;b&gt; @\u{200b}all \\*x\\*"
        );
        assert_eq!(fenced("sql", "a ``` b"), "````sql\na ``` b\n````\n");
        assert_eq!(code("a`|b"), "`a \\|b`");
    }
}
