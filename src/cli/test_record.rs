//! `rwt test --record MODEL`: a property file with a unit test beside the model's file.

use std::io::Write;
use std::path::PathBuf;

use super::context::{Context, unexpected};
use super::test::unit_engine;
use super::{CommandResult, Exit, Failure};
use crate::testing;
use crate::ui::Printer;

/// There is no such model.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("there is no model `{name}`")]
#[diagnostic(code(rwt::test::unknown_model), help("{help}"))]
struct UnknownModel {
    name: String,
    help: String,
}

/// The file is there: what somebody has written is not overwritten.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{} exists", path.display())]
#[diagnostic(
    code(rwt::test::recorded),
    help("rename it, and the test in it, or remove it; then record again")
)]
struct Exists {
    path: PathBuf,
}

pub(super) fn record(
    context: &mut Context,
    name: &str,
    limit: u32,
    printer: &Printer,
) -> CommandResult {
    if context.model(name).is_none() {
        let names = context.compiler.project().models.iter();
        let near = rwt_project::yaml::nearest(name, names.map(|model| model.name.as_str()));
        return Err(Failure::usage(UnknownModel {
            name: name.to_owned(),
            help: match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "--record takes the name of a model's file without .sql".to_owned(),
            },
        }));
    }
    context.ensure_stack(printer)?;
    let Some(model) = context.model(name) else {
        return Ok(Exit::Usage);
    };
    let folder = model.original_file_path.parent().map(PathBuf::from);
    let shown = folder
        .unwrap_or_default()
        .join(format!("{}_recorded.yml", model.name));
    let path = context.compiler.project().root.join(&shown);
    if path.exists() {
        return Err(Exists { path: shown }.into());
    }
    let connection = context.connector().connect()?;
    let mut tests = unit_engine(context)?;
    let text = testing::record(
        &context.compiler,
        model,
        &connection,
        limit,
        chrono::Utc::now(),
        (&mut tests, context.runtime().handle()),
    )?;
    let doing = format!("{} cannot be written", shown.display());
    std::fs::File::create_new(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(unexpected(&doing))?;
    printer.line(format!(
        "Wrote {}. Read it before you keep it: what the model gives now is what it expects.",
        shown.display()
    ));
    Ok(Exit::Ok)
}
