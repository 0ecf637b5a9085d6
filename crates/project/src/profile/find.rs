//! Finding `profiles.yml`, and the profile and target in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::cover::cover;
use super::error::ProfileError;
use super::read::{Findings, Output, read};
use super::target::Target;
use crate::environment::{self, Environment};
use crate::error::LoadError;
use crate::yaml::{
    Kind, Location, Render, Scope, SourceFile, Warning, Yaml, YamlError, nearest, parse,
    render_text, render_tree,
};

/// What decides which target is used.
#[derive(Clone, Copy)]
pub struct ProfileOptions<'a> {
    /// `--profiles-dir`.
    pub profiles_dir: Option<&'a Path>,
    /// `--profile`.
    pub profile: Option<&'a str>,
    /// `--target`.
    pub target: Option<&'a str>,
    /// The project's directory.
    pub project_dir: &'a Path,
    /// The project file.
    pub project_file: &'a Arc<SourceFile>,
    /// `profile` of the project file and its place.
    pub named: Option<(&'a str, &'a Location)>,
    /// Environment.
    pub environment: &'a Environment,
}

/// Looks in `--profiles-dir`, else in `DBT_PROFILES_DIR`, else in the project's directory and then in `~/.dbt`, as dbt
/// does.
///
/// # Errors
/// [`ProfileError::NotInDirectory`] if a named directory has none, [`ProfileError::NoFile`] if there is none at all.
pub fn find(options: &ProfileOptions<'_>) -> Result<PathBuf, ProfileError> {
    let file_in = |directory: &Path| {
        let path = directory.join("profiles.yml");
        path.is_file().then_some(path)
    };
    let variable = options.environment.read(environment::PROFILES_DIR);
    let named = match (options.profiles_dir, &variable) {
        (Some(directory), _) => Some((directory, "--profiles-dir")),
        (None, Some(directory)) => Some((Path::new(directory), environment::PROFILES_DIR.name)),
        (None, None) => None,
    };
    if let Some((directory, who)) = named {
        return file_in(directory).ok_or_else(|| ProfileError::NotInDirectory {
            directory: directory.display().to_string(),
            help: format!("{who} names this directory: correct it, or write a profiles.yml there"),
        });
    }
    let home = options.environment.read(environment::HOME);
    let home = home.map(|home| Path::new(&home).join(".dbt"));
    file_in(options.project_dir)
        .or_else(|| file_in(home.as_deref()?))
        .ok_or_else(|| {
            let mut places = vec![options.project_dir.join("profiles.yml").display().to_string()];
            places.extend(home.map(|home| home.join("profiles.yml").display().to_string()));
            ProfileError::NoFile {
                help: format!(
                    "looked for {}; write one with a target of `type: embedded`, or name its directory with --profiles-dir",
                    places.join(" and ")
                ),
            }
        })
}

/// Finds and reads the target. Only the chosen output is rendered, so that another one may need variables that are not
/// set.
///
/// # Errors
/// All that is wrong with the file and the target.
pub fn load(
    options: &ProfileOptions<'_>,
    render: &Render<'_>,
    vars: &IndexMap<String, serde_json::Value>,
    warnings: &mut Vec<Warning>,
) -> Result<Target, Vec<LoadError>> {
    let path = find(options).map_err(one)?;
    let text = std::fs::read_to_string(&path).map_err(|error| {
        one(YamlError::Unreadable {
            path: path.display().to_string(),
            cause: error.to_string(),
        })
    })?;
    let shown = path
        .strip_prefix(options.project_dir)
        .map_or_else(|_| path.clone(), Path::to_path_buf);
    let covered = cover(&text);
    let file = SourceFile::covered(shown, text, covered);
    let yaml = parse(&file)
        .map_err(|errors| errors.into_iter().map(LoadError::from).collect::<Vec<_>>())?;
    let scope = Scope { vars, target: None };
    let (profile_name, profile) = choose_profile(options, &file, &yaml, render, &scope)?;
    let (target_name, raw) = choose_target(options, &file, &profile_name, profile, render, &scope)?;
    let mut failures = Vec::new();
    let rendered = render_tree(raw, render, &scope, &|_| false, &mut failures);
    if !failures.is_empty() {
        return Err(failures.into_iter().map(LoadError::from).collect());
    }
    let mut findings = Findings::default();
    let output = Output {
        profile_name: &profile_name,
        name: &target_name,
        raw,
        rendered: &rendered,
        environment: options.environment,
    };
    let target = read(&output, &mut findings);
    warnings.append(&mut findings.warnings);
    target.ok_or_else(|| {
        let yaml = findings.yaml.take().into_iter().map(LoadError::from);
        let profile = findings.profile.take().into_iter().map(LoadError::from);
        yaml.chain(profile).collect()
    })
}

