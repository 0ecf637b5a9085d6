//! The one minijinja environment of a project: every macro and every model is compiled once, then rendered as often as
//! needed, from any thread.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use rwt_project::yaml::{Location, SourceFile, nearest};

use super::edits::OffsetMap;
use super::error::{self, TemplateError, template_error};
use super::macros::{MacroDefinition, MacroTable, MacroValue};
use super::rewrite::{FileKind, Rewritten, rewrite};
use super::scope::{Phase, Scope, ScopeValue};

/// What one rendering may do: about so many instructions, and 64 times as many bytes of output.
const FUEL: u64 = 10_000_000;

/// Stands before every text that is rendered: lets macros be imported into the running template when they are called.
const DRIVER: &str = "{%- macro rwt__loader(rwt__file) %}{% import rwt__file as rwt__module %}\
                      {% do rwt__imported(rwt__file, rwt__module) %}{% endmacro -%}{%- do rwt__begin(rwt__loader) -%}";

const DRIVER_TEMPLATE: &str = "rwt:driver";

/// What stands before the expression that [`Jinja::evaluate`] keeps the value of.
pub(super) const KEEP: &str = "{%- do rwt__keep(";

/// Only the driver, for calling a macro from outside.
const CALL_TEMPLATE: &str = "rwt:call";

/// A rendered text and where its lines came from.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Where its bytes came from.
    pub lines: LineMap,
}

/// From a byte of a rendered text to the line of the file.
#[derive(Debug, Clone, Default)]
pub struct LineMap {
    /// Start in the rendered text, line of the file, whether each line break goes on to the file's next line.
    spans: Vec<(usize, usize, bool)>,
}

impl LineMap {
    /// The file's line, 1-based, for a byte of the rendered text.
    pub fn line(&self, text: &str, offset: usize) -> Option<usize> {
        let index = self.spans.partition_point(|(start, ..)| *start <= offset);
        let (start, line, verbatim) = self.spans[index.checked_sub(1)?];
        let passed = if verbatim {
            text.as_bytes()
                .get(start..offset)?
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
        } else {
            0
        };
        Some(line + passed)
    }
}

/// Where a template comes from: a model, a macro file, one macro of it, or another text.
pub struct Origin {
    file: Arc<SourceFile>,
    map: Arc<OffsetMap>,
    /// Where the template's text begins in the rewritten file.
    start: usize,
    /// Line breaks before it in the template, so that lines have the file's numbers.
    padding: usize,
    /// Where people wrote what the text was put together from, if it is no text of theirs.
    written_at: Option<Location>,
}

/// A text to compile.
#[derive(Debug)]
pub struct TemplateText {
    /// The template's name, which errors show.
    pub name: String,
    /// The text.
    pub file: Arc<SourceFile>,
    /// Where people wrote what the text was put together from, if it is no text of theirs: a test's call.
    pub written_at: Option<Location>,
}

/// Stands between the name of a macro file and the macro's in the name of a template that holds one macro.
const MACRO_MARK: char = '\0';

/// Texts that are compiled when they are first asked for, by template.
type Sources = Arc<RwLock<HashMap<String, String>>>;

/// Macros and templates of a project.
pub struct Jinja {
    env: Environment<'static>,
    /// The same templates for the parse phase, in which undefined values are let through: `{% if execute %}` is not
    /// taken, and `model` does not know what the model's own `config()` will say.
    lenient: OnceLock<Environment<'static>>,
    /// The same once more, in which undefined values are mistakes.
    strict: OnceLock<Environment<'static>>,
    macros: Arc<MacroTable>,
    origins: HashMap<String, Origin>,
    sources: Sources,
}

impl fmt::Debug for Jinja {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jinja")
            .field("templates", &self.origins.len())
            .finish_non_exhaustive()
    }
}

