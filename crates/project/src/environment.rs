//! Every environment variable that rwt reads, declared once: [`VARIABLES`] is what the command line shows. A variable
//! that a project names in `env_var` is the project's and not listed.

use std::collections::BTreeMap;
use std::sync::Arc;

/// An environment variable that rwt reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name; one that ends in `*` stands for all that begin so.
    pub name: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// What holds when it is not set.
    pub default: &'static str,
}

/// The project's directory.
pub const PROJECT_DIR: Variable = Variable {
    name: "DBT_PROJECT_DIR",
    meaning: "directory of project.yml or dbt_project.yml, as --project-dir",
    default: "the current directory or the nearest one above it",
};

/// The directory of `profiles.yml`.
pub const PROFILES_DIR: Variable = Variable {
    name: "DBT_PROFILES_DIR",
    meaning: "directory of profiles.yml, as --profiles-dir",
    default: "the project's directory, then ~/.dbt",
};

/// The profile.
pub const PROFILE: Variable = Variable {
    name: "DBT_PROFILE",
    meaning: "profile to use, as --profile",
    default: "`profile` of the project file",
};

/// The target.
pub const TARGET: Variable = Variable {
    name: "DBT_TARGET",
    meaning: "target to use, as --target",
    default: "`target` of the profile",
};

/// The directory for artifacts.
pub const TARGET_PATH: Variable = Variable {
    name: "DBT_TARGET_PATH",
    meaning: "directory for run_results.json and other artifacts, as --target-path",
    default: "`target-path` of the project file, else `target`",
};

/// The user's directory.
pub const HOME: Variable = Variable {
    name: "HOME",
    meaning: "the user's directory, in which .dbt/profiles.yml lies",
    default: "no profiles are looked for there",
};

/// Colours.
pub const NO_COLOR: Variable = Variable {
    name: "NO_COLOR",
    meaning: "no colours in what is printed, whatever its value",
    default: "colours on a terminal",
};

/// Logs.
pub const LOG: Variable = Variable {
    name: "RWT_LOG",
    meaning: "what the background process logs: a level, or `target=level` with commas between",
    default: "info",
};

/// dbt's secrets.
pub const DBT_SECRETS: Variable = Variable {
    name: "DBT_ENV_SECRET*",
    meaning: "a value for env_var that is never shown and never written; scripts read it when they run",
    default: "env_var's default, else an error",
};

/// Our secrets.
pub const SECRETS: Variable = Variable {
    name: "RWT_SECRET*",
    meaning: "the same as DBT_ENV_SECRET*",
    default: "env_var's default, else an error",
};

/// All of them, in the order in which they are shown.
pub const VARIABLES: &[Variable] = &[
    PROJECT_DIR,
    PROFILES_DIR,
    PROFILE,
    TARGET,
    TARGET_PATH,
    HOME,
    NO_COLOR,
    LOG,
    DBT_SECRETS,
    SECRETS,
];

/// Where values come from: the process, or a fixed set.
#[derive(Debug, Clone, Default)]
pub struct Environment(Option<Arc<BTreeMap<String, String>>>);

impl Environment {
    /// The process's environment, and what the nearest `.env` adds to it.
    pub fn process() -> Self {
        Self(None)
    }

    /// These variables and no others.
    pub fn fixed<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        Self(Some(Arc::new(variables)))
    }

    /// The value of a variable, if it is set to text.
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            None => std::env::var(name)
                .ok()
                .or_else(|| crate::dotenv::variables().get(name).cloned()),
            Some(variables) => variables.get(name).cloned(),
        }
    }

    /// The value of one of rwt's own variables, unless it is empty.
    pub fn read(&self, variable: Variable) -> Option<String> {
        self.get(variable.name).filter(|value| !value.is_empty())
    }

    /// All names that are set, for "did you mean".
    pub fn names(&self) -> Vec<String> {
        match &self.0 {
            None => std::env::vars_os()
                .filter_map(|(name, _)| name.into_string().ok())
                .collect(),
            Some(variables) => variables.keys().cloned().collect(),
        }
    }
}
