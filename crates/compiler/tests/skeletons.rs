//! Nodes that are configured alike share what their materialization writes. Together they give what each gives alone.

mod support;

use proptest::prelude::*;
use rwt_compiler::{CompiledNode, Compiler};
use support::compiler;

/// What models are configured with, everything among it that statements depend on.
const CONFIGS: [&str; 14] = [
    "materialized='view'",
    "materialized='table'",
    "materialized='materialized_view'",
    "materialized='materialized_view', tags=['a'], meta={'owner': 'b'}",
    "materialized='materialized_view', indexes=[{'columns': ['a']}]",
    "materialized='materialized_view', grants={'select': ['alice']}",
    "materialized='materialized_view', persist_docs={'relation': true, 'columns': true}",
    "materialized='materialized_view', post_hook='comment on table {{ this }} is null'",
    "materialized='materialized_view', background_ddl=true, streaming_parallelism=2",
    "materialized='incremental', unique_key='a'",
    "materialized='sink', connector='kafka', connector_parameters={'topic': 't'}, data_format='plain', data_encode='json', format_parameters={'force_append_only': 'true'}",
    "materialized='subscription', retention='2D'",
    "materialized='ephemeral'",
    "materialized='stamped'",
];

/// Texts, those that macros look into among them.
const TEXTS: [&str; 8] = [
    "select 1 as a",
    "-- first\nwith m as (select 1 as a) select a from m",
    "(select 1 as a)",
    "select ';' as a",
    "select 1 as retention_seconds, 'create materialized view' as a",
    "select '{{ this.identifier }}' as a -- last",
    "select 1 as a from {{ ref('base') }}",
    "values (1)",
];

const NAMES: [&str; 12] = [
    "a", "b", "view", "orders", "Orders", "order", "select", "m", "create", "if_not", "public",
    "x1",
];

const MACROS: &str = "
{% materialization stamped, adapter='risingwave' %}
  {% call statement('main') %}create view {{ this }} as {{ sql }} -- {{ model.name }}{% endcall %}
  {{ return({'relations': [this]}) }}
{% endmaterialization %}";

const OVERRIDE: &str = "
{% macro risingwave__create_view_as(relation, sql) %}create view {{ relation }} as {{ sql }} -- {{ sql | length }}
{% endmacro %}";

#[derive(Debug, Clone)]
struct Model {
    name: &'static str,
    config: &'static str,
    text: &'static str,
}

impl Model {
    fn path(&self) -> String {
        format!("models/{}.sql", self.name)
    }

    fn code(&self) -> String {
        format!("{{{{ config({}) }}}}\n{}", self.config, self.text)
    }
}

fn models() -> impl Strategy<Value = Vec<Model>> {
    let names = prop::sample::subsequence(NAMES.to_vec(), 4..NAMES.len()).prop_shuffle();
    // Few configurations a project, so that they are shared.
    let configs = prop::sample::subsequence(CONFIGS.to_vec(), 1..4);
    (names, configs).prop_flat_map(|(names, configs)| {
        let model =
            |name| {
                let config = prop::sample::select(configs.clone());
                (config, prop::sample::select(TEXTS.to_vec()))
                    .prop_map(move |(config, text)| Model { name, config, text })
            };
        names.into_iter().map(model).collect::<Vec<_>>()
    })
}

fn loaded(models: &[Model], is_overridden: bool) -> Compiler {
    let texts: Vec<(String, String)> = (models.iter())
        .map(|model| (model.path(), model.code()))
        .collect();
    let properties: String = (models.iter())
        .map(|model| format!("  - {{name: {0}, description: the {0}, columns: [{{name: a, description: its a}}]}}\n", model.name))
        .collect();
    let properties = format!("models:\n{properties}");
    let macros = match is_overridden {
        true => format!("{MACROS}{OVERRIDE}"),
        false => MACROS.to_owned(),
    };
    let mut files: Vec<(&str, &str)> = vec![
        ("models/base.sql", "select 1 as a"),
        ("models/properties.yml", &properties),
        ("macros/own.sql", &macros),
    ];
    files.extend(
        texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    compiler(&files).unwrap_or_else(|error| panic!("{error}"))
}

fn texts(node: &CompiledNode) -> Vec<&str> {
    node.statements.iter().map(|s| s.text.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn together_as_alone(models in models(), is_overridden: bool) {
        let together = loaded(&models, is_overridden);
        let order = together.order();
        let Ok(nodes) = together.compile_all(&order) else {
            // A text that one of the materializations refuses, alone as well.
            let fresh = loaded(&models, is_overridden);
            prop_assert!(order.iter().any(|id| fresh.compile(id).is_err()));
            return Ok(());
        };
        for node in nodes {
            let fresh = loaded(&models, is_overridden);
            let alone = fresh.compile(&node.unique_id).expect("compiles");
            prop_assert_eq!(texts(&node), texts(&alone), "{}", node.unique_id);
            prop_assert_eq!(&node.compiled_code, &alone.compiled_code);
        }
    }
}