impl Default for Jinja {
    fn default() -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Lenient);
        env.set_unknown_method_callback(super::text_methods::method);
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_formatter(write_value);
        env.set_debug(false);
        env.set_fuel(Some(FUEL));
        super::functions::add_to(&mut env);
        crate::materialize::add_functions(&mut env);
        super::filters::add_to(&mut env);
        super::text_methods::add_filters(&mut env);
        let driver = format!("{DRIVER}{{% include rwt__template %}}");
        let added = env
            .add_template_owned(DRIVER_TEMPLATE, driver)
            .and_then(|()| env.add_template(CALL_TEMPLATE, DRIVER));
        debug_assert!(added.is_ok(), "the driver compiles");
        let sources = Sources::default();
        let texts = Arc::clone(&sources);
        env.set_loader(move |name| {
            let texts = texts.read().unwrap_or_else(PoisonError::into_inner);
            Ok(texts.get(name).cloned())
        });
        Self {
            env,
            lenient: OnceLock::new(),
            strict: OnceLock::new(),
            macros: Arc::default(),
            origins: HashMap::new(),
            sources,
        }
    }
}

impl Jinja {
    /// Says which package is the root project, and its `dispatch` rules: namespace and packages to search.
    pub fn set_root(&mut self, name: &str, order: impl Iterator<Item = (String, Vec<String>)>) {
        Arc::make_mut(&mut self.macros).set_root(name, order.collect());
    }

