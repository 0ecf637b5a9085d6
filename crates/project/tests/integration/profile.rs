//! Profiles, targets and secrets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rwt_project::profile::{LakeCatalog, Setting, SslMode, Target, TargetKind};
use serde_json::json;

use crate::stand_in::{errors_of, load, options, shown_errors, written};

const CLUSTER: &str = r#"
shop:
  target: "{{ env_var('SHOP_TARGET', 'prod') }}"
  outputs:
    dev: {type: embedded}
    prod:
      type: risingwave
      host: db.example.com
      port: "{{ env_var('SHOP_PORT', '4567') | int }}"
      user: "{{ env_var('DBT_ENV_SECRET_USER') }}"
      pass: "{{ env_var('PGPASSWORD') }}"
      dbname: shop
      schema: public
      threads: 8
      sslmode: verify-full
      sslrootcert: certs/ca.pem
      connect_timeout: 3
      retries: 5
      search_path: public, other
      streaming_parallelism: 4
      enable_index_selection: true
      backfill_rate_limit: default
      kafka:
        bootstrap: redpanda:9092,other:9092
        local: localhost:19092
        security:
          security.protocol: SASL_SSL
          sasl.username: shop
          sasl.password: "{{ env_var('RWT_SECRET_KAFKA') }}"
          ssl.key.password: written here
      lake:
        catalog: rest
        uri: http://lakekeeper:8181/catalog/
        local_uri: http://localhost:8181/catalog/
        warehouse: lake
        credential: "{{ env_var('LAKE_CREDENTIAL') | trim }}"
        s3:
          endpoint: http://minio:9000
          access_key: admin
          secret_key: "{{ env_var('S3_SECRET', 'fallback') }}"
          path_style_access: true
      stack:
        memory_limit: 2GB
        data_dir: state
"#;

fn cluster() -> Target {
    let directory = written(&[("profiles.yml", &CLUSTER.replace(" | trim", ""))]);
    let variables = [
        ("DBT_ENV_SECRET_USER", "secret-user"),
        ("PGPASSWORD", "secret-password"),
        ("RWT_SECRET_KAFKA", "secret-kafka"),
        ("LAKE_CREDENTIAL", "secret-credential"),
    ];
    load(&options(directory.path(), &variables)).unwrap().target
}

#[test]
fn an_embedded_target_needs_only_its_type() {
    let directory = written(&[]);
    let target = load(&options(directory.path(), &[])).unwrap().target;
    assert_eq!(target.kind, TargetKind::Embedded);
    assert_eq!(
        (target.name.as_str(), target.profile_name.as_str()),
        ("dev", "shop")
    );
    assert_eq!((target.host.as_str(), target.port), ("127.0.0.1", 4566));
    assert_eq!(
        (
            target.user.as_str(),
            target.database.as_str(),
            target.schema.as_str()
        ),
        ("root", "dev", "public")
    );
    assert_eq!(target.kafka.unwrap().local, "127.0.0.1:19092");
    assert_eq!(target.lake.unwrap().catalog, LakeCatalog::Hosted);
    assert_eq!(target.data_dir, PathBuf::from(".rwt"));
    assert_eq!(target.sslmode, SslMode::Disable);
    assert!(target.password.is_empty());
}

#[test]
fn brokers_of_an_embedded_target_are_the_same_from_both_sides() {
    let target = |text: &str| {
        let profile = format!("shop:\n  outputs:\n    dev: {{{text}}}\n");
        let directory = written(&[("profiles.yml", &profile)]);
        load(&options(directory.path(), &[])).map(|project| project.target)
    };
    let kafka = target("type: embedded, kafka: {local: 'localhost:9'}")
        .unwrap()
        .kafka
        .unwrap();
    assert_eq!(
        (kafka.bootstrap.as_str(), kafka.local.as_str()),
        ("localhost:9", "localhost:9")
    );
    let cluster = "type: risingwave, host: h, user: u, dbname: d, schema: s";
    let errors = target(&format!("{cluster}, kafka: {{local: 'localhost:9'}}")).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "profiles.yml lacks `dev.kafka.bootstrap`"
    );
    assert_eq!(target(cluster).unwrap().kafka, None);
}