fn one(error: impl Into<LoadError>) -> Vec<LoadError> {
    vec![error.into()]
}

fn choose_profile<'y>(
    options: &ProfileOptions<'_>,
    file: &Arc<SourceFile>,
    yaml: &'y Yaml,
    render: &Render<'_>,
    scope: &Scope<'_>,
) -> Result<(String, &'y Yaml), Vec<LoadError>> {
    let variable = options.environment.read(environment::PROFILE);
    let (name, named_at) = match (options.profile, variable, options.named) {
        (Some(name), ..) => (name.to_owned(), None),
        (None, Some(name), _) => (name, None),
        (None, None, Some((text, at))) => {
            let value = render_text(text, at, render, scope).map_err(one)?;
            let name = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name, Some(at))
        }
        (None, None, None) => {
            return Err(one(ProfileError::NotNamed {
                path: options.project_file.path().display().to_string(),
                help: format!("add `profile: <name>` to it; {}", existing(yaml)),
            }));
        }
    };
    // dbt keeps settings of its own under `config`.
    match yaml.get(&name) {
        Some(profile) if name != "config" => Ok((name, profile)),
        _ => {
            let near = nearest(&name, names(yaml)).map(|near| format!("did you mean `{near}`? "));
            Err(one(ProfileError::MissingProfile {
                help: format!("{}{}", near.unwrap_or_default(), existing(yaml)),
                profile: name,
                path: file.path().display().to_string(),
                file: named_at.map(|at| Arc::clone(at.file())),
                at: named_at.map(Location::span),
            }))
        }
    }
}

fn choose_target<'y>(
    options: &ProfileOptions<'_>,
    file: &Arc<SourceFile>,
    profile_name: &str,
    profile: &'y Yaml,
    render: &Render<'_>,
    scope: &Scope<'_>,
) -> Result<(String, &'y Yaml), Vec<LoadError>> {
    let Some(outputs) = profile.get("outputs") else {
        let key = format!("{profile_name}.outputs");
        return Err(one(YamlError::missing(
            key,
            "add `outputs:` with at least one target, for example `dev: {type: embedded}`",
            &profile.at,
        )));
    };
    if !matches!(outputs.kind, Kind::Map(_)) {
        let key = format!("{profile_name}.outputs");
        let found = outputs.describe();
        return Err(one(YamlError::wrong_type(
            key,
            "a mapping of targets",
            found,
            &outputs.at,
        )));
    }
    let variable = options.environment.read(environment::TARGET);
    let named = match (options.target, variable) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Some(name)) => Some(name),
        (None, None) => None,
    };
    let name = match (named, profile.get("target")) {
        (Some(name), _) => name,
        (None, Some(yaml)) => match yaml.as_text() {
            Some(text) => {
                let value = render_text(text, &yaml.at, render, scope).map_err(one)?;
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            }
            None => crate::yaml::scalar_text(yaml).unwrap_or_else(|| "default".to_owned()),
        },
        // dbt's name where nothing names one; a profile with one target means that one.
        (None, None) => match names(outputs).as_slice() {
            [only] => (*only).to_owned(),
            _ => "default".to_owned(),
        },
    };
    match outputs.get(&name) {
        Some(output) => Ok((name, output)),
        None => {
            let near =
                nearest(&name, names(outputs)).map(|near| format!("did you mean `{near}`? "));
            Err(one(ProfileError::MissingTarget {
                profile: profile_name.to_owned(),
                path: file.path().display().to_string(),
                help: format!("{}{}", near.unwrap_or_default(), existing(outputs)),
                target: name,
                file: Arc::clone(file),
                at: crate::yaml::first_line(&outputs.at),
            }))
        }
    }
}

fn names(yaml: &Yaml) -> Vec<&str> {
    yaml.as_map()
        .map(|map| {
            map.keys()
                .map(String::as_str)
                .filter(|name| *name != "config")
                .collect()
        })
        .unwrap_or_default()
}

fn existing(yaml: &Yaml) -> String {
    let names = names(yaml);
    if names.is_empty() {
        "there are none yet".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    }
}
