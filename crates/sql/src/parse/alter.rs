//! DROP, ALTER and COMMENT.

use super::columns::column;
use super::cursor::{Cursor, Parsed};
use super::statement::other;
use crate::statement::{Alter, AlterAction, Drop, ObjectKind, Statement};

/// The kinds of objects by their words in the grammar.
const KINDS: [(&str, ObjectKind); 13] = [
    ("materialized view", ObjectKind::MaterializedView),
    ("table", ObjectKind::Table),
    ("source", ObjectKind::Source),
    ("sink", ObjectKind::Sink),
    ("view", ObjectKind::View),
    ("index", ObjectKind::Index),
    ("connection", ObjectKind::Connection),
    ("secret", ObjectKind::Secret),
    ("subscription", ObjectKind::Subscription),
    ("schema", ObjectKind::Schema),
    ("database", ObjectKind::Database),
    ("function", ObjectKind::Function),
    ("user", ObjectKind::User),
];

/// What `ALTER … SET <name> TO|= <value>` sets.
const PARAMETERS: [&str; 10] = [
    "parallelism",
    "backfill_parallelism",
    "source_rate_limit",
    "backfill_rate_limit",
    "dml_rate_limit",
    "sink_rate_limit",
    "retention",
    "resource_group",
    "barrier_interval_ms",
    "checkpoint_frequency",
];

/// A kind's words.
pub(super) fn object_kind(c: &mut Cursor<'_>) -> Option<ObjectKind> {
    KINDS
        .iter()
        .find(|(words, _)| c.take_words(words))
        .map(|(_, kind)| *kind)
}

/// `DROP <kind> [IF EXISTS] <name> [CASCADE | RESTRICT]`
pub(super) fn drop(c: &mut Cursor<'_>) -> Parsed<Statement> {
    if c.nth_is_word(1, "aggregate") {
        return other(c, 2);
    }
    c.advance();
    let Some(kind) = object_kind(c) else {
        return Err(c.expected(
            "TABLE, VIEW, INDEX, MATERIALIZED VIEW, SOURCE, SINK, SUBSCRIPTION, SCHEMA, DATABASE, USER, SECRET, \
             CONNECTION, or FUNCTION after DROP",
        ));
    };
    let if_exists = c.if_exists();
    let names = vec![c.object_name()?];
    let arguments = if kind == ObjectKind::Function && c.is_symbol("(") {
        Some(arguments(c)?)
    } else {
        None
    };
    let cascade = c.take_words("cascade");
    if !cascade {
        c.take_words("restrict");
    }
    Ok(Statement::Drop(Drop {
        kind,
        if_exists,
        names,
        arguments,
        cascade,
    }))
}

/// `(type, …)` of a function, as text without the brackets
fn arguments(c: &mut Cursor<'_>) -> Parsed<String> {
    c.expect_symbol("(")?;
    let from = c.position();
    c.skip_until(|_| false)?;
    let text = c.text_since(from).to_owned();
    c.expect_symbol(")")?;
    Ok(text)
}

/// `ALTER …`
pub(super) fn alter(c: &mut Cursor<'_>) -> Parsed<Statement> {
    if c.nth_is_word(1, "system") {
        return alter_system(c);
    }
    if c.nth_is_word(1, "default") || c.nth_is_word(1, "fragment") || c.nth_is_word(1, "compaction")
    {
        return other(c, 2);
    }
    c.advance();
    let Some(kind) = object_kind(c) else {
        return Err(c.expected(
            "DATABASE, SCHEMA, TABLE, INDEX, MATERIALIZED, VIEW, SINK, SUBSCRIPTION, SOURCE, FUNCTION, USER, SECRET, \
             CONNECTION or SYSTEM after ALTER",
        ));
    };
    c.if_exists();
    let name = c.object_name()?;
    if kind == ObjectKind::Function && c.is_symbol("(") {
        arguments(c)?;
    }
    let action = action(c, kind)?;
    Ok(Statement::Alter(Alter { kind, name, action }))
}