#[test]
fn a_cluster_is_read_with_all_of_its_keys() {
    let target = cluster();
    assert_eq!(target.kind, TargetKind::RisingWave);
    assert_eq!(
        (target.host.as_str(), target.port, target.threads),
        ("db.example.com", 4567, 8)
    );
    assert_eq!(target.user, "secret-user");
    assert_eq!(target.password.expose(), "secret-password");
    assert_eq!(target.sslmode, SslMode::VerifyFull);
    assert_eq!(
        target.sslrootcert.as_deref(),
        Some(Path::new("certs/ca.pem"))
    );
    assert_eq!(
        (target.connect_timeout, target.retries),
        (Duration::from_secs(3), 5)
    );
    assert_eq!(
        target.session_statements(),
        [
            "set streaming_parallelism = 4",
            "set backfill_rate_limit = default",
            "set enable_index_selection = true"
        ]
    );
    let limit = target.stack.memory_limit.unwrap();
    assert_eq!(limit.bytes(), 2 << 30);
    assert_eq!(target.data_dir, PathBuf::from("state"));
    let kafka = target.kafka.unwrap();
    assert_eq!(
        kafka.security["sasl.username"],
        Setting::Plain("shop".to_owned())
    );
    assert_eq!(kafka.security["sasl.password"].expose(), "secret-kafka");
    let s3 = target.lake.unwrap().s3.unwrap();
    assert_eq!(s3.local_endpoint.as_deref(), Some("http://minio:9000"));
    assert_eq!(s3.secret_key.unwrap().expose(), "fallback");
}

