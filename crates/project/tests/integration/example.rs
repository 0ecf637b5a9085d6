//! The repository's own project loads.

use std::path::Path;

use crate::stand_in::{load, options};

#[test]
fn the_example_project_loads_without_a_warning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let project = load(&options(&root, &[])).unwrap();
    assert_eq!(project.name(), "realtime_funnel");
    assert!(project.warnings.is_empty(), "{:?}", project.warnings);
    assert_eq!(project.models.len(), 28);
    let users = project
        .models
        .iter()
        .find(|model| model.name == "users")
        .unwrap();
    assert_eq!(users.fqn, ["realtime_funnel", "rich", "users"]);
    let config = project.resolve_config(users, &Default::default());
    assert_eq!(config.materialized(), "materialized_view");
    assert_eq!(
        project.target.to_value()["kafka"]["bootstrap"],
        "127.0.0.1:19092"
    );
    assert_eq!(project.target.port, 4566);
}

#[test]
fn the_example_points_at_a_cluster() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut options = options(
        &root,
        &[("LAKE_S3_SECRET_KEY", "shh"), ("RISINGWAVE_PORT", "4567")],
    );
    options.target = Some("risingwave".to_owned());
    let target = load(&options).unwrap().target;
    assert_eq!(target.port, 4567);
    assert_eq!(target.secrets()["LAKE_S3_SECRET_KEY"], "shh");
    let shown = target.to_value().to_string();
    assert!(shown.contains("__rwt_secret__LAKE_S3_SECRET_KEY__") && !shown.contains("shh"));
    assert!(!format!("{target:?}").contains("shh"));
}