    /// Adds a file of macros under the name that errors show. All macro files come before the first rendering. The files
    /// that rwt brings along are compiled macro by macro as these are called.
    ///
    /// # Errors
    /// The file cannot be read as Jinja, or defines a macro a second time. What could be read is there.
    pub fn add_macros(
        &mut self,
        package: &str,
        name: &str,
        file: &Arc<SourceFile>,
    ) -> Result<(), Vec<TemplateError>> {
        let rewritten = rewritten(file, FileKind::Macros).map_err(|error| vec![error])?;
        let map = Arc::new(rewritten.map);
        let mut origins = Vec::new();
        let mut add = |template: &str, start: usize, padding: usize, text: String| {
            let origin = Origin {
                file: Arc::clone(file),
                map: Arc::clone(&map),
                start,
                padding,
                written_at: None,
            };
            origins.push((template.to_owned(), origin));
            let text = (template.to_owned(), text);
            write(&self.sources).extend([text]);
        };
        let mut templates = Vec::new();
        for definition in &rewritten.definitions {
            templates.push(match &definition.alone {
                Some(_) => format!("{name}{MACRO_MARK}{}", definition.name),
                None => name.to_owned(),
            });
        }
        let (mut lines, mut counted) = (0, 0);
        for (definition, template) in rewritten.definitions.iter().zip(&templates) {
            let Some(block) = &definition.alone else {
                break;
            };
            lines += rewritten.text[counted..block.start].matches('\n').count();
            counted = block.start;
            let text = format!("{}{}", "\n".repeat(lines), &rewritten.text[block.clone()]);
            add(template, block.start, lines, text);
        }
        if rewritten.definitions.iter().all(|of| of.alone.is_none()) {
            add(name, 0, 0, rewritten.text);
        }
        let added: Vec<String> = origins.iter().map(|(name, _)| name.clone()).collect();
        self.origins.extend(origins);
        self.lenient.take();
        self.strict.take();
        if package != crate::materialize::BUILT_IN {
            for template in added {
                if let Err(error) = self.env.get_template(&template) {
                    return Err(vec![template_error(&error, self)]);
                }
            }
        }
        let macros = Arc::make_mut(&mut self.macros);
        let mut errors = Vec::new();
        for (definition, template) in rewritten.definitions.into_iter().zip(templates) {
            let shown = definition.name.clone();
            let added = macros.add(MacroDefinition::new(
                definition.name,
                package,
                name,
                definition.block,
                template,
            ));
            if let Err(first) = added {
                errors.push(TemplateError::at(
                    "rwt::jinja::duplicate_macro",
                    format!("the macro `{shown}` is defined a second time"),
                    Some(format!("the first definition is in {}", first.file)),
                    file,
                    definition.range,
                ));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Compiles a model, a test or another text under the name that errors show. [`Jinja::add_template`] takes what comes
    /// of it; any thread may compile before that.
    ///
    /// # Errors
    /// The text cannot be read as Jinja.
    pub fn compile(&self, text: &TemplateText) -> Result<Origin, TemplateError> {
        let rewritten = rewritten(&text.file, FileKind::Model)?;
        write(&self.sources).insert(text.name.clone(), rewritten.text);
        let compiled = self.env.get_template(&text.name).map(|_| ());
        write(&self.sources).remove(&text.name);
        let origin = Origin::whole(text, rewritten.map);
        match compiled {
            Ok(()) => Ok(origin),
            Err(error) => Err(template_error(
                &error,
                &Only {
                    name: &text.name,
                    origin: &origin,
                    all: self,
                },
            )),
        }
    }

    /// Keeps a text that is compiled when it is first rendered.
    ///
    /// # Errors
    /// A tag of dbt's that cannot be read.
    pub fn keep(&mut self, text: &TemplateText) -> Result<(), TemplateError> {
        let rewritten = rewritten(&text.file, FileKind::Model)?;
        write(&self.sources).insert(text.name.clone(), rewritten.text);
        let origin = Origin::whole(text, rewritten.map);
        self.origins.insert(text.name.clone(), origin);
        Ok(())
    }

    /// Ends the parse phase. These templates are seldom asked for again, and compiled again then; their texts are kept.
    pub fn put_away(&mut self, templates: impl IntoIterator<Item = String>) {
        self.lenient.take();
        for name in templates {
            if write(&self.sources).contains_key(&name) {
                continue;
            }
            let text = self.env.get_template(&name);
            let Ok(text) = text.map(|template| template.source().to_owned()) else {
                continue;
            };
            self.env.remove_template(&name);
            write(&self.sources).insert(name, text);
        }
    }

    /// Keeps what a compiled template comes from.
    pub fn add_template(&mut self, name: String, origin: Origin) {
        self.origins.insert(name, origin);
        self.lenient.take();
        self.strict.take();
    }

    /// Where people wrote what a template was put together from, if it is no text of theirs.
    pub fn written_at(&self, template: &str) -> Option<&Location> {
        self.origins.get(template)?.written_at.as_ref()
    }

    /// All macros.
    pub fn macros(&self) -> &Arc<MacroTable> {
        &self.macros
    }

    /// Renders a template that was added.
    ///
    /// # Errors
    /// Whatever the template does wrong, with its places.
    pub fn render(
        &self,
        template: &str,
        mut scope: Scope,
    ) -> Result<(Rendered, Arc<Scope>), TemplateError> {
        scope.extra.insert("rwt__template", Value::from(template));
        let scope = Arc::new(scope);
        let context = Value::from_object(ScopeValue(Arc::clone(&scope)));
        let driver = self.env(scope.phase).get_template(DRIVER_TEMPLATE);
        // Nobody reads what a text becomes in the parse phase.
        let rendered = driver.and_then(|driver| match scope.phase {
            Phase::Parse => driver.render(context).map(|text| (text, Vec::new())),
            Phase::Compile | Phase::Materialize => driver.render_with_spans(context),
        });
        let (mut text, spans) = rendered.map_err(|error| template_error(&error, self))?;
        let mut spans: Vec<(usize, usize, bool)> = spans
            .iter()
            .filter(|span| span.name() == template)
            .map(|span| {
                let verbatim = span.kind() == minijinja::OutputSpanKind::Raw;
                (span.output_range().start, span.line(), verbatim)
            })
            .collect();
        let leading = self.leading_blanks(template).replace("\r\n", "\n");
        if !leading.is_empty() && text.starts_with(&leading) {
            text.drain(..leading.len());
            let breaks = leading.matches('\n').count();
            for (at, (start, line, _)) in spans.iter_mut().enumerate() {
                *start = start.saturating_sub(leading.len());
                // The first piece begins with the blanks that are gone now.
                *line += if at == 0 { breaks } else { 0 };
            }
        }
        Ok((
            Rendered {
                text,
                lines: LineMap { spans },
            },
            scope,
        ))
    }

    /// The white space that a file begins with.
    fn leading_blanks(&self, template: &str) -> &str {
        let text = self
            .origins
            .get(template)
            .map_or("", |origin| origin.file.text());
        &text[..text.len() - text.trim_start().len()]
    }

    /// Renders a text that is no file, such as a hook or a value of a YAML file. `name` is shown in errors.
    ///
    /// # Errors
    /// Whatever the text does wrong.
    pub fn render_text(
        &self,
        name: &str,
        text: &str,
        scope: &Arc<Scope>,
    ) -> Result<String, TemplateError> {
        let context = Value::from_object(ScopeValue(Arc::clone(scope)));
        render_in(self.env(scope.phase), name, text, context)
            .map_err(|error| template_error(&error, self))
    }

    /// The value of an expression, for example `4566 | int`.
    ///
    /// # Errors
    /// Whatever the expression does wrong.
    pub fn evaluate(
        &self,
        name: &str,
        expression: &str,
        scope: Scope,
    ) -> Result<Value, TemplateError> {
        let kept = Arc::new(std::sync::Mutex::new(Value::UNDEFINED));
        let slot = Arc::clone(&kept);
        let mut scope = scope;
        scope.extra.insert(
            "rwt__keep",
            Value::from_function(move |value: Value| {
                if let Ok(mut slot) = slot.lock() {
                    *slot = value;
                }
            }),
        );
        let text = format!("{KEEP}{expression}) -%}}");
        self.render_text(name, &text, &Arc::new(scope))?;
        let value = kept.lock().map(|value| value.clone()).unwrap_or_default();
        Ok(value)
    }

    /// Calls a macro; the value is what it returned, or its text.
    ///
    /// # Errors
    /// Whatever the macro does wrong, with its places.
    pub fn call(
        &self,
        definition: &Arc<MacroDefinition>,
        args: &[Value],
        scope: Scope,
    ) -> Result<(Value, Arc<Scope>), TemplateError> {
        let scope = Arc::new(scope);
        let context = Value::from_object(ScopeValue(Arc::clone(&scope)));
        let driver = self
            .env(scope.phase)
            .get_template(CALL_TEMPLATE)
            .and_then(|template| template.render_captured(context));
        let value = driver.and_then(|mut driver| {
            driver.with_state_mut(|state| MacroValue::value(definition).call(state, args))
        });
        match value {
            Ok(value) => Ok((value, scope)),
            Err(error) => Err(template_error(&error, self)),
        }
    }

    /// Renders a template again for what it writes that is undefined: the mistake, with its place.
    pub fn undefined_in(&self, template: &str, mut scope: Scope) -> Option<TemplateError> {
        let strict = self.strict.get_or_init(|| {
            let mut env = self.env.clone();
            env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
            env
        });
        scope.extra.insert("rwt__template", Value::from(template));
        let context = Value::from_object(ScopeValue(Arc::new(scope)));
        let rendered = strict
            .get_template(DRIVER_TEMPLATE)
            .and_then(|driver| driver.render(context));
        rendered.err().map(|error| template_error(&error, self))
    }

    fn env(&self, phase: Phase) -> &Environment<'static> {
        if phase != Phase::Parse {
            return &self.env;
        }
        self.lenient.get_or_init(|| {
            let mut env = self.env.clone();
            env.set_undefined_behavior(UndefinedBehavior::Chainable);
            env.set_unknown_method_callback(|state, value, method, args| {
                if value.is_undefined() {
                    return Ok(Value::UNDEFINED);
                }
                super::text_methods::method(state, value, method, args)
            });
            env
        })
    }
}

impl Origin {
    /// Of a template that is a whole file.
    fn whole(text: &TemplateText, map: OffsetMap) -> Self {
        Self {
            file: Arc::clone(&text.file),
            map: Arc::new(map),
            start: 0,
            padding: 0,
            written_at: text.written_at.clone(),
        }
    }

    fn locate(&self, range: Range<usize>) -> (Arc<SourceFile>, Range<usize>) {
        let inside = |offset: usize| self.start + offset.saturating_sub(self.padding);
        let range = inside(range.start)..inside(range.end);
        let range = self.map.original_range(range);
        match &self.written_at {
            Some(written) => {
                let part = self.file.text().get(range).unwrap_or_default();
                let at = written.within(part, 0..part.len());
                (Arc::clone(at.file()), at.range())
            }
            None => (Arc::clone(&self.file), range),
        }
    }
}

/// A template that is not known to the others yet.
struct Only<'a> {
    name: &'a str,
    origin: &'a Origin,
    all: &'a Jinja,
}

impl error::Sources for Only<'_> {
    fn locate(
        &self,
        template: &str,
        range: Range<usize>,
    ) -> Option<(Arc<SourceFile>, Range<usize>)> {
        (template == self.name).then(|| self.origin.locate(range))
    }