#[test]
fn secrets_have_names_and_never_show() {
    let target = cluster();
    let secrets = target.secrets();
    let expected = [
        ("DBT_ENV_SECRET_USER", "secret-user"),
        ("LAKE_CREDENTIAL", "secret-credential"),
        ("PGPASSWORD", "secret-password"),
        ("RWT_KAFKA_SECURITY_SSL_KEY_PASSWORD", "written here"),
        ("RWT_LAKE_S3_ACCESS_KEY", "admin"),
        ("RWT_SECRET_KAFKA", "secret-kafka"),
        ("S3_SECRET", "fallback"),
    ];
    let names: Vec<(&str, &str)> = secrets
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(names, expected);
    let mut debug = format!("{target:?}");
    // The user is no secret to the one who connects, but what is shown of it is its marker.
    debug = debug.replace("user: \"secret-user\"", "");
    let value = target.to_value();
    for text in [debug, value.to_string()] {
        for secret in [
            "secret-user",
            "secret-password",
            "secret-kafka",
            "secret-credential",
            "written here",
            "fallback",
            "admin",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert_eq!(value["user"], "__rwt_secret__DBT_ENV_SECRET_USER__");
    assert_eq!(
        value["kafka"]["security"]["sasl.password"],
        "__rwt_secret__RWT_SECRET_KAFKA__"
    );
    assert_eq!(
        value["lake"]["s3"]["access_key"],
        "__rwt_secret__RWT_LAKE_S3_ACCESS_KEY__"
    );
    assert_eq!(value.get("password"), None);
}

#[test]
fn a_filter_behind_env_var_gives_the_secret_the_name_of_its_place() {
    let directory = written(&[(
        "profiles.yml",
        "shop:\n  outputs:\n    dev:\n      type: embedded\n      password: \"{{ env_var('PW') | int }}\"\n",
    )]);
    let target = load(&options(directory.path(), &[("PW", "17")]))
        .unwrap()
        .target;
    assert_eq!(target.password.name(), "RWT_PASSWORD");
    assert_eq!(target.password.expose(), "17");
}

#[test]
fn target_shows_what_jinja_reads() {
    insta::assert_snapshot!(
        "target_value",
        serde_json::to_string_pretty(&cluster().to_value()).unwrap()
    );
    let directory = written(&[]);
    let embedded = load(&options(directory.path(), &[]))
        .unwrap()
        .target
        .to_value();
    assert_eq!(embedded["type"], "embedded");
    assert_eq!(
        embedded["lake"],
        json!({
            "catalog": "hosted", "uri": null, "local_uri": null, "warehouse": "rwt", "credential": null, "token": null,
            "oauth2_server_uri": null, "scope": null, "s3": null,
        })
    );
}

#[test]
fn the_command_line_wins_over_variables_and_those_over_files() {
    let files = [(
        "profiles.yml",
        "shop:\n  target: a\n  outputs:\n    a: {type: embedded}\n    b: {type: embedded}\n    c: {type: embedded}\nother:\n  outputs:\n    z: {type: embedded}\n",
    )];
    let directory = written(&files);
    let name = |variables: &[(&str, &str)], target: Option<&str>, profile: Option<&str>| {
        let mut options = options(directory.path(), variables);
        options.target = target.map(str::to_owned);
        options.profile = profile.map(str::to_owned);
        load(&options).unwrap().target.name
    };
    assert_eq!(name(&[], None, None), "a");
    assert_eq!(name(&[("DBT_TARGET", "b")], None, None), "b");
    assert_eq!(name(&[("DBT_TARGET", "b")], Some("c"), None), "c");
    assert_eq!(name(&[("DBT_PROFILE", "other")], None, None), "z");
    assert_eq!(name(&[("DBT_PROFILE", "nobody")], None, Some("other")), "z");
}

#[test]
fn profiles_are_looked_for_in_dbts_order() {
    let project = written(&[]);
    let home = tempfile::tempdir().unwrap();
    let named = tempfile::tempdir().unwrap();
    let profile = |target: &str| format!("shop:\n  outputs:\n    {target}: {{type: embedded}}\n");
    std::fs::create_dir(home.path().join(".dbt")).unwrap();
    std::fs::write(home.path().join(".dbt/profiles.yml"), profile("home")).unwrap();
    std::fs::write(named.path().join("profiles.yml"), profile("named")).unwrap();
    let home_text = home.path().display().to_string();
    let named_text = named.path().display().to_string();
    let name = |variables: &[(&str, &str)], directory: Option<&Path>| {
        let mut options = options(project.path(), variables);
        options.profiles_dir = directory.map(Path::to_path_buf);
        load(&options).unwrap().target.name
    };
    assert_eq!(name(&[("HOME", &home_text)], None), "dev");
    assert_eq!(name(&[("DBT_PROFILES_DIR", &named_text)], None), "named");
    assert_eq!(
        name(&[("DBT_PROFILES_DIR", &home_text)], Some(named.path())),
        "named"
    );
    std::fs::remove_file(project.path().join("profiles.yml")).unwrap();
    assert_eq!(name(&[("HOME", &home_text)], None), "home");
}

#[test]
fn no_profiles_file_is_an_error_that_names_the_places() {
    let directory = written(&[]);
    std::fs::remove_file(directory.path().join("profiles.yml")).unwrap();
    let mut options = options(directory.path(), &[]);
    let nowhere = load(&options).unwrap_err();
    options.profiles_dir = Some(directory.path().to_path_buf());
    let named = load(&options).unwrap_err();
    let shown = [nowhere, named].map(|errors| shown_errors(&errors, directory.path()));
    insta::assert_snapshot!("no_profiles_file", shown.join("\n"));
}

#[test]
fn a_profile_or_target_that_is_missing_names_those_that_exist() {
    let profiles = (
        "profiles.yml",
        "config: {}\nshop:\n  target: prd\n  outputs:\n    dev: {type: embedded}\n    prod: {type: embedded}\n",
    );
    let project = ("project.yml", "name: shop\nprofile: shopp\n");
    insta::assert_snapshot!("missing_profile", errors_of(&[profiles, project]));
    insta::assert_snapshot!("missing_target", errors_of(&[profiles]));
    insta::assert_snapshot!(
        "profile_not_named",
        errors_of(&[("project.yml", "name: shop\n")])
    );
    insta::assert_snapshot!(
        "no_outputs",
        errors_of(&[("profiles.yml", "shop:\n  target: dev\n")])
    );
}

#[test]
fn wrong_values_of_a_target_are_all_reported() {
    insta::assert_snapshot!(
        "target_errors",
        errors_of(&[(
            "profiles.yml",
            r#"
shop:
  outputs:
    prod:
      type: risingwave
      port: 70000
      user: [root]
      dbname: dev
      schema: public
      threads: many
      sslmode: verify_full
      streaming_parallelism: [4]
      kafka:
        bootstrap: redpanda
        security: SASL
      lake:
        catalog: lakekeeper
        s3: {path_style_access: maybe}
"#
        )])
    );
    insta::assert_snapshot!(
        "target_type_errors",
        [
            errors_of(&[(
                "profiles.yml",
                "shop:\n  outputs:\n    dev: {type: embeded}\n"
            )]),
            errors_of(&[(
                "profiles.yml",
                "shop:\n  outputs:\n    dev: {type: postgres}\n"
            )]),
            errors_of(&[("profiles.yml", "shop:\n  outputs:\n    dev: {host: x}\n")]),
            errors_of(&[("profiles.yml", "shop:\n  outputs:\n    dev: embedded\n")]),
        ]
        .join("\n")
    );
}

#[test]
fn a_secret_whose_variable_is_not_set_is_an_error() {
    // A renderer may give the marker without looking; the value is needed here.
    let profile = "shop:\n  outputs:\n    dev:\n      type: embedded\n      password: __rwt_secret__RWT_SECRET_PW__\n      host: db.__rwt_secret__RWT_SECRET_HOST__\n";
    insta::assert_snapshot!("missing_secret", errors_of(&[("profiles.yml", profile)]));
}

#[test]
fn a_password_near_a_mistake_is_not_shown() {
    let wrong = "shop:\n  outputs:\n    dev:\n      type: embedded\n      password: hunter2\n      port: x\n      lake: {secret_key: hunter3, s3: y}\n";
    let broken = "shop:\n  outputs:\n    dev:\n      password: hunter2\n     port: 1\n";
    let shown = [wrong, broken].map(|text| errors_of(&[("profiles.yml", text)]));
    assert!(
        shown.iter().all(|text| !text.contains("hunter")),
        "{shown:?}"
    );
    insta::assert_snapshot!("covered_passwords", shown.join("\n"));
    let directory = written(&[("profiles.yml", wrong)]);
    let errors = load(&options(directory.path(), &[])).unwrap_err();
    assert!(!format!("{errors:?}").contains("hunter"));
}
