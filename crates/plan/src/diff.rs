//! The difference of an object's statements.

use std::fmt::Write;

use similar::TextDiff;

use crate::state::Definition;

/// All statements as one text, those that belong to the CREATE behind it.
fn text(definition: &Definition) -> String {
    let mut text = format!("{}\n", definition.create.trim_end());
    for (setting, value) in &definition.tuning {
        let _ = writeln!(text, "-- {setting} = {value}");
    }
    let indexes = definition.indexes.values();
    for statement in indexes
        .chain(&definition.grants)
        .chain(&definition.comments)
    {
        let _ = writeln!(text, "{}", statement.trim_end());
    }
    text
}

/// The unified difference with three lines around each change; empty where nothing differs.
pub(crate) fn diff(old: &Definition, new: &Definition) -> String {
    let (old, new) = (text(old), text(new));
    if old == new {
        return String::new();
    }
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .context_radius(3)
        .to_string()
}