fn action(c: &mut Cursor<'_>, kind: ObjectKind) -> Parsed<AlterAction> {
    let from = c.position();
    if c.take_words("rename to") {
        return Ok(AlterAction::RenameTo(c.ident()?));
    }
    if c.take_words("swap with") {
        return Ok(AlterAction::SwapWith(c.object_name()?));
    }
    if c.take_words("owner to") {
        return Ok(AlterAction::OwnerTo(c.ident()?));
    }
    if c.take_words("set schema") {
        return Ok(AlterAction::SetSchema(c.ident()?));
    }
    let has_columns = matches!(kind, ObjectKind::Table | ObjectKind::Source);
    if has_columns && c.is_word("add") && !is_constraint(c) {
        c.advance();
        c.take_words("column");
        let if_not_exists = c.if_not_exists();
        return Ok(AlterAction::AddColumn {
            if_not_exists,
            column: column(c)?,
        });
    }
    if has_columns
        && c.is_word("drop")
        && !c.nth_is_word(1, "constraint")
        && !c.nth_is_word(1, "connector")
    {
        c.advance();
        c.take_words("column");
        let if_exists = c.if_exists();
        let column = c.column_name()?;
        if !c.take_words("cascade") {
            c.take_words("restrict");
        }
        return Ok(AlterAction::DropColumn { if_exists, column });
    }
    if kind == ObjectKind::Secret && c.is_any_word(&["with", "as"]) {
        let with = super::options::with_options(c)?;
        c.expect_words("as")?;
        let value = c.string()?;
        return Ok(AlterAction::SecretValue { with, value });
    }
    if let Some(action) = column_type(c)? {
        return Ok(action);
    }
    if c.is_word("set") && (c.nth_is_symbol(2, "=") || c.nth_is_word(2, "to")) {
        if !PARAMETERS.iter().any(|word| c.nth_is_word(1, word)) {
            c.advance();
            return Err(c.expected("SCHEMA/PARALLELISM/SOURCE_RATE_LIMIT/DML_RATE_LIMIT after SET"));
        }
        c.advance();
        let name = c.ident()?.value().to_owned();
        c.take_assignment();
        let value = super::session::setting_value(c)?;
        // A job that runs takes its new parallelism when it can.
        c.take_words("deferrably");
        return Ok(AlterAction::SetParameter { name, value });
    }
    let known = [
        "add",
        "alter",
        "as",
        "connector",
        "drop",
        "format",
        "rename",
        "refresh",
        "reset",
        "set",
        "swap",
        "with",
        "wait",
        "password",
        "encrypted",
        "superuser",
        "nosuperuser",
        "createdb",
        "nocreatedb",
        "createuser",
        "nocreateuser",
        "login",
        "nologin",
        "oauth",
    ];
    if c.is_any_word(&known) {
        return Ok(AlterAction::Other(c.rest_since(from)?));
    }
    Err(c.expected("ADD or RENAME or OWNER TO or SET or DROP or SWAP after the name"))
}

/// `ALTER [COLUMN] <column> [SET DATA] TYPE <type>`; what else ALTER COLUMN says is left to be read as text.
fn column_type(c: &mut Cursor<'_>) -> Parsed<Option<AlterAction>> {
    if !c.is_word("alter") {
        return Ok(None);
    }
    let name = if c.nth_is_word(1, "column") { 2 } else { 1 };
    let is_type = |at: usize| c.nth_is_word(at, "type");
    let is_set = c.nth_is_word(name + 2, "data") && is_type(name + 3);
    if !is_set && !is_type(name + 1) {
        return Ok(None);
    }
    c.advance();
    c.take_words("column");
    let column = c.column_name()?;
    c.take_words("set data");
    c.expect_words("type")?;
    let data_type = super::data_type::data_type(c)?;
    Ok(Some(AlterAction::ColumnType { column, data_type }))
}

/// `ADD CONSTRAINT …`, `ADD PRIMARY KEY …` and the like
fn is_constraint(c: &Cursor<'_>) -> bool {
    ["constraint", "primary", "unique", "foreign", "check"]
        .iter()
        .any(|word| c.nth_is_word(1, word))
}

/// `ALTER SYSTEM SET <name> TO|= <value>`
fn alter_system(c: &mut Cursor<'_>) -> Parsed<Statement> {
    c.expect_words("alter system set")?;
    let name = c.ident()?.value().to_owned();
    if !c.take_assignment() {
        return Err(c.expected("TO or ="));
    }
    let value = if c.take_words("default") {
        None
    } else {
        Some(super::session::setting_value(c)?)
    };
    Ok(Statement::AlterSystem { name, value })
}

/// `COMMENT ON TABLE | COLUMN <name> IS …`
pub(super) fn comment(c: &mut Cursor<'_>) -> Parsed<Statement> {
    c.expect_words("comment on")?;
    let on = if c.take_words("table") {
        "table"
    } else if c.take_words("column") {
        "column"
    } else {
        return Err(c.expected("comment object_type"));
    };
    let name = c.object_name()?;
    c.expect_words("is")?;
    let text = if c.take_words("null") {
        None
    } else {
        Some(c.string()?)
    };
    Ok(Statement::Comment {
        on: on.to_owned(),
        name,
        text,
    })
}