    fn nearest(&self, name: &str) -> Option<String> {
        error::Sources::nearest(self.all, name)
    }
}

/// A file as minijinja reads it. dbt reads files without the white space around them.
fn rewritten(file: &Arc<SourceFile>, kind: FileKind) -> Result<Rewritten, TemplateError> {
    rewrite(file.text().trim_end(), kind).map_err(|error| {
        TemplateError::at("rwt::jinja::syntax", error.message, None, file, error.range)
    })
}

fn write(sources: &Sources) -> std::sync::RwLockWriteGuard<'_, HashMap<String, String>> {
    sources.write().unwrap_or_else(PoisonError::into_inner)
}

impl error::Sources for Jinja {
    fn locate(
        &self,
        template: &str,
        range: Range<usize>,
    ) -> Option<(Arc<SourceFile>, Range<usize>)> {
        self.origins
            .get(template)
            .map(|origin| origin.locate(range))
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let globals: Vec<String> = self
            .env
            .globals()
            .map(|(name, _)| name.to_owned())
            .filter(|name| !name.starts_with("rwt_"))
            .collect();
        let known = [
            "this", "target", "config", "model", "execute", "flags", "schema", "database",
        ];
        let candidates = self
            .macros
            .names()
            .filter(|name| !name.starts_with("materialization_") && !name.starts_with("rwt_"))
            .chain(globals.iter().map(String::as_str))
            .chain(known);
        nearest(name, candidates).map(str::to_owned)
    }
}

/// Writes a value. One that is undefined is written as nothing, as in dbt, and warned of; an `if` without `else` that
/// gives nothing is meant so.
fn write_value(
    out: &mut minijinja::Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if !value.is_undefined() {
        if let Some(text) = exponent_text(value) {
            return out.write_str(&text).map_err(Error::from);
        }
        return minijinja::escape_formatter(out, state, value);
    }
    if is_by_mistake(value)
        && let Ok(scope) = super::scope::scope_of(state)
    {
        scope.note_undefined();
        if scope.phase == Phase::Materialize {
            let file = state.name().split(MACRO_MARK).next().unwrap_or_default();
            let message = format!("something undefined is written as nothing in {file}");
            scope.report(super::scope::Level::Warn, &message);
        }
    }
    Ok(())
}

/// A very large or small float as Python writes it; none for anything that minijinja writes alike.
fn exponent_text(value: &Value) -> Option<String> {
    if value.kind() != minijinja::value::ValueKind::Number || value.is_integer() {
        return None;
    }
    let number = f64::try_from(value.clone())
        .ok()
        .filter(|number| number.is_finite() && *number != 0.0)?;
    if (1e-4..1e16).contains(&number.abs()) {
        return None;
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e')?;
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    Some(format!("{digits}e{sign}{exponent:0>2}"))
}

/// Whether an undefined value is one that a strict environment refuses to write. The value alone does not say.
fn is_by_mistake(value: &Value) -> bool {
    static STRICT: OnceLock<Environment<'static>> = OnceLock::new();
    let strict = STRICT.get_or_init(|| {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env
    });
    strict
        .render_str("{{ x }}", minijinja::context! { x => value })
        .is_err()
}

/// Renders a text inside of a running template, with the same names.
///
/// # Errors
/// Whatever the text does wrong.
pub(super) fn render_text(
    state: &mut State<'_, '_>,
    name: &str,
    text: &str,
) -> Result<String, Error> {
    if !text.contains('{') {
        return Ok(text.to_owned());
    }
    let context = state
        .lookup("rwt__scope")
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "this function needs a project"))?;
    render_in(state.env(), name, text, context)
}

fn render_in(
    env: &Environment<'_>,
    name: &str,
    text: &str,
    context: Value,
) -> Result<String, Error> {
    let rewritten = rewrite(text, FileKind::Model)
        .map_err(|error| Error::new(ErrorKind::SyntaxError, error.message))?;
    let source = format!("{DRIVER}{}", rewritten.text);
    env.render_named_str(name, &source, context)
        .map_err(|error| {
            let shift = DRIVER.len();
            let range = error.range().map(|range| {
                rewritten.map.original_range(
                    range.start.saturating_sub(shift)..range.end.saturating_sub(shift),
                )
            });
            Error::new(error.kind(), error.detail().unwrap_or_default().to_owned()).with_source(
                super::error::InText {
                    name: name.to_owned(),
                    file: SourceFile::new(name, text),
                    range,
                    cause: error,
                },
            )
        })
}
